"""A transaction on SQL: one account, locked."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, insert
from sqlalchemy.dialects import postgresql, sqlite

from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.ledger import InsufficientCreditError, LedgerEntry, Reason
from vimmerse_mock.model.outbox import Message, MessageState
from vimmerse_mock.model.retention import Keep
from vimmerse_mock.model.snapshot import Snapshot
from vimmerse_mock.model.timeline import ends_at
from vimmerse_mock.stores.sql import statements as s
from vimmerse_mock.stores.sql.tables import BATCHES, LEDGER, MESSAGES

_UPSERTS: Final[dict[str, Callable[..., Any]]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
_BATCH: Final = msgspec.json.Decoder(Batch)
_MESSAGE: Final = msgspec.json.Decoder(Message)


class SqlTransaction:
    """One account; its row (PostgreSQL) or the database (SQLite) is locked until the end."""

    def __init__(self, connection: Connection, account: AccountState) -> None:
        self._connection = connection
        self._customer = {"of_customer": account.customer_id}
        self.account = account

    def fill(self, snapshot: Snapshot) -> None:
        """Write everything of a snapshot but its account and its journal."""
        for entry in snapshot.ledger:
            note(self._connection, self.account.customer_id, entry)
        for batch in snapshot.batches:
            self.save_batch(batch)
        for message in snapshot.messages:
            self.save_message(message)

    def save_account(self, account: AccountState) -> None:
        """Replace the account's state."""
        before, self.account = self.account, account
        fields = {**self._customer, "account_body": msgspec.json.encode(account)}
        self._connection.execute(s.SAVE_ACCOUNT, fields)
        if account.clock != before.clock:
            self._connection.execute(s.reschedule(before.clock, account.clock), self._customer)

    def book(
        self, amount: int, reason: Reason, at: Instant, batch_id: str = "", submission: int = 0
    ) -> LedgerEntry:
        """Move credits."""
        balance = self._connection.scalar(s.BOOK, {**self._customer, "amount": amount})
        if balance is None:
            present = self._connection.scalar(s.BALANCE, self._customer)
            raise InsufficientCreditError(-amount, present or 0)
        entry = LedgerEntry(at, amount, balance, reason, batch_id, submission)
        note(self._connection, self.account.customer_id, entry)
        return entry

    def batch(self, batch_id: str) -> Batch | None:
        """Return a batch of this account."""
        return read_batch(self._connection, self.account.customer_id, batch_id)

    def save_batch(self, batch: Batch) -> None:
        """Add a batch, or replace it."""
        fields = {
            "customer_id": batch.customer_id,
            "batch_id": batch.id,
            "created_at": batch.created_at,
            "ends_at": ends_at(batch),
            "body": msgspec.json.encode(batch),
        }
        self._upsert(BATCHES, fields, key=("customer_id", "batch_id"))

    def processing(self, now: Instant, but: str) -> tuple[Instant, ...]:
        """Tell when each batch ends that has not ended."""
        wanted = {**self._customer, "now": now, "but": but}
        return tuple(self._connection.scalars(s.PROCESSING, wanted))

    def message(self, batch_id: str, submission: int, number: int = 1) -> Message | None:
        """Return one message of a submission."""
        of_submission = {"batch_id": batch_id, "submission": submission}
        wanted = {**self._customer, **of_submission, "number": number}
        return _message(self._connection.scalar(s.MESSAGE_OF, wanted))

    def messages(self, batch_id: str, submission: int) -> tuple[Message, ...]:
        """Return all messages of a submission."""
        wanted = {**self._customer, "batch_id": batch_id, "submission": submission}
        bodies = self._connection.scalars(s.MESSAGES_OF_SUBMISSION, wanted).all()
        return tuple(map(decode_message, bodies))

    def save_message(self, message: Message) -> None:
        """Add a message or replace it, and end its lease."""
        fields = {
            "customer_id": message.customer_id,
            "batch_id": message.batch_id,
            "submission": message.submission,
            "number": message.number,
            "receiver": message.receiver,
            "lane": message.lane,
            "state": message.state.value,
            "due_at": message.due_at,
            "real_due": self._real_due(message),
            "lease_until": None,
            "body": msgspec.json.encode(message),
        }
        self._upsert(MESSAGES, fields, key=("customer_id", "batch_id", "submission", "number"))

    def claim(self, until: Instant, lease_until: Instant, *, alone: bool) -> Message | None:
        """Lease the first pending message due by an instant."""
        wanted = {**self._customer, "until": until, "lease": lease_until}
        return _message(self._connection.scalar(s.CLAIM_ALONE if alone else s.CLAIM_OF, wanted))

    def lease(self, message: Message, until: Instant) -> None:
        """Keep a message from every other claim."""
        fields = {
            **self._customer,
            "of_batch": message.batch_id,
            "of_submission": message.submission,
            "of_number": message.number,
            "lease": until,
        }
        self._connection.execute(s.LEASE, fields)

    def in_flight(self) -> bool:
        """Say whether a message of the account is leased."""
        return self._connection.scalar(s.IN_FLIGHT, self._customer) is not None

    def forget(self, keep: Keep, now: Instant) -> int:
        """Remove some batches that need not be kept."""
        batch_ids = self._connection.scalars(s.forgettable(keep, now), self._customer).all()
        if batch_ids:
            carried = self._connection.scalar(s.cost_of(batch_ids), self._customer) or 0
            for statement in s.forget(batch_ids):
                self._connection.execute(statement, self._customer)
            balance = self._connection.scalar(s.BALANCE, self._customer) or 0
            entry = LedgerEntry(now, carried, balance, Reason.CARRIED)
            note(self._connection, self.account.customer_id, entry)
        return len(batch_ids)

    def _real_due(self, message: Message) -> Instant | None:
        if message.state is not MessageState.PENDING:
            return None
        return self.account.clock.real_at(message.due_at)

    def _upsert(self, table: Table, fields: dict[str, Any], key: tuple[str, ...]) -> None:
        statement = _upsert(self._connection.dialect.name, table, tuple(fields), key)
        self._connection.execute(statement, fields)


@lru_cache(16)
def _upsert(dialect: str, table: Table, names: tuple[str, ...], key: tuple[str, ...]) -> Any:  # noqa: ANN401 - each dialect has a type of its own
    """Make, once for each table, the statement that inserts a row or replaces it."""
    statement = _UPSERTS[dialect](table)
    changed = {name: statement.excluded[name] for name in names if name not in key}
    return statement.on_conflict_do_update(index_elements=key, set_=changed)


def note(connection: Connection, customer_id: str, entry: LedgerEntry) -> None:
    """Add an entry to a ledger."""
    fields = {"customer_id": customer_id, **msgspec.to_builtins(entry)}
    connection.execute(insert(LEDGER), fields)


def read_batch(connection: Connection, customer_id: str, batch_id: str) -> Batch | None:
    """Return a batch of an account."""
    wanted = {"of_customer": customer_id, "batch_id": batch_id}
    body = connection.scalar(s.BATCH_BY_ID, wanted)
    return None if body is None else _BATCH.decode(body)


def decode_batch(body: bytes) -> Batch:
    """Read a batch."""
    return _BATCH.decode(body)


def _message(body: bytes | None) -> Message | None:
    return None if body is None else _MESSAGE.decode(body)


def decode_message(body: bytes) -> Message:
    """Read a message."""
    return _MESSAGE.decode(body)
