"""A real PostgreSQL for the tests that want one, from the machine's own binaries."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, settings

from support.postgres import Postgres, find_binaries

# A slow machine is no mistake.
settings.register_profile("vimmerse", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vimmerse")

HOW_TO_HAVE_THEM = (
    "the PostgreSQL tests were not run: install its server (apt-get install postgresql, "
    "brew install postgresql), or put initdb and postgres on PATH"
)


# What no test of the plugin needs, and what costs each run of pytest three seconds to import.
_UNUSED_PLUGINS = "-p no:schemathesis -p no:hypothesispytest"


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Pytest's own fixture, whose runs load no plugin that has nothing to do with them."""
    monkeypatch.setenv("PYTEST_ADDOPTS", _UNUSED_PLUGINS)
    return pytester


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL server of this test process's own."""
    binaries = find_binaries()
    if binaries is None:
        if os.environ.get("CI"):
            pytest.fail(HOW_TO_HAVE_THEM)
        pytest.skip(HOW_TO_HAVE_THEM)
    folder = Path(mkdtemp(prefix="vimmerse-pg-"))
    server = Postgres(binaries, folder)
    server.create()
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _database_numbers() -> Iterator[int]:
    return count(1)


@pytest.fixture
def postgres_url(postgres: Postgres, _database_numbers: Iterator[int]) -> str:
    """The URL of an empty database."""
    return postgres.create_database(f"test_{next(_database_numbers)}")
