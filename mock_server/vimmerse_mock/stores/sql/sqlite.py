"""Engines for SQLite, which has one writer at a time."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from threading import Event
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc

from vimmerse_contracts.unfrozen import monotonic
from vimmerse_mock.errors import StoreRefusedError
from vimmerse_mock.stores.sql.patience import AT_START, LockWait, Patience

READING: Final = "vimmerse_reading"
"""The option of a connection that only reads, and takes no lock."""
_READERS: Final = 24
_OWNER_ONLY: Final = 0o600
_LOOK_AGAIN_SECONDS: Final = 0.002


def sqlite_engine(url: URL, patience: Patience, *, for_writing: bool = False) -> Engine:
    """Return an engine for a SQLite file.

    One `for_writing` has one connection, for which the threads of this process queue; the lock that
    others hold is then asked for again and again, since SQLite itself asks ever more seldom.

    Raises:
        StoreRefusedError: the URL names no file.
    """
    if url.query or url.database in (None, "", ":memory:"):
        raise StoreRefusedError(
            "a SQLite store is a file, sqlite:///path.db, with nothing after it; for a store in "
            "memory, use memory:"
        )
    wait = LockWait(patience)
    engine = create_engine(
        url,
        connect_args={"timeout": 0 if for_writing else patience.lock},
        pool_size=1 if for_writing else _READERS,
        max_overflow=0,
        pool_timeout=patience.queue,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
        connection.isolation_level = None  # transactions begin where `_begin` says, and only there
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get(READING):
            connection.exec_driver_sql("BEGIN")
        else:
            _begin_writing(connection.connection.dbapi_connection, wait)

    return engine


def _begin_writing(connection: Any, wait: LockWait) -> None:  # noqa: ANN401 - the driver's own
    try:
        _execute_when_free(connection, "BEGIN IMMEDIATE", wait.seconds)
    except exc.OperationalError as error:
        if _is_busy(error.orig):
            wait.note_failure()
        raise


def _execute_when_free(connection: Any, statement: str, seconds: float) -> None:  # noqa: ANN401 - the driver's own
    """Execute what needs a lock, again and again until nobody else has it."""
    deadline = monotonic() + seconds
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or monotonic() > deadline:
                raise exc.OperationalError(statement, None, error) from error
        else:
            return
        Event().wait(_LOOK_AGAIN_SECONDS)


def _is_busy(error: BaseException | None) -> bool:
    return isinstance(error, sqlite3.Error) and error.sqlite_errorcode == sqlite3.SQLITE_BUSY


def tables_in(url: URL) -> set[str]:
    """Return the tables of a SQLite file, if there is one; not a byte of it is written."""
    path = Path(url.database or "")
    if not path.is_file():
        return set()
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=AT_START.lock)) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return {name for (name,) in rows}
    except sqlite3.Error as error:
        raise exc.OperationalError("SELECT", None, error) from error


def make_private(url: URL) -> None:
    """Make a SQLite file, or take one that is there, so that only its owner can read its keys."""
    path = Path(url.database or "")
    with suppress(OSError):  # SQLite says better what is the matter
        path.touch(_OWNER_ONLY)
    for each in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        with suppress(OSError):
            each.chmod(_OWNER_ONLY)


def write_ahead(engine: Engine) -> None:
    """Have a database keep a log, for good, so that readers wait for no writer."""
    with engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        _execute_when_free(driver, "PRAGMA journal_mode=WAL", AT_START.lock)
