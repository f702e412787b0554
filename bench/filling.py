"""Batches in great numbers, put into a store faster than requests could.

What the service made of two requests is varied: identifiers, instants, the image's name. A store in
memory takes it through its transactions, a database as rows, in bulk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from random import Random
from time import perf_counter
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, Table, event, insert, text, update

from bench.figures import BenchError
from vimmerse_contracts import CreateBatchSchema
from vimmerse_mock.app import create_mock
from vimmerse_mock.model.account import SAMPLE_ACCOUNT, AccountState, random_uuid
from vimmerse_mock.model.batch import Batch, Image
from vimmerse_mock.model.clock import SECOND, Instant, Span
from vimmerse_mock.model.credits import LedgerEntry, Reason
from vimmerse_mock.model.outbox import Attempt, Message
from vimmerse_mock.model.timeline import plan
from vimmerse_mock.stores import Store, Transaction
from vimmerse_mock.stores.sql.engine import open_engine
from vimmerse_mock.stores.sql.schema import ACCOUNTS, BATCHES, LEDGER, MESSAGES

SAMPLE: Final = 10_000
"""How many identifiers are remembered, to be read later."""
_CHUNK: Final = 10_000
_WEBHOOK: Final = "https://receiver.example/hook"
_FAST: Final = ("PRAGMA synchronous=OFF", "PRAGMA cache_size=-1000000")
"""What makes SQLite fast while it is filled; it lasts as long as the connection."""

Report = Callable[[int], None]
"""Is told how many batches there are."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """How many batches, when each was created, and which have a webhook that is not through.

    Batch `n` is created `n * spacing` after `first`; of those, one in `webhook_every` has a
    webhook. One in `pending_every` is pending, its message due `wait` after the batch's end; every
    other webhook was delivered at the first attempt.
    """

    batches: int
    first: Instant
    spacing: Span
    webhook_every: int
    pending_every: int
    wait: Span = 0


@dataclass(frozen=True, slots=True)
class Filled:
    """What was put in: how long it took, and some of the identifiers, in random order."""

    seconds: float
    sample: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Made:
    batch: Batch
    price: int
    message: Message | None


def a_busy_month(batches: int, now: Instant) -> Pattern:
    """Describe what a shared mock has been asked up to now; nothing falls due for a day."""
    day = 86_400 * SECOND
    spacing = 30 * day // batches
    return Pattern(batches, now - batches * spacing, spacing, 4, 40, wait=31 * day)


def fill_memory(store: Store, account: AccountState, pattern: Pattern) -> Filled:
    """Fill through the store's own transactions."""
    started = perf_counter()
    made = _make(account, pattern)
    sample: list[str] = []
    while chunk := list(islice(made, _CHUNK)):
        with store.transaction(account.customer_id) as tx:
            for one in chunk:
                _put(tx, one)
            tx.save_account(replace(tx.account, batches=tx.account.batches + len(chunk)))
        sample += _some(chunk, pattern)
    return _filled(started, sample)


def fill_database(url: str, account: AccountState, pattern: Pattern, report: Report) -> Filled:
    """Fill with rows of the real tables; the books balance after every chunk."""
    started = perf_counter()
    engine = open_engine(url)
    event.listen(engine, "connect", _hurry)
    made, number = _make(account, pattern), account.batches
    sample: list[str] = []
    try:
        while chunk := list(islice(made, _CHUNK)):
            number += len(chunk)
            with engine.begin() as connection:
                _insert_chunk(connection, replace(account, batches=number), chunk)
            sample += _some(chunk, pattern)
            report(number)
        _settle(engine)
    finally:
        engine.dispose()
    return _filled(started, sample)


def require_filled(store: Store, account: AccountState, filled: Filled) -> None:
    """Look, through the store, whether what was put in is what the mock would have put in.

    Raises:
        BenchError: a batch is not there, or the books do not balance.
    """
    missing = [one for one in filled.sample[:100] if store.batch(account.customer_id, one) is None]
    if missing or not filled.sample:
        raise BenchError(f"the store was filled, but has no batch {missing[:1]}")
    if store.ledger(account.customer_id)[-1].balance != store.balance(account.customer_id):
        raise BenchError("the store was filled, but its books do not balance")


def _make(account: AccountState, pattern: Pattern) -> Iterator[_Made]:
    random = Random(f"{account.seed}/filling")  # noqa: S311 - identifiers of a fake, meant to repeat
    plain, reporting = _template({}), _template({"webhook_url": _WEBHOOK})
    for number in range(pattern.batches):
        template = plain if number % pattern.webhook_every else reporting
        yield _varied(template, account.customer_id, pattern, number, random)


