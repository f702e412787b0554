"""The `Store` on SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlalchemy import URL, Connection, Engine, Row, Table, delete, exc, insert, text
from sqlalchemy.dialects import postgresql, sqlite

from vimmerse_mock.errors import (
    DuplicateAccountError,
    InsufficientCreditError,
    StoreConflictError,
    StoreFullError,
    StoreRefusedError,
    StoreUnavailableError,
    UnknownAccountError,
)
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.clock import Instant, wall_clock
from vimmerse_mock.model.credits import LedgerEntry, Reason
from vimmerse_mock.model.exchange import Exchange
from vimmerse_mock.model.limits import Keep
from vimmerse_mock.model.outbox import Message, MessageState
from vimmerse_mock.model.snapshot import Snapshot
from vimmerse_mock.model.timeline import ends_at
from vimmerse_mock.stores import NOBODY
from vimmerse_mock.stores.sql import statements as s
from vimmerse_mock.stores.sql.engine import open_engine, reading, writing
from vimmerse_mock.stores.sql.journal import JournalWriter, journal_row
from vimmerse_mock.stores.sql.schema import ACCOUNTS, BATCHES, JOURNAL, LEDGER, MESSAGES, migrate

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


_ACCOUNT: Final = msgspec.json.Decoder(AccountState)
_EXCHANGE: Final = msgspec.json.Decoder(Exchange)
_UNUSABLE: Final = (StoreUnavailableError, StoreFullError, StoreConflictError, exc.DBAPIError)
_DATABASE_TIME: Final = text(
    "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
)


class SqlStore:
    """Accounts, batches, ledgers and outboxes in a database that many processes may share."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ahead = _database_ahead(engine)
        self._journal = JournalWriter(engine)

    @classmethod
    def open(cls, url: str) -> SqlStore:
        """Connect, and bring the schema up to date.

        Raises:
            StoreRefusedError: the database cannot be used; the sentence says why.
        """
        engine = open_engine(url)
        try:
            with writing(engine) as connection:
                migrate(connection)
            return cls(engine)
        except Exception as error:
            engine.dispose()
            if isinstance(error, _UNUSABLE):
                sentence = f"the store at {_place(engine.url)} cannot be used: {_first(error)}"
                raise StoreRefusedError(sentence) from error
            raise

    def real_time(self) -> Instant:
        """Tell the time of the database's machine, which all who share it agree on."""
        return wall_clock() + self._ahead

    def add(self, snapshot: Snapshot) -> None:
        """Add an account and everything of it."""
        account = snapshot.account
        try:
            with writing(self._engine) as connection:
                connection.execute(insert(ACCOUNTS), _account_row(snapshot))
                SqlTransaction(connection, account).fill(snapshot)
                for exchange in snapshot.journal:
                    connection.execute(insert(JOURNAL), journal_row(account.customer_id, exchange))
        except exc.IntegrityError as error:
            raise DuplicateAccountError("the customer id or the API key is taken") from error

    def remove_account(self, customer_id: str) -> None:
        """Close an account and forget everything of it."""
        with writing(self._engine) as connection:
            connection.execute(delete(ACCOUNTS).where(ACCOUNTS.c.customer_id == customer_id))

    def customers(self) -> tuple[str, ...]:
        """Return the ids of all accounts."""
        with reading(self._engine) as connection:
            return tuple(connection.scalars(s.CUSTOMERS))

    def account(self, customer_id: str) -> AccountState:
        """Return an account's state."""
        with reading(self._engine) as connection:
            body = connection.scalar(s.ACCOUNT_BY_ID, {"of_customer": customer_id})
        return _account(body, customer_id)

    def account_by_key(self, api_key: str) -> AccountState | None:
        """Return the account that a key belongs to."""
        with reading(self._engine) as connection:
            body = connection.scalar(s.ACCOUNT_BY_KEY, {"api_key": api_key})
        return None if body is None else _ACCOUNT.decode(body)

    def batch(self, customer_id: str, batch_id: str) -> Batch | None:
        """Return a batch of an account."""
        with reading(self._engine) as connection:
            return read_batch(connection, customer_id, batch_id)

    def batches(self, customer_id: str, ends_after: Instant | None = None) -> tuple[Batch, ...]:
        """Return an account's batches."""
        with reading(self._engine) as connection:
            bodies = connection.scalars(
                s.batches_of(ends_after), {"of_customer": customer_id}
            ).all()
        return tuple(map(decode_batch, bodies))

    def journal(self, customer_id: str) -> tuple[Exchange, ...]:
        """Return the last exchanges; those of other processes come in a blink later."""
        self._journal.flush()
        with reading(self._engine) as connection:
            bodies = connection.scalars(s.journal_of(customer_id or None)).all()
        return tuple(map(_EXCHANGE.decode, bodies))

    def note(self, customer_id: str, exchange: Exchange, keep: int) -> None:
        """Add to a journal, soon."""
        self._journal.add(customer_id, exchange, keep)

    def ledger(self, customer_id: str) -> tuple[LedgerEntry, ...]:
        """Return an account's ledger."""
        with reading(self._engine) as connection:
            rows = connection.execute(s.LEDGER_OF, {"of_customer": customer_id}).all()
        return tuple(map(_entry, rows))

    def balance(self, customer_id: str) -> int:
        """Return an account's credits."""
        with reading(self._engine) as connection:
            balance = connection.scalar(s.BALANCE, {"of_customer": customer_id})
        return balance or 0

    def messages(self, customer_id: str) -> tuple[Message, ...]:
        """Return an account's messages."""
        with reading(self._engine) as connection:
            bodies = connection.scalars(s.MESSAGES_OF, {"of_customer": customer_id}).all()
        return tuple(map(decode_message, bodies))

    @contextmanager
    def transaction(self, customer_id: str) -> Iterator[SqlTransaction]:
        """Lock an account."""
        with writing(self._engine) as connection:
            body = connection.scalar(s.ACCOUNT_LOCKED, {"of_customer": customer_id})
            yield SqlTransaction(connection, _account(body, customer_id))

    def claim(
        self, now: Instant, lease_until: Instant, avoiding: AbstractSet[str] = NOBODY
    ) -> Message | None:
        """Lease what is due first; accounts that somebody else is at are skipped."""
        due = {"now": now, "avoiding": _listed(avoiding)}
        with writing(self._engine) as connection:
            customer_id = connection.scalar(s.CLAIMABLE, due)
            if customer_id is None:
                return None
            wanted = {**due, "of_customer": customer_id, "lease": lease_until}
            body = connection.scalar(s.CLAIM, wanted)
        return None if body is None else decode_message(body)

    def next_due(self, avoiding: AbstractSet[str] = NOBODY) -> Instant | None:
        """Tell when the dispatcher should look again."""
        wanted = {"now": self.real_time(), "avoiding": _listed(avoiding)}
        with reading(self._engine) as connection:
            due: Instant | None = connection.scalar(s.NEXT_DUE, wanted)
        return due

    def close(self) -> None:
        """Write what is left of the journal, and close every connection."""
        self._journal.close()
        self._engine.dispose()


