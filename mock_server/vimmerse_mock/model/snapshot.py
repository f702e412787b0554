"""A snapshot: everything of one account at one moment; and its history beyond a position."""

from __future__ import annotations

from dataclasses import dataclass

from vimmerse_mock.errors import InvalidRequestError
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.credits import LedgerEntry
from vimmerse_mock.model.exchange import Exchange
from vimmerse_mock.model.outbox import Message


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An account with its ledger, batches, messages and journal, each oldest first."""

    account: AccountState
    ledger: tuple[LedgerEntry, ...] = ()
    batches: tuple[Batch, ...] = ()
    messages: tuple[Message, ...] = ()
    journal: tuple[Exchange, ...] = ()

    @property
    def balance(self) -> int:
        """The credits left: the sum of the ledger."""
        return sum(entry.amount for entry in self.ledger)


Deed = tuple[str, int, int, int]
"""A submission (batch, number, 0, 0), or an attempt (batch, submission, message, number)."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far an account's history was read: to `at` on its clock, and what was written by then.

    `ledger`, `deeds` and `journal` are the serial numbers of the last entry, deed and exchange.
    Instants alone would not do: on a clock that stands, everything happens at one.
    """

    at: Instant
    ledger: int = 0
    deeds: int = 0
    journal: int = 0

    def __str__(self) -> str:
        """Write it as a cursor of the control plane."""
        return f"{self.at}.{self.ledger}.{self.deeds}.{self.journal}"


def parse_position(cursor: str) -> Position:
    """Read a position that was written as text.

    Raises:
        InvalidRequestError: it was not.
    """
    return Position(*read_cursor(cursor, 4))


def read_cursor(cursor: str, numbers: int) -> list[int]:
    """Read the numbers of a cursor, each one that a database's column takes.

    Raises:
        InvalidRequestError: there are more or fewer, or one is none.
    """
    parts = cursor.split(".")
    if len(parts) == numbers and all(
        part.isascii() and part.isdecimal() and len(part) <= _DIGITS for part in parts
    ):
        return [int(part) for part in parts]
    raise InvalidRequestError(
        f"after={cursor[:100]!r}: expected the `next` of an earlier answer, or nothing"
    )


_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Recent:
    """What an account's history has beyond a position.

    `written` has the entries and exchanges that are new, and the batches and messages of which
    something is: `deeds`, or what lay ahead at `since` and is over at `until`.
    """

    written: Snapshot
    deeds: frozenset[Deed]
    since: Position
    until: Position
