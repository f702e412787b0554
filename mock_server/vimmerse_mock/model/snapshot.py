"""A snapshot: everything of one account, at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.journal import Exchange
from vimmerse_mock.model.ledger import LedgerEntry
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
