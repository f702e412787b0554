"""What a store holds, read whole, and everything that would be wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate, pairwise

from sqlalchemy import select

from lasting.callers import Promise
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.credits import LedgerEntry
from vimmerse_mock.model.outbox import Message, MessageState
from vimmerse_mock.model.timeline import plan
from vimmerse_mock.stores import Store, open_store
from vimmerse_mock.stores.sql.engine import open_engine, reading
from vimmerse_mock.stores.sql.schema import BATCHES

Key = tuple[str, int]
"""A submission: its batch, and its number."""


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that a store holds of one account."""

    account: AccountState
    balance: int
    ledger: tuple[LedgerEntry, ...]
    batches: Mapping[str, Batch]
    messages: tuple[Message, ...]

    @property
    def submissions(self) -> set[Key]:
        """Every submission there is."""
        return {(b.id, s.number) for b in self.batches.values() for s in b.submissions}


def read_books(url: str) -> tuple[Books, ...]:
    """Read what the store at a URL holds, account by account."""
    with closing(open_store(url)) as store:
        return tuple(
            _books_of(store, customer_id, ids) for customer_id, ids in _batch_ids(url).items()
        )


def _batch_ids(url: str) -> dict[str, list[str]]:
    """List the ids of all batches by customer, which no store lists."""
    engine = open_engine(url)
    with reading(engine) as connection:
        rows = connection.execute(select(BATCHES.c.customer_id, BATCHES.c.batch_id)).all()
    engine.dispose()
    ids: dict[str, list[str]] = {}
    for customer_id, batch_id in rows:
        ids.setdefault(customer_id, []).append(batch_id)
    return ids


def _books_of(store: Store, customer_id: str, batch_ids: Sequence[str]) -> Books:
    found = {batch_id: store.batch(customer_id, batch_id) for batch_id in batch_ids}
    return Books(
        account=store.account(customer_id),
        balance=store.balance(customer_id),
        ledger=store.ledger(customer_id),
        batches={batch_id: batch for batch_id, batch in found.items() if batch is not None},
        messages=store.messages(customer_id),
    )


def money_problems(books: Books) -> Iterator[str]:
    """Return what is wrong with the credits: sums, and charges without their submission."""
    who = f"customer {books.account.customer_id}"
    total = sum(entry.amount for entry in books.ledger)
    if total != books.balance:
        yield f"{who}: the balance is {books.balance}, the ledger sums up to {total}"
    for entry, running in zip(
        books.ledger, accumulate(entry.amount for entry in books.ledger), strict=True
    ):
        if entry.balance != running:
            yield f"{who}: {entry} should stand at {running}"
    if books.account.batches != len(books.batches):
        yield f"{who}: counted {books.account.batches} batches, there are {len(books.batches)}"
    yield from _pairing_problems(books)


def _pairing_problems(books: Books) -> Iterator[str]:
    """Return which charges have no submission, and which submissions not exactly one charge."""
    charges = Counter((e.batch_id, e.submission) for e in books.ledger if e.batch_id)
    for batch_id, number in sorted(charges.keys() - books.submissions):
        yield f"batch {batch_id}: submission {number} was charged for, and is not there"
    for batch_id, number in sorted(books.submissions):
        if charges[batch_id, number] != 1:
            times = charges[batch_id, number]
            yield f"batch {batch_id}: submission {number} was charged for {times} times"


def promise_problems(promises: Sequence[Promise], books: Sequence[Books]) -> Iterator[str]:
    """Return which acknowledged work is not there."""
    batches = {batch_id: batch for book in books for batch_id, batch in book.batches.items()}
    for promise in promises:
        batch = batches.get(promise.batch_id)
        if batch is None:
            yield f"batch {promise.batch_id} was acknowledged, and is not there"
            continue
        if batch.title not in promise.titles:
            yield f"batch {batch.id}: its title is {batch.title!r}, not of {promise.titles}"
        surplus = len(batch.submissions) - promise.submissions
        if not 0 <= surplus <= promise.doubtful:
            yield (
                f"batch {batch.id}: {len(batch.submissions)} submissions, acknowledged were "
                f"{promise.submissions}, and {promise.doubtful} in doubt"
            )


def webhook_problems(books: Books, received: Sequence[object]) -> Iterator[str]:
    """Return what is wrong with the webhooks, once everything has ended.

    One message for each submission, delivered unless it was superseded; the receiver, who drops
    what it has seen already, holds one of each that was sent.
    """
    planned = {(message.batch_id, message.submission): message for message in books.messages}
    expected = dict(_expected_states(books))
    for key in sorted(expected.keys() | planned.keys()):
        yield from _message_problems(key, planned.get(key), expected.get(key))
    yield from _receiver_problems(books, received)


def _expected_states(books: Books) -> Iterator[tuple[Key, MessageState]]:
    for batch in books.batches.values():
        if batch.webhook_url is None:
            continue
        yield (batch.id, batch.submission.number), MessageState.DELIVERED
        for before, after in pairwise(batch.submissions):
            superseded = after.at < plan(before, len(batch.medias)).halts_at
            state = MessageState.WITHDRAWN if superseded else MessageState.DELIVERED
            yield (batch.id, before.number), state


def _message_problems(
    key: Key, message: Message | None, expected: MessageState | None
) -> Iterator[str]:
    what = f"batch {key[0]}, submission {key[1]}"
    if message is None:
        yield f"{what}: no webhook was planned"
    elif expected is None:
        yield f"{what}: a webhook was planned, and there is no such submission"
    elif message.state is not expected:
        yield f"{what}: the webhook should be {expected}, it is {message.state}: {message}"
    elif expected is MessageState.WITHDRAWN and message.attempts:
        yield f"{what}: it was superseded, and its webhook was sent all the same: {message}"
    elif expected is MessageState.DELIVERED and not message.attempts[-1].succeeded:
        yield f"{what}: the webhook counts as delivered, and no attempt succeeded: {message}"


def _receiver_problems(books: Books, received: Sequence[object]) -> Iterator[str]:
    ours = [body for body in received if _customer_of(body) == books.account.customer_id]
    sent = {
        tuple(message.body.items())
        for message in books.messages
        if message.state is MessageState.DELIVERED
    }
    heard = {tuple(body.items()) for body in ours if isinstance(body, dict)}
    for body in sorted(sent - heard):
        yield f"{dict(body)} counts as delivered, and was not received"
    for body in sorted(heard - sent):
        yield f"{dict(body)} was received, and no submission that ended has it"
    arrivals = Counter(str(body["batch_id"]) for body in ours if isinstance(body, dict))
    for batch_id, times in _deliveries(books).items():
        if arrivals[batch_id] < times:
            yield f"batch {batch_id}: {times} deliveries, {arrivals[batch_id]} arrivals"


def _deliveries(books: Books) -> Counter[str]:
    delivered = [m for m in books.messages if m.state is MessageState.DELIVERED]
    return Counter(message.batch_id for message in delivered)


def _customer_of(body: object) -> object:
    return body.get("customer_id") if isinstance(body, dict) else None
