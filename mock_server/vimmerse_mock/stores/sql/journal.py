"""The journal on SQL: written behind, many exchanges at once, so that no answer waits for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import Event, Lock, Thread
from typing import Any, Final

import msgspec
from sqlalchemy import Engine, exc, insert

from vimmerse_mock.errors import StoreFullError, StoreUnavailableError
from vimmerse_mock.model.exchange import Exchange, LazyExchange
from vimmerse_mock.stores.sql import statements as s
from vimmerse_mock.stores.sql.engine import writing
from vimmerse_mock.stores.sql.schema import JOURNAL

_EVERY_SECONDS: Final = 0.02
_AWAY_SECONDS: Final = 1.0
_MOST_BYTES: Final = 64 * 1024 * 1024
"""What waits beyond that, since the database is away or slow, is lost: it is a journal."""
_LOG = logging.getLogger("vimmerse_mock.stores")

Row = dict[str, Any]


class JournalWriter:
    """Collects exchanges, and writes them every few milliseconds, or at once when asked to."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[tuple[str, LazyExchange]] = []
        self._size = 0
        self._keep: dict[str, int] = {}
        self._lock = Lock()
        self._writing = Lock()
        self._some = Event()
        self._stopping = Event()
        self._thread: Thread | None = None

    def add(self, customer_id: str, exchange: LazyExchange, keep: int) -> None:
        """Take an exchange, to be written soon."""
        with self._lock:
            self._take(customer_id, exchange)
            self._keep[customer_id] = keep
            self._some.set()
            if self._thread is None:
                self._thread = Thread(target=self._run, name="vimmerse-journal", daemon=True)
                self._thread.start()

    def flush(self) -> bool:
        """Write everything that was taken so far, or keep it while the database is away."""
        with self._writing:
            with self._lock:
                waiting, self._waiting, self._size = self._waiting, [], 0
                keep, self._keep = self._keep, {}
            try:
                if waiting:
                    self._write([journal_row(who, each.read()) for who, each in waiting], keep)
            except (StoreUnavailableError, StoreFullError) as error:
                _LOG.warning("the journal cannot be written for now: %s", error)
                with self._lock:
                    later, self._waiting, self._size = self._waiting, [], 0
                    for who, each in [*waiting, *later]:
                        self._take(who, each)
                    self._keep = keep | self._keep
                return False
        return True

    def _take(self, customer_id: str, exchange: LazyExchange) -> None:
        if self._size + exchange.size <= _MOST_BYTES:
            self._waiting.append((customer_id, exchange))
            self._size += exchange.size

    def close(self) -> None:
        """Write what is left, and stop."""
        self._stopping.set()
        self._some.set()
        if self._thread is not None:
            self._thread.join()
        if not self.flush():
            _LOG.warning("the journal misses %d requests", len(self._waiting))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._some.wait()
            self._some.clear()
            self._stopping.wait(_EVERY_SECONDS)
            if not self.flush():
                self._some.set()
                self._stopping.wait(_AWAY_SECONDS)

    def _write(self, rows: Sequence[Row], keep: dict[str, int]) -> None:
        try:
            with writing(self._engine) as connection:
                connection.execute(insert(JOURNAL), rows)
                for customer_id, most in keep.items():
                    connection.execute(s.trim_journal(customer_id or None, most))
        except exc.IntegrityError:  # an account was removed meanwhile
            if len(rows) > 1:
                for row in rows:
                    self._write([row], {})


def journal_row(customer_id: str, exchange: Exchange) -> Row:
    """Return a row of the journal; a request without a known key belongs to no customer."""
    return {"customer_id": customer_id or None, "body": msgspec.json.encode(exchange)}
