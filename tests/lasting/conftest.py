"""Stores that last, and servers of one's own to break."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lasting.databases import NO_POSTGRES, postgres_server, sqlite_url
from support.postgres import Postgres, find_binaries
from support.serving import NO_PROC, PROC


def need(there: object, reason: str) -> None:
    """Skip the test for want of something; fail it in CI, which must have everything."""
    if there:
        return
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _processes_can_be_found() -> None:
    need((PROC / "self" / "stat").exists(), NO_PROC)


@pytest.fixture(params=["sqlite", "postgresql"])
def lasting_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, of each kind that lasts."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that the test may break."""
    need(find_binaries(), NO_POSTGRES)
    with postgres_server() as server:
        yield server
