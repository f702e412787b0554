"""Stores: where what was asked is kept. One protocol; each engine in a module of its own."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from vimmerse_mock.errors import StoreRefusedError
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.credits import LedgerEntry, Reason
from vimmerse_mock.model.exchange import Exchange, LazyExchange
from vimmerse_mock.model.limits import Keep
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.model.snapshot import Position, Recent, Snapshot

UNAUTHENTICATED: Final = ""
"""Who stands in a customer's place in the journal of requests without a known key."""


def opened(account: AccountState, amount: int) -> Snapshot:
    """Return what is kept of an account that was just opened: its first credits paid in."""
    entry = LedgerEntry(account.clock.origin, amount, amount, Reason.OPENING)
    return Snapshot(account, ledger=(entry,) if amount else ())


FORGOTTEN_AT_ONCE: Final = 500
"""How many batches one transaction forgets at most."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Receivers and customers who have so much under way that nothing is claimed for them."""

    receivers: AbstractSet[str] = frozenset()
    customers: AbstractSet[str] = frozenset()


NOBODY: Final = Busy()


class Transaction(Protocol):
    """One account, locked: everything written in it happens together, or not at all."""

    @property
    def account(self) -> AccountState:
        """The account as it stands in this transaction."""

    def save_account(self, account: AccountState) -> None:
        """Replace the account's state; its customer id and key stay as they are."""

    def book(
        self, amount: int, reason: Reason, at: Instant, batch_id: str = "", submission: int = 0
    ) -> LedgerEntry:
        """Move credits: negative charges, positive pays in.

        Raises:
            InsufficientCreditError: the balance would fall under zero.
        """

    def batch(self, batch_id: str) -> Batch | None:
        """Return a batch of this account."""

    def save_batch(self, batch: Batch) -> None:
        """Add a batch, or replace it."""

    def processing(self, now: Instant, but: str) -> tuple[Instant, ...]:
        """Return when each batch ends, but for one, that has not ended at an instant."""

    def message(self, batch_id: str, submission: int, number: int = 1) -> Message | None:
        """Return one message of a submission."""

    def messages(self, batch_id: str, submission: int) -> tuple[Message, ...]:
        """Return all messages of a submission, by their numbers."""

    def save_message(self, message: Message) -> None:
        """Add a message or replace it, and end its lease."""

    def claim(self, until: Instant, lease_until: Instant, *, alone: bool) -> Message | None:
        """Lease the first pending message due by an instant of the account's clock.

        `alone` claims none while another of the account is leased.
        """

    def lease(self, message: Message, until: Instant) -> None:
        """Keep a message from every other claim until a real instant, or until it is saved."""

    def in_flight(self) -> bool:
        """Whether a message of the account is leased."""

    def forget(self, keep: Keep, now: Instant) -> int:
        """Remove some batches that need not be kept at an instant of the account's clock.

        Their messages go with them; their ledger entries become one, so that the balance stays the
        ledger's sum. Returns how many batches went, 0 when there are no more.
        """


Row = TypeVar("Row", Batch, Message, LedgerEntry)
"""What comes in pages."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A part of what an account has; `next` is what to go on after, empty at the end."""

    items: tuple[Row, ...]
    next: str


