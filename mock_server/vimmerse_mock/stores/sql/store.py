"""The `Store` on SQL."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import URL, Connection, Engine, Select, Table, delete, exc, insert, text
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
from vimmerse_mock.model import story
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.clock import Instant, wall_clock
from vimmerse_mock.model.credits import LedgerEntry, Reason
from vimmerse_mock.model.exchange import Exchange, LazyExchange
from vimmerse_mock.model.limits import Keep
from vimmerse_mock.model.outbox import Message, MessageState
from vimmerse_mock.model.snapshot import Deed, Position, Recent, Snapshot, read_cursor
from vimmerse_mock.stores import NOBODY, Busy, Page, Row
from vimmerse_mock.stores.sql import statements as s
from vimmerse_mock.stores.sql.engine import open_engine, open_engines, reading, translated, writing
from vimmerse_mock.stores.sql.journal import JournalWriter, journal_row
from vimmerse_mock.stores.sql.schema import (
    ACCOUNTS,
    BATCHES,
    DEEDS,
    JOURNAL,
    LEDGER,
    MESSAGES,
    batch_row,
    message_row,
    migrate,
    require_own,
)
from vimmerse_mock.stores.sql.sqlite import make_private, tables_in, write_ahead

_INSERTS: Final[dict[str, Callable[..., Any]]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
_DEED: Final = ("customer_id", "batch_id", "submission", "number", "attempt")
_BATCH: Final = msgspec.json.Decoder(Batch)
_MESSAGE: Final = msgspec.json.Decoder(Message)
T = TypeVar("T")


class SqlTransaction:
    """One account; its row (PostgreSQL) or the database (SQLite) is locked until the end."""

    def __init__(self, connection: Connection, account: AccountState) -> None:
        self._connection = connection
        self._customer = {"of_customer": account.customer_id}
        self.account = account

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
        self.add_entry(entry)
        return entry

    def add_entry(self, entry: LedgerEntry) -> None:
        """Add an entry to the ledger."""
        fields = {"customer_id": self.account.customer_id, **msgspec.to_builtins(entry)}
        self._connection.execute(insert(LEDGER), fields)

    def batch(self, batch_id: str) -> Batch | None:
        """Return a batch of this account."""
        wanted = {**self._customer, "batch_id": batch_id}
        return _decoded(_BATCH, self._connection.scalar(s.BATCH_BY_ID, wanted))

    def save_batch(self, batch: Batch) -> None:
        """Add a batch, or replace it."""
        self._upsert(BATCHES, batch_row(batch), key=("customer_id", "batch_id"))
        self._note((batch.id, batch.submission.number, 0, 0))

    def processing(self, now: Instant, but: str) -> tuple[Instant, ...]:
        """Return when each batch ends that has not ended."""
        wanted = {**self._customer, "now": now, "but": but}
        return tuple(self._connection.scalars(s.PROCESSING, wanted))

    def message(self, batch_id: str, submission: int, number: int = 1) -> Message | None:
        """Return one message of a submission."""
        key = {"batch_id": batch_id, "submission": submission, "number": number}
        return _decoded(_MESSAGE, self._connection.scalar(s.MESSAGE_OF, {**self._customer, **key}))

    def messages(self, batch_id: str, submission: int) -> tuple[Message, ...]:
        """Return all messages of a submission."""
        wanted = {**self._customer, "batch_id": batch_id, "submission": submission}
        bodies = self._connection.scalars(s.MESSAGES_OF_SUBMISSION, wanted).all()
        return tuple(map(_MESSAGE.decode, bodies))

    def save_message(self, message: Message) -> None:
        """Add a message or replace it, and end its lease."""
        pending = message.state is MessageState.PENDING
        real_due = self.account.clock.real_at(message.due_at) if pending else None
        fields = message_row(message, real_due=real_due)
        self._upsert(MESSAGES, fields, key=("customer_id", "batch_id", "submission", "number"))
        if message.attempts:
            self._note((*message.key, len(message.attempts)))

    def claim(self, until: Instant, lease_until: Instant, *, alone: bool) -> Message | None:
        """Lease the first pending message due by an instant."""
        wanted = {**self._customer, "until": until, "lease": lease_until}
        statement = s.CLAIM_ALONE if alone else s.CLAIM_OF
        return _decoded(_MESSAGE, self._connection.scalar(statement, wanted))

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
        """Whether a message of the account is leased."""
        return self._connection.scalar(s.IN_FLIGHT, self._customer) is not None

    def forget(self, keep: Keep, now: Instant) -> int:
        """Remove some batches that need not be kept."""
        batch_ids = self._connection.scalars(s.forgettable(keep, now), self._customer).all()
        if batch_ids:
            carried = self._connection.scalar(s.cost_of(batch_ids), self._customer) or 0
            for statement in s.forget(batch_ids):
                self._connection.execute(statement, self._customer)
            balance = self._connection.scalar(s.BALANCE, self._customer) or 0
            self.add_entry(LedgerEntry(now, carried, balance, Reason.CARRIED))
        return len(batch_ids)

    def _note(self, deed: Deed) -> None:
        """Note a submission or an attempt, unless that was done before."""
        fields = dict(zip(_DEED, (self.account.customer_id, *deed), strict=True))
        statement = _INSERTS[self._connection.dialect.name](DEEDS).on_conflict_do_nothing()
        self._connection.execute(statement, fields)

    def _upsert(self, table: Table, fields: dict[str, Any], key: tuple[str, ...]) -> None:
        statement = _upsert(self._connection.dialect.name, table, tuple(fields), key)
        self._connection.execute(statement, fields)


@lru_cache(16)
def _upsert(dialect: str, table: Table, names: tuple[str, ...], key: tuple[str, ...]) -> Any:  # noqa: ANN401 - each dialect has a type of its own
    """Return the statement that inserts a row or replaces it, made once for each table."""
    statement = _INSERTS[dialect](table)
    changed = {name: statement.excluded[name] for name in names if name not in key}
    return statement.on_conflict_do_update(index_elements=key, set_=changed)


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes | None) -> T | None:
    return None if body is None else decoder.decode(body)


_ACCOUNT: Final = msgspec.json.Decoder(AccountState)
_EXCHANGE: Final = msgspec.json.Decoder(Exchange)
_UNUSABLE: Final = (StoreUnavailableError, StoreFullError, StoreConflictError, exc.DBAPIError)
_UNCLAIMABLE: Final = (exc.DBAPIError, msgspec.MsgspecError, UnicodeError)
"""What a message itself can cause; the store's own errors are none of them."""
_LOG = logging.getLogger("vimmerse_mock.stores")
_DATABASE_TIME: Final = text(
    "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
)


