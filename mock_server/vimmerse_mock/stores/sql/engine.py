"""Engines for the two dialects, and their failures in the store's own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url

from vimmerse_mock.errors import (
    StoreConflictError,
    StoreFullError,
    StoreRefusedError,
    StoreUnavailableError,
)

_BUSY_SECONDS: Final = 30
_CONNECT_SECONDS: Final = 5
_POOL: Final = 24
_CONFLICTS: Final = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, deadlock, lock not available."""
_FULL: Final = frozenset({"53100", "53200"})
_UNREACHABLE: Final = ("08", "57", "53")
"""Connections lost or refused, the server stopping, too many connections."""
_READING: Final = "vimmerse_reading"


def open_engine(url: str) -> Engine:
    """Return an engine; nothing is connected yet.

    Raises:
        StoreRefusedError: the URL is none that SQLAlchemy can use.
    """
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise StoreRefusedError("the store's URL cannot be understood") from error
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    if "@" in (parsed.host or ""):
        raise StoreRefusedError("the store's URL has two @: in a password, write %40")
    return create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        connect_args={"connect_timeout": _CONNECT_SECONDS, "application_name": "vimmerse-mock"},
        pool_size=_POOL,
        max_overflow=_POOL,
        pool_timeout=_CONNECT_SECONDS,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",  # rows are locked: whatever the database's default is
        hide_parameters=True,
    )


def _sqlite(url: URL) -> Engine:
    if url.query or url.database in (None, "", ":memory:"):
        raise StoreRefusedError(
            "a SQLite store is a file, sqlite:///path.db, with nothing after it; for a store in "
            "memory, use memory:"
        )
    engine = create_engine(
        url, connect_args={"timeout": _BUSY_SECONDS}, pool_size=_POOL, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
        connection.isolation_level = None  # transactions begin where `_begin` says, and only there
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get(_READING)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Connect to read: no lock is taken."""
    with translated(), engine.connect() as connection:
        level = {} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
        yield connection.execution_options(**{_READING: True}, **level)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Connect to write, in one transaction."""
    with translated(), engine.begin() as connection:
        yield connection


@contextmanager
def translated() -> Iterator[None]:
    """Raise the store's own errors for what the database says.

    Raises:
        StoreConflictError: another transaction was in the way; trying again may help.
        StoreFullError: there is no room.
        StoreUnavailableError: the database cannot be reached.
    """
    try:
        yield
    except exc.TimeoutError as error:
        raise StoreUnavailableError("every connection to the database is in use") from error
    except exc.DBAPIError as error:
        state, words = getattr(error.orig, "sqlstate", None) or "", str(error.orig)
        if state in _CONFLICTS or "database is locked" in words:
            raise StoreConflictError(words) from error
        if state in _FULL or "disk is full" in words:
            raise StoreFullError(words) from error
        lost = isinstance(error, exc.OperationalError) and not state
        if (
            error.connection_invalidated
            or state.startswith(_UNREACHABLE)
            or (lost and "no such table" not in words)
        ):
            raise StoreUnavailableError(words) from error
        raise
