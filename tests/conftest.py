"""What the whole suite shares: stores of every kind, an inbox, and light runs of pytest."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from support.needs import need
from support.postgres import (
    NO_POSTGRES,
    Postgres,
    find_binaries,
    find_postgres,
    start_postgres,
)
from vimmerse_mock.receiving.inbox import Inbox, Listener
from vimmerse_mock.stores import Store, open_store

# A slow machine is no mistake.
settings.register_profile("vimmerse", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vimmerse")

# What no test of the plugin needs, and what costs each run of pytest three seconds to import.
_UNUSED_PLUGINS = "-p no:schemathesis -p no:hypothesispytest"
_POSTGRES_FOLDER = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Name the folder of the one PostgreSQL server that all workers of the run share."""
    shared: dict[str, Any] | None = getattr(config, "workerinput", None)
    folder = shared["postgres_folder"] if shared else mkdtemp(prefix="vimmerse-pg-")
    config.stash[_POSTGRES_FOLDER] = Path(folder)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give a worker of xdist the folder."""
    node.workerinput["postgres_folder"] = str(node.config.stash[_POSTGRES_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server, if any test wanted it, when all workers have ended."""
    if hasattr(config, "workerinput"):
        return
    folder = config.stash[_POSTGRES_FOLDER]
    if started := find_postgres(folder):
        started.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Pytest's own fixture, whose runs load no plugin that has nothing to do with them."""
    monkeypatch.setenv("PYTEST_ADDOPTS", _UNUSED_PLUGINS)
    return pytester


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Postgres:
    """The PostgreSQL server of the run, started by whoever wants it first; a real one."""
    need(find_binaries(), NO_POSTGRES)
    folder = pytestconfig.stash[_POSTGRES_FOLDER]
    with FileLock(folder / "lock"):
        return find_postgres(folder) or start_postgres(folder)


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """The URL of an empty database."""
    return postgres.create_database()


def _url_of(kind: str, request: pytest.FixtureRequest) -> str:
    if kind == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path")
        return f"sqlite:///{folder / 'mock.db'}"
    return "memory:" if kind == "memory" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty store, of each kind that lasts."""
    return _url_of(request.param, request)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store of each kind there is."""
    opened = open_store(_url_of(request.param, request))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def listener(vimmerse_listener: Listener) -> Listener:
    """The listener of the run; a test opens inboxes of its own."""
    return vimmerse_listener


@pytest.fixture
def inbox(listener: Listener) -> Iterator[Inbox]:
    """An inbox of this test's own."""
    opened = listener.open_inbox()
    yield opened
    listener.close_inbox(opened)