class SqlStore:
    """Accounts, batches, ledgers and outboxes in a database that many processes may share."""

    def __init__(self, readers: Engine, writers: Engine) -> None:
        self._readers, self._writers = readers, writers
        self._ahead = _database_ahead(readers)
        self._journal = JournalWriter(writers)

    @classmethod
    def open(cls, url: str) -> SqlStore:
        """Connect, and bring the schema up to date.

        Raises:
            StoreRefusedError: the database cannot be used; the sentence says why.
        """
        engine = open_engine(url)
        try:
            _bring_up_to_date(engine)
            return cls(*open_engines(url))
        except _UNUSABLE as error:
            raise StoreRefusedError(_refusal(engine.url, error)) from error
        finally:
            engine.dispose()

    def real_time(self) -> Instant:
        """Return the time of the database's machine, which all who share it agree on."""
        return wall_clock() + self._ahead

    def add(self, *snapshots: Snapshot) -> None:
        """Add accounts and everything of them."""
        try:
            with writing(self._writers) as connection:
                for snapshot in snapshots:
                    _add(connection, snapshot)
        except exc.IntegrityError:
            raise DuplicateAccountError("the customer id or the API key is taken") from None

    def remove_account(self, customer_id: str) -> None:
        """Close an account and forget everything of it."""
        with writing(self._writers) as connection:
            connection.execute(delete(ACCOUNTS).where(ACCOUNTS.c.customer_id == customer_id))

    def customers(self) -> tuple[str, ...]:
        """Return the ids of all accounts."""
        return tuple(self._all(s.CUSTOMERS))

    def account(self, customer_id: str) -> AccountState:
        """Return an account's state."""
        return _account(self._one(s.ACCOUNT_BY_ID, of_customer=customer_id), customer_id)

    def account_by_key(self, api_key: str) -> AccountState | None:
        """Return the account that a key belongs to."""
        return _decoded(_ACCOUNT, self._one(s.ACCOUNT_BY_KEY, api_key=api_key))

    def batch(self, customer_id: str, batch_id: str) -> Batch | None:
        """Return a batch of an account."""
        body = self._one(s.BATCH_BY_ID, of_customer=customer_id, batch_id=batch_id)
        return _decoded(_BATCH, body)

    def batches(self, customer_id: str) -> tuple[Batch, ...]:
        """Return an account's batches."""
        return tuple(map(_BATCH.decode, self._all(s.BATCHES_OF, of_customer=customer_id)))

    def journal(self, customer_id: str) -> tuple[Exchange, ...]:
        """Return the last exchanges; those of other processes come in a blink later."""
        self._journal.flush()
        return tuple(map(_EXCHANGE.decode, self._all(s.journal_of(customer_id or None))))

    def note(self, customer_id: str, exchange: LazyExchange, keep: int) -> None:
        """Add to a journal, soon."""
        self._journal.add(customer_id, exchange, keep)

    def ledger(self, customer_id: str) -> tuple[LedgerEntry, ...]:
        """Return an account's ledger."""
        with reading(self._readers) as connection:
            rows = connection.execute(s.LEDGER_OF, {"of_customer": customer_id}).all()
        return tuple(map(_entry, rows))

    def balance(self, customer_id: str) -> int:
        """Return an account's credits."""
        balance: int | None = self._one(s.BALANCE, of_customer=customer_id)
        return balance or 0

    def messages(self, customer_id: str) -> tuple[Message, ...]:
        """Return an account's messages."""
        return tuple(map(_MESSAGE.decode, self._all(s.MESSAGES_OF, of_customer=customer_id)))

    def message(self, customer_id: str, message_id: str) -> Message | None:
        """Return one message of an account."""
        body = self._one(s.MESSAGE_BY_ID, of_customer=customer_id, message_id=message_id)
        return _decoded(_MESSAGE, body)

    def upcoming(self, customer_id: str) -> tuple[Message, ...]:
        """Return the first pending message of each lane."""
        return tuple(map(_MESSAGE.decode, self._all(s.UPCOMING, of_customer=customer_id)))

    def next_transition(self, customer_id: str, now: Instant) -> Instant | None:
        """Return when a batch moves on next."""
        first: Instant | None = self._one(s.FIRST_MOVE, of_customer=customer_id, now=now)
        begun = self._all(s.MOVED, of_customer=customer_id, now=now, until=now)
        events = (event for body in begun for event in story.transitions(_BATCH.decode(body)))
        coming = [event.at for event in events if event.at > now]
        return min(coming if first is None else [*coming, first], default=None)

    def page(self, customer_id: str, kind: type[Row], after: str, most: int) -> Page[Row]:
        """Return some batches, messages or ledger entries."""
        wanted: dict[str, Any] = {"of_customer": customer_id}
        if kind is Batch:
            after, _, wanted["beyond_id"] = after.partition("/")
        (wanted["beyond"],) = read_cursor(after, 1) if after else (-1,)
        with reading(self._readers) as connection:
            rows = connection.execute(s.PAGES[kind].limit(most + 1), wanted).all()
        items: list[Any]
        if kind is LedgerEntry:
            items = [_entry(row[1:]) for row in rows[:most]]
        else:
            decode = _MESSAGE.decode if kind is Message else _BATCH.decode
            items = [decode(row[-1]) for row in rows[:most]]
        if len(rows) <= most:
            return Page(tuple(items), "")
        last = rows[most - 1]
        return Page(tuple(items), f"{last[0]}/{last[1]}" if kind is Batch else str(last[0]))

    def position(self, customer_id: str, at: Instant) -> Position:
        """Return how far an account's history goes now."""
        self._journal.flush()
        with reading(self._readers) as connection:
            return _position(connection, customer_id, at)

    def since(self, customer_id: str, position: Position, until: Instant) -> Recent:
        """Return what an account's history has beyond a position."""
        self._journal.flush()
        with reading(self._readers) as connection:
            reached = _position(connection, customer_id, until)

            def new(name: str, statement: Select[Any]) -> Sequence[Any]:
                """Return what is new by the serial numbers of a table."""
                span = {"beyond": getattr(position, name), "reached": getattr(reached, name)}
                return connection.execute(statement, {"of_customer": customer_id, **span}).all()

            body = connection.scalar(s.ACCOUNT_BY_ID, {"of_customer": customer_id})
            moved = {"of_customer": customer_id, "now": position.at, "until": until}
            bodies = [*new("deeds", s.DONE_TO_BATCHES), *connection.execute(s.MOVED, moved)]
            batches = {body: _BATCH.decode(body) for (body,) in bodies}
            tried = new("deeds", s.TRIED)
            exchanges = new("journal", s.JOURNAL_SINCE)
            deeds = frozenset(map(tuple, new("deeds", s.DEEDS_SINCE)))
            written = Snapshot(
                account=_account(body, customer_id),
                ledger=tuple(map(_entry, new("ledger", s.LEDGER_SINCE))),
                batches=tuple(batches.values()),
                messages=tuple(_MESSAGE.decode(body) for (body,) in dict.fromkeys(tried)),
                journal=tuple(_EXCHANGE.decode(body) for (body,) in exchanges),
            )
        return Recent(written, deeds, position, reached)

    @contextmanager
    def transaction(self, customer_id: str) -> Iterator[SqlTransaction]:
        """Lock an account."""
        with writing(self._writers) as connection:
            body = connection.scalar(s.ACCOUNT_LOCKED, {"of_customer": customer_id})
            yield SqlTransaction(connection, _account(body, customer_id))

    def claim(self, now: Instant, lease_until: Instant, busy: Busy = NOBODY) -> Message | None:
        """Lease what is due first; accounts that somebody else is at are skipped."""
        due = {"now": now, **_listed(busy)}
        while True:
            wanted: dict[str, Any] = {}
            try:
                with writing(self._writers) as connection:
                    customer_id = connection.scalar(s.CLAIMABLE, due)
                    if customer_id is None:
                        return None
                    wanted = {**due, "of_customer": customer_id, "lease": lease_until}
                    return _decoded(_MESSAGE, connection.scalar(s.CLAIM, wanted))
            except _UNCLAIMABLE as error:
                if not wanted:
                    raise
                self._set_aside(wanted, error)

    def _set_aside(self, wanted: dict[str, Any], error: Exception) -> None:
        """Give up a message that cannot be claimed, or it would hide all that come after it."""
        with writing(self._writers) as connection:
            message_id = connection.scalar(s.SET_ASIDE, wanted)
        if message_id is None:
            raise error
        _LOG.error("message %s cannot be claimed: it is set aside: %s", message_id, error)

    def next_due(self, busy: Busy = NOBODY) -> Instant | None:
        """Return when the dispatcher should look again."""
        now = self.real_time()
        due: Instant | None = self._one(s.NEXT_DUE, now=now, **_listed(busy))
        return due

    def close(self) -> None:
        """Write what is left of the journal, and close every connection."""
        self._journal.close()
        self._writers.dispose()
        self._readers.dispose()

    def _one(self, statement: Select[Any], **wanted: object) -> Any:  # noqa: ANN401 - a column's
        with reading(self._readers) as connection:
            return connection.scalar(statement, wanted)

    def _all(self, statement: Select[Any], **wanted: object) -> Sequence[Any]:
        with reading(self._readers) as connection:
            return connection.scalars(statement, wanted).all()


