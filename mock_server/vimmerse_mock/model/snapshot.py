"""A snapshot: everything of one account, at one moment."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.credits import LedgerEntry
from vimmerse_mock.model.exchange import Exchange
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.model.timeline import ends_at


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An account with its ledger, batches, messages and journal, each oldest first."""

    account: AccountState
    ledger: tuple[LedgerEntry, ...] = ()
    batches: tuple[Batch, ...] = ()
    messages: tuple[Message, ...] = ()
    journal: tuple[Exchange, ...] = ()

    def since(self, instant: Instant) -> Snapshot:
        """Return it without what was over before an instant of the account's clock."""
        return replace(
            self,
            ledger=tuple(entry for entry in self.ledger if entry.at >= instant),
            batches=tuple(batch for batch in self.batches if ends_at(batch) >= instant),
            messages=tuple(m for m in self.messages if m.attempts and m.attempts[-1].at >= instant),
            journal=tuple(exchange for exchange in self.journal if exchange.at >= instant),
        )

    @property
    def balance(self) -> int:
        """The credits left: the sum of the ledger."""
        return sum(entry.amount for entry in self.ledger)
