"""The databases of a run: a SQLite file each, or one of a PostgreSQL server of the bench's own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.filling import Filled, Pattern, a_busy_month, fill_database, require_filled
from vimmerse_mock.control.registry import AccountRegistry
from vimmerse_mock.delivery import Courier, HttpSender
from vimmerse_mock.model.account import SAMPLE_ACCOUNT, AccountState, Opening
from vimmerse_mock.stores import Store, open_store

if TYPE_CHECKING:
    from support.postgres import Postgres

CREDITS: Final = 10**12
"""Enough that no load spends them."""
SQL_STORES: Final = ("sqlite", "postgresql")
_TESTS: Final = Path(__file__).parents[1] / "tests"
_REPORT_EVERY: Final = 50_000
_OTHERS: Final = 300
"""Accounts beside the one that has the batches, as a shared mock has them."""


class NotHereError(Exception):
    """This machine lacks what a store needs; the message says what."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database that was filled."""

    url: str
    filled: Filled


class Databases:
    """Makes databases when they are asked for, fills each once, and lets go of them in the end."""

    def __init__(self, scratch: Path, stack: ExitStack, step: Callable[[str], None]) -> None:
        self._scratch, self._stack, self._step = scratch, stack, step
        self._numbers = count(1)
        self._postgres: Postgres | None = None
        self._filled: dict[tuple[str, int], Database] = {}

    def empty(self, kind: str) -> str:
        """Make an empty database of a kind; return its URL.

        Raises:
            NotHereError: the kind is `postgresql`, and there is none on this machine.
        """
        if kind == "sqlite":
            return f"sqlite:///{self._scratch / f'bench_{next(self._numbers)}'}.db"
        self._postgres = self._postgres or self._start()
        return self._postgres.create_database()

    def filled(self, kind: str, batches: int) -> Database:
        """Give the database of a kind with that many batches, all of the sample account."""
        key = (kind, batches)
        if key not in self._filled:
            self._filled[key] = self._fill(kind, batches)
        return self._filled[key]

    def _fill(self, kind: str, batches: int) -> Database:
        url = self.empty(kind)
        store = open_store(url)
        try:
            for _ in range(_OTHERS):
                opened(store, Opening(credits=0))
            account = opened(store, replace(SAMPLE_ACCOUNT, credits=CREDITS))
            pattern = a_busy_month(batches, store.real_time())
            filled = self.fill(url, account, pattern)
            require_filled(store, account, filled)
        finally:
            store.close()
        return Database(url, filled)

    def fill(self, url: str, account: AccountState, pattern: Pattern) -> Filled:
        """Fill a database, telling how far it is."""

        def report(number: int) -> None:
            if number % _REPORT_EVERY == 0:
                self._step(f"filling {url.partition(':')[0]}: {number:,} of {pattern.batches:,}")

        return fill_database(url, account, pattern, report)

    def _start(self) -> Postgres:
        """Start a server as the tests do, in a folder that it may enter."""
        try:
            return self._stack.enter_context(_running_postgres())
        except LookupError as error:
            raise NotHereError("no PostgreSQL server on this machine (initdb, postgres)") from error


def opened(store: Store, opening: Opening) -> AccountState:
    """Open an account, as a mock would."""
    return AccountRegistry(Courier(store, HttpSender(), store.real_time)).open(opening)


def _running_postgres() -> AbstractContextManager[Postgres]:
    """Run a server as the tests do, which are no package that could be imported."""
    sys.path.append(str(_TESTS))
    from support.postgres import running_postgres  # noqa: PLC0415 - found only from here on

    return running_postgres()