def _position(connection: Connection, customer_id: str, at: Instant) -> Position:
    serials = connection.execute(s.LAST_SERIALS, {"of_customer": customer_id}).one()
    return Position(at, *serials)


def _entry(row: Sequence[Any]) -> LedgerEntry:
    at, amount, balance, reason, batch_id, submission = row
    return LedgerEntry(at, amount, balance, Reason(reason), batch_id, submission)


def _add(connection: Connection, snapshot: Snapshot) -> None:
    account = snapshot.account
    row = {
        "customer_id": account.customer_id,
        "api_key": account.api_key,
        "balance": snapshot.balance,
        "body": msgspec.json.encode(account),
    }
    connection.execute(insert(ACCOUNTS), row)
    tx = SqlTransaction(connection, account)
    for entry in snapshot.ledger:
        tx.add_entry(entry)
    for batch in snapshot.batches:
        tx.save_batch(batch)
    for message in snapshot.messages:
        tx.save_message(message)
    for exchange in snapshot.journal:
        connection.execute(insert(JOURNAL), journal_row(account.customer_id, exchange))


def _bring_up_to_date(engine: Engine) -> None:
    """Migrate a database that is the mock's; another application's is not touched."""
    is_sqlite = engine.dialect.name == "sqlite"
    if is_sqlite:
        require_own(tables_in(engine.url))
        make_private(engine.url)
    with writing(engine) as connection:
        migrate(connection)
    if is_sqlite:
        with translated():
            write_ahead(engine)


def _listed(busy: Busy) -> dict[str, list[str]]:
    """List who is busy for `NOT IN`, which is quickest to prepare where it is never empty."""
    return {
        "busy_receivers": sorted(busy.receivers) or [""],
        "busy_customers": sorted(busy.customers) or [""],
    }


def _account(body: bytes | None, customer_id: str) -> AccountState:
    if body is None:
        raise UnknownAccountError(f"no account of customer {customer_id!r}")
    return _ACCOUNT.decode(body)


def _database_ahead(engine: Engine) -> Instant:
    """Measure how far the database's clock is ahead of this machine's; SQLite's is this one."""
    if engine.dialect.name == "sqlite":
        return 0
    with reading(engine) as connection:
        before = wall_clock()
        there: Instant = connection.scalar(_DATABASE_TIME)
        return there - (before + wall_clock()) // 2


def _refusal(url: URL, error: Exception) -> str:
    """Return in a line what is wrong with a database, without anything that could be a secret."""
    place = f"{url.host}:{url.port or 5432}/{url.database}" if url.host else str(url.database)
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return f"the store at {place} cannot be used: {str(cause).strip().splitlines()[0]}"
