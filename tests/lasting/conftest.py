"""Servers of one's own to break."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.needs import need
from support.postgres import NO_POSTGRES, Postgres, find_binaries, running_postgres
from support.serving import NO_PROC, PROC


@pytest.fixture(autouse=True)
def _processes_can_be_found() -> None:
    need((PROC / "self" / "stat").exists(), NO_PROC)


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that the test may break."""
    need(find_binaries(), NO_POSTGRES)
    with running_postgres() as server:
        yield server