def _listed(avoiding: AbstractSet[str]) -> list[str]:
    """List receivers for `NOT IN`, which is quickest to prepare where it is never empty."""
    return sorted(avoiding) or [""]


def _account_row(snapshot: Snapshot) -> dict[str, Any]:
    account = snapshot.account
    return {
        "customer_id": account.customer_id,
        "api_key": account.api_key,
        "balance": snapshot.balance,
        "body": msgspec.json.encode(account),
    }


def _entry(row: Row[Any]) -> LedgerEntry:
    reason = Reason(row.reason)
    return LedgerEntry(row.at, row.amount, row.balance, reason, row.batch_id, row.submission)


def _account(body: bytes | None, customer_id: str) -> AccountState:
    if body is None:
        raise UnknownAccountError(f"no account of customer {customer_id!r}")
    return _ACCOUNT.decode(body)


def _database_ahead(engine: Engine) -> Instant:
    """Measure how far the database's clock is ahead of this machine's; SQLite's is this one."""
    if engine.dialect.name == "sqlite":
        return 0
    with reading(engine) as connection:
        return _measured_ahead(connection)


def _measured_ahead(connection: Connection) -> Instant:
    before = wall_clock()
    there: Instant = connection.scalar(_DATABASE_TIME)
    return there - (before + wall_clock()) // 2


def _place(url: URL) -> str:
    """Say where a database is, without anything that could be a secret."""
    return f"{url.host}:{url.port or 5432}/{url.database}" if url.host else str(url.database)


def _first(error: Exception) -> str:
    """Return the first line of what a driver said, which names the cause."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return str(cause).strip().splitlines()[0]