class Store(Protocol):
    """Keeps accounts, batches, ledgers and outboxes. Reads need no transaction.

    Every method may raise StoreUnavailableError, StoreFullError or StoreConflictError, if what is
    behind the store can be away, full or contended.
    """

    def real_time(self) -> Instant:
        """Return real time, the same for everybody who shares the store."""

    def add(self, *snapshots: Snapshot) -> None:
        """Add accounts and everything of them, together, or nothing.

        Raises:
            DuplicateAccountError: its customer id or key is taken.
        """

    def remove_account(self, customer_id: str) -> None:
        """Close an account and forget everything of it; an unknown one is no error."""

    def customers(self) -> tuple[str, ...]:
        """Return the ids of all accounts."""

    def account(self, customer_id: str) -> AccountState:
        """Return an account's state.

        Raises:
            UnknownAccountError: there is none.
        """

    def account_by_key(self, api_key: str) -> AccountState | None:
        """Return the account that a key belongs to."""

    def batch(self, customer_id: str, batch_id: str) -> Batch | None:
        """Return a batch of an account."""

    def batches(self, customer_id: str) -> tuple[Batch, ...]:
        """Return an account's batches, oldest first."""

    def ledger(self, customer_id: str) -> tuple[LedgerEntry, ...]:
        """Return an account's ledger, oldest entry first."""

    def balance(self, customer_id: str) -> int:
        """Return an account's credits: the sum of its ledger."""

    def messages(self, customer_id: str) -> tuple[Message, ...]:
        """Return an account's messages, in the order in which they were planned."""

    def message(self, customer_id: str, message_id: str) -> Message | None:
        """Return one message of an account, by its id."""

    def upcoming(self, customer_id: str) -> tuple[Message, ...]:
        """Return the first pending message of each lane of an account."""

    def next_transition(self, customer_id: str, now: Instant) -> Instant | None:
        """Return the first instant after another at which a batch of an account moves on."""

    def page(self, customer_id: str, kind: type[Row], after: str, most: int) -> Page[Row]:
        """Return at most so many batches, messages or ledger entries, in the order of the whole.

        Raises:
            InvalidRequestError: `after` is no `Page.next`.
        """

    def position(self, customer_id: str, at: Instant) -> Position:
        """Return how far an account's history goes now, at an instant of its clock."""

    def since(self, customer_id: str, position: Position, until: Instant) -> Recent:
        """Return what an account's history has beyond a position, to an instant of its clock.

        It costs what is new, not what is there.
        """

    def journal(self, customer_id: str) -> tuple[Exchange, ...]:
        """Return the last exchanges of an account, or of `UNAUTHENTICATED`, oldest first."""

    def note(self, customer_id: str, exchange: LazyExchange, keep: int) -> None:
        """Add to the journal of an account, or of `UNAUTHENTICATED`; keep about the last `keep`.

        An unknown account, which may have been removed meanwhile, is no error.
        """

    def transaction(self, customer_id: str) -> AbstractContextManager[Transaction]:
        """Lock an account; leaving the block commits, an exception leaves everything as it was.

        Raises:
            UnknownAccountError: there is no such account.
        """

    def claim(self, now: Instant, lease_until: Instant, busy: Busy = NOBODY) -> Message | None:
        """Lease the first message of all accounts that is due at a real instant, if there is one.

        It goes to one claimer only, until its lease ends. None is claimed for whoever is busy, nor
        from a lane of an account of which a message is leased.
        """

    def next_due(self, busy: Busy = NOBODY) -> Instant | None:
        """Return by which real instant something may be claimed; None if nothing will by itself.

        What is leased is not foreseen: look again from time to time, should a claimer have died.
        """

    def close(self) -> None:
        """Close what the store holds open."""


def open_store(url: str) -> Store:
    """Open the store that a URL names: `memory:`, `sqlite:///file.db`, `postgresql://...`.

    Raises:
        StoreRefusedError: the URL is none of these, or the store cannot be used.
    """
    if url == "memory:":
        from vimmerse_mock.stores.memory import MemoryStore  # noqa: PLC0415 - it knows this module

        return MemoryStore()
    if not url.startswith(("sqlite:///", "postgresql://")):
        raise StoreRefusedError(
            f"unknown store {url.partition(':')[0]!r}: "
            "use memory:, sqlite:///path.db or postgresql://user@host/database"
        )
    try:
        from vimmerse_mock.stores.sql.store import SqlStore  # noqa: PLC0415 - an extra brings SQLAlchemy

        return SqlStore.open(url)
    except ImportError as error:
        kind, extra = ("SQLite", "sqlite") if url[0] == "s" else ("PostgreSQL", "postgres")
        raise StoreRefusedError(
            f"a {kind} store needs the extra [{extra}] ({error}): "
            f"pip install 'vimmerse-mock[{extra}]'"
        ) from error
