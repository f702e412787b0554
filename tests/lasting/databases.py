"""Stores of one's own: a file of SQLite, or a PostgreSQL server that may be broken."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from support.postgres import Postgres, find_binaries

NO_POSTGRES: Final = (
    "there is no PostgreSQL server to start: install it (apt-get install postgresql, "
    "brew install postgresql), or put initdb and postgres on PATH"
)


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Run a PostgreSQL server until the block ends.

    Raises:
        LookupError: its binaries are nowhere.
    """
    binaries = find_binaries()
    if binaries is None:
        raise LookupError(NO_POSTGRES)
    folder = Path(mkdtemp(prefix="vimmerse-pg-"))
    server = Postgres(binaries, folder)
    server.create()
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def sqlite_url(folder: Path) -> str:
    """Return the URL of a database file in a folder."""
    return f"sqlite:///{folder / 'mock.db'}"