def _template(form: Mapping[str, str]) -> _Made:
    """Create a batch of one image by the service."""
    mock = create_mock()
    account = mock.open_account("", SAMPLE_ACCOUNT)
    loaded = CreateBatchSchema().load({"image_urls": ["https://example.com/0.png"], **form})
    view = mock.service.create(account.customer_id, loaded, [Image("https://example.com/0.png")])
    messages = mock.courier.store.messages(account.customer_id)
    return _Made(view.batch, -account.ledger[-1].amount, next(iter(messages), None))


def _varied(
    template: _Made, customer_id: str, pattern: Pattern, number: int, random: Random
) -> _Made:
    at = pattern.first + number * pattern.spacing
    image = Image(f"https://example.com/{number}.png")
    batch = replace(
        template.batch,
        id=random_uuid(random),
        customer_id=customer_id,
        created_at=at,
        touched_at=at,
        medias=(replace(template.batch.medias[0], id=random_uuid(random), image=image),),
        submissions=(replace(template.batch.submission, at=at),),
    )
    message = template.message and _message(template.message, batch, pattern, number)
    return _Made(batch, template.price, message)


def _message(template: Message, batch: Batch, pattern: Pattern, number: int) -> Message:
    due_at = _ends_at(batch)
    message = replace(
        template,
        id=f"msg_{number:024x}",
        customer_id=batch.customer_id,
        batch_id=batch.id,
        due_at=due_at,
    )
    if number % pattern.pending_every == 0:
        return replace(message, due_at=due_at + pattern.wait)
    return message.after(Attempt(due_at, 200, "", 1000))


def _ends_at(batch: Batch) -> Instant:
    return plan(batch.submission, len(batch.medias)).halts_at


def _put(tx: Transaction, made: _Made) -> None:
    batch = made.batch
    tx.book(-made.price, Reason.CREATE, batch.created_at, batch.id, batch.submission.number)
    tx.save_batch(batch)
    if made.message is not None:
        tx.save_message(made.message)


def _some(chunk: Sequence[_Made], pattern: Pattern) -> list[str]:
    step = max(1, pattern.batches // SAMPLE)
    return [made.batch.id for made in chunk[::step]]


def _filled(started: float, sample: list[str]) -> Filled:
    seconds = perf_counter() - started
    # By identifier is as good as by chance: they are random.
    return Filled(seconds, tuple(sorted(sample[:SAMPLE], key=lambda one: one[::-1])))


def _insert_chunk(connection: Connection, account: AccountState, chunk: Sequence[_Made]) -> None:
    spent = sum(made.price for made in chunk)
    of_account = ACCOUNTS.c.customer_id == account.customer_id
    change = update(ACCOUNTS).where(of_account).returning(ACCOUNTS.c.balance)
    fields = {"balance": ACCOUNTS.c.balance - spent, "body": msgspec.json.encode(account)}
    left = connection.scalars(change.values(fields)).one()
    _insert(connection, BATCHES, [_batch_row(made.batch) for made in chunk])
    _insert(connection, LEDGER, list(_ledger_rows(chunk, left + spent)))
    messages = [made.message for made in chunk if made.message is not None]
    _insert(connection, MESSAGES, [_message_row(message, account) for message in messages])


def _batch_row(batch: Batch) -> dict[str, Any]:
    return {
        "customer_id": batch.customer_id,
        "batch_id": batch.id,
        "created_at": batch.created_at,
        "ends_at": _ends_at(batch),
        "body": msgspec.json.encode(batch),
    }


def _ledger_rows(chunk: Sequence[_Made], balance: int) -> Iterator[dict[str, Any]]:
    for made in chunk:
        balance -= made.price
        batch = made.batch
        entry = LedgerEntry(batch.created_at, -made.price, balance, Reason.CREATE, batch.id, 1)
        yield {"customer_id": batch.customer_id, **msgspec.to_builtins(entry)}


def _message_row(message: Message, account: AccountState) -> dict[str, Any]:
    pending = message.state.value == "pending"
    return {
        "customer_id": message.customer_id,
        "batch_id": message.batch_id,
        "submission": message.submission,
        "number": message.number,
        "receiver": message.receiver,
        "lane": message.lane,
        "state": message.state.value,
        "due_at": message.due_at,
        "real_due": account.clock.real_at(message.due_at) if pending else None,
        "lease_until": None,
        "body": msgspec.json.encode(message),
    }


def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
    else:
        connection.execute(insert(table), rows)


def _copy(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Use PostgreSQL's COPY, which an executemany does not come near."""
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {table.name} ({', '.join(rows[0])}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(tuple(row.values()))


def _hurry(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
    if hasattr(connection, "enable_load_extension"):  # SQLite's
        for pragma in _FAST:
            connection.execute(pragma)


def _settle(engine: Engine) -> None:
    """Do at once what autovacuum does within minutes; SQLite has no such thing."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
            connection.execute(text("CHECKPOINT"))
