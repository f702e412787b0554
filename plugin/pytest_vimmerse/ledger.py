"""What a run may spend, holds and has spent: one SQLite file for all its processes.

A reservation is committed before its request is sent, so that one of a process that died stays.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vimmerse_contracts.runs.spending import NotAffordableError

_BUSY_SECONDS: Final = 60.0
_TABLES: Final = """
CREATE TABLE run (spending_limit INTEGER, stopped TEXT DEFAULT '', balance INTEGER, plan TEXT);
CREATE TABLE hold (
    number INTEGER PRIMARY KEY, process INTEGER, what TEXT, credits INTEGER, state TEXT,
    batch_id TEXT
);
CREATE TABLE batch (id TEXT PRIMARY KEY, ended INTEGER);
"""


class LedgerFile:
    """The ledger of a run in a file; any number of processes may have it open."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self, limit: int) -> None:
        """Make the file, with nothing spent of the limit."""
        with self._changing() as db:
            db.executescript(_TABLES)
            db.execute("INSERT INTO run (spending_limit) VALUES (?)", (limit,))

    def hold(self, price: int, what: str, batch_id: str) -> int:
        """Reserve credits, and return the number of the hold.

        Raises:
            NotAffordableError: the limit does not allow it, or spending was stopped.
        """
        with self._changing() as db:
            (limit, stopped), total = _run(db), _total(db)
            if stopped:
                raise NotAffordableError(f"the run was stopped: {stopped}")
            if total + price > limit:
                raise NotAffordableError(
                    f"of the limit: {what} may cost {price} credits, and of {limit} allowed "
                    f"{total} are spent or held"
                )
            made = db.execute(
                "INSERT INTO hold (process, what, credits, state, batch_id)"
                " VALUES (?, ?, ?, 'held', ?)",
                (os.getpid(), what, price, batch_id),
            )
            return int(made.lastrowid or 0)

    def release(self, hold: int) -> None:
        """Give a hold back."""
        with self._changing() as db:
            db.execute("UPDATE hold SET state = 'released' WHERE number = ?", (hold,))

    def spend(self, hold: int, batch_id: str) -> None:
        """Note that a hold was spent on a batch."""
        with self._changing() as db:
            db.execute(
                "UPDATE hold SET state = 'spent', batch_id = ? WHERE number = ?", (batch_id, hold)
            )

    def book(self, amount: int, batch_id: str) -> None:
        """Note credits that were spent beyond what was held, whatever the limit."""
        with self._changing() as db:
            db.execute(
                "INSERT INTO hold (process, what, credits, state, batch_id)"
                " VALUES (?, 'more than the price list says', ?, 'spent', ?)",
                (os.getpid(), amount, batch_id),
            )

    def baseline(self, balance: int) -> int:
        """Return the first balance that any process reports."""
        with self._changing() as db:
            db.execute("UPDATE run SET balance = coalesce(balance, ?)", (balance,))
            return int(db.execute("SELECT balance FROM run").fetchone()[0])

    def spent_on(self, batch_id: str) -> int:
        """Return the credits that are held or spent for a batch."""
        with self._changing() as db:
            return _total(db, "AND batch_id = ?", batch_id)

    def total(self) -> int:
        """Return the credits that are held or spent."""
        with self._changing() as db:
            return _total(db)

    def see(self, batch_id: str, *, ended: bool) -> None:
        """Note whether a batch has ended."""
        with self._changing() as db:
            db.execute("REPLACE INTO batch VALUES (?, ?)", (batch_id, ended))

    def stop(self, reason: str) -> None:
        """Let nothing more be spent; the first reason stays."""
        with self._changing() as db:
            db.execute("UPDATE run SET stopped = ? WHERE stopped = ''", (reason,))

    def stopped(self) -> str:
        """Return why nothing more is spent; empty if it may be."""
        with self._changing() as db:
            return _run(db)[1]

    def running(self) -> tuple[str, ...]:
        """Return the batches that were paid for and have not been seen to end."""
        with self._changing() as db:
            found = db.execute("SELECT id FROM batch WHERE NOT ended ORDER BY rowid")
            return tuple(batch_id for (batch_id,) in found)

    def unanswered(self) -> tuple[str, ...]:
        """Return what was sent, or was about to be, and never answered with a batch."""
        with self._changing() as db:
            found = db.execute(
                "SELECT what, batch_id FROM hold WHERE state = 'held'"
                " OR (state = 'spent' AND batch_id = '') ORDER BY number"
            )
            return tuple(f"{what} {batch_id}".strip() for what, batch_id in found)

    def keep_plan(self, plan: str) -> None:
        """Keep the plan, for the process that prints."""
        with self._changing() as db:
            db.execute("UPDATE run SET plan = ?", (plan,))

    def plan(self) -> str:
        """Return the plan; empty if there is none yet."""
        with self._changing() as db:
            return str(db.execute("SELECT coalesce(plan, '') FROM run").fetchone()[0])

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction, which no other process's overlaps."""
        db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            if db.in_transaction:
                db.execute("COMMIT")
        finally:
            db.close()


def _run(db: sqlite3.Connection) -> tuple[int, str]:
    limit, stopped = db.execute("SELECT spending_limit, stopped FROM run").fetchone()
    return int(limit), str(stopped)


def _total(db: sqlite3.Connection, also: str = "", *values: str) -> int:
    query = f"SELECT coalesce(sum(credits), 0) FROM hold WHERE state != 'released' {also}"  # noqa: S608 - `also` is a constant of this module
    return int(db.execute(query, values).fetchone()[0])
