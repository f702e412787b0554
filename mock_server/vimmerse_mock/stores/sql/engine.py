"""Connections to both kinds of databases, and their failures in the store's own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import URL, Connection, Engine, exc, make_url

from vimmerse_mock.errors import (
    StoreConflictError,
    StoreFullError,
    StoreRefusedError,
    StoreUnavailableError,
)
from vimmerse_mock.stores.sql.patience import AT_START, FOR_REQUESTS, LOCKED, Patience
from vimmerse_mock.stores.sql.sqlite import READING, sqlite_engine

_CONFLICTS: Final = frozenset({"40001", "40P01"})
"""Serialization failure, deadlock."""
_FULL: Final = frozenset({"53100", "53200"})
_UNREACHABLE: Final = ("08", "57", "53")
"""Connections lost or refused, the server stopping, too many connections."""


def open_engine(url: str, patience: Patience = AT_START) -> Engine:
    """Return an engine; nothing is connected yet.

    Raises:
        StoreRefusedError: the URL is none that SQLAlchemy can use.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return sqlite_engine(parsed, patience)
    from vimmerse_mock.stores.sql.postgresql import postgresql_engine  # noqa: PLC0415 - an extra

    return postgresql_engine(parsed, patience)


def open_engines(url: str) -> tuple[Engine, Engine]:
    """Return the engine that requests read with, and the one that they write with.

    Raises:
        StoreRefusedError: the URL is none that SQLAlchemy can use.
    """
    readers = open_engine(url, FOR_REQUESTS)
    if readers.dialect.name == "sqlite":
        return readers, sqlite_engine(readers.url, FOR_REQUESTS, for_writing=True)
    return readers, readers


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise StoreRefusedError("the store's URL cannot be understood") from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Connect to read: no lock is taken."""
    with translated(), engine.connect() as connection:
        level = {} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
        yield connection.execution_options(**{READING: True}, **level)


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
        StoreUnavailableError: the database cannot be reached, or is locked by another program.
    """
    try:
        yield
    except exc.TimeoutError as error:
        raise StoreUnavailableError("every connection to the database is in use") from error
    except exc.DBAPIError as error:
        state, words = (
            getattr(error.orig, "sqlstate", None) or "",
            str(error.orig).partition("\n")[0],
        )
        if state in _CONFLICTS:
            raise StoreConflictError(words) from error
        if state in _FULL or "disk is full" in words:
            raise StoreFullError(words) from error
        lost = isinstance(error, exc.OperationalError) and not state
        if (
            error.connection_invalidated
            or state == LOCKED
            or state.startswith(_UNREACHABLE)
            or (lost and "no such table" not in words)
        ):
            raise StoreUnavailableError(words) from error
        raise
