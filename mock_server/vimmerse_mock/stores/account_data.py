"""Everything of one account in memory, found without looking at the rest of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import islice
from threading import Lock, RLock
from typing import Any

from vimmerse_mock.model import story, timeline
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.credits import LedgerEntry, Reason
from vimmerse_mock.model.exchange import JOURNAL_BYTES, LazyExchange
from vimmerse_mock.model.limits import Keep
from vimmerse_mock.model.outbox import Message, MessageKey, MessageState
from vimmerse_mock.model.snapshot import Deed, Position, Recent, Snapshot, read_cursor
from vimmerse_mock.stores import FORGOTTEN_AT_ONCE, NOBODY, Busy, Page, Row
from vimmerse_mock.stores.lanes import Lanes
from vimmerse_mock.stores.series import Series

Lease = tuple[Instant, str]
"""Until when a message is under way, and in which lane."""


def is_of(entry: LedgerEntry, batch_ids: AbstractSet[str]) -> bool:
    """Whether an entry goes when batches are forgotten: theirs, or what was carried before."""
    return entry.batch_id in batch_ids or entry.reason is Reason.CARRIED


class Journal:
    """The last exchanges of an account, bounded by their number and their size."""

    def __init__(self) -> None:
        self.noted = 0
        self._exchanges: deque[LazyExchange] = deque()
        self._size = 0
        self._lock = Lock()

    def add(self, exchange: LazyExchange, keep: int) -> None:
        """Add an exchange, and let go of the oldest beyond the bounds."""
        with self._lock:
            self.noted += 1
            self._exchanges.append(exchange)
            self._size += exchange.size
            while len(self._exchanges) > keep or self._size > JOURNAL_BYTES:
                self._size -= self._exchanges.popleft().size

    def since(self, noted: int) -> tuple[list[LazyExchange], int]:
        """Return what came after so many, as far as it is kept, and how many there were."""
        with self._lock:
            unread = len(self._exchanges) - (self.noted - noted)
            return list(islice(self._exchanges, max(0, unread), None)), self.noted


@dataclass(slots=True)
class AccountData:
    """Everything of one account; whoever writes holds `lock`.

    What is written has a `serial` number, by which it is found in its series. `instants` has each
    batch at every instant at which it moves on. `wake_at` is when the store looks here next.
    """

    account: AccountState
    lock: RLock = field(default_factory=RLock)
    serial: int = 0
    batches: dict[str, Batch] = field(default_factory=dict)
    created: Series[str] = field(default_factory=Series)
    instants: Series[str] = field(default_factory=Series)
    ledger: Series[LedgerEntry] = field(default_factory=Series)
    messages: dict[MessageKey, Message] = field(default_factory=dict)
    planned: Series[MessageKey] = field(default_factory=Series)
    keys: dict[str, MessageKey] = field(default_factory=dict)
    deeds: Series[Deed] = field(default_factory=Series)
    leases: dict[MessageKey, Lease] = field(default_factory=dict)
    lanes: Lanes = field(init=False)
    journal: Journal = field(default_factory=Journal)
    wake_at: Instant | None = None

    def __post_init__(self) -> None:
        self.lanes = Lanes(self._is_current)

    @property
    def balance(self) -> int:
        """The credits left."""
        return self.ledger.items[-1].balance if self.ledger.items else 0

    def next_serial(self) -> int:
        """Return the number of what is written next."""
        self.serial += 1
        return self.serial

    def keep(self, batch: Batch) -> None:
        """Keep a batch, find it at the instants of a submission that is new, and note that."""
        before = self.batches.get(batch.id)
        self.batches[batch.id] = batch
        if before is None:
            self.created.add(self.next_serial(), batch.id)
        elif before.submissions != batch.submissions:
            self.deeds.add(self.next_serial(), (batch.id, batch.submission.number, 0, 0))
        else:
            return
        for at in timeline.plan(batch.submission, len(batch.medias)).instants:
            self.instants.add(at, batch.id)

    def note_attempts(self, key: MessageKey, before: Message | None) -> None:
        """Note what a transaction changed of a message, which was otherwise before."""
        message = self.messages[key]
        if before is None:
            self.planned.add(self.next_serial(), key)
            self.keys[message.id] = key
        known = 0 if before is None else len(before.attempts)
        for number in range(known, len(message.attempts)):
            self.deeds.add(self.next_serial(), (*key, number + 1))
        if message.state is not MessageState.PENDING:
            self.lanes.forget(key)

    def put(self, message: Message) -> None:
        """Keep a message, end its lease, and plan it if it is pending."""
        self.messages[message.key] = message
        self.release(message.key)
        if message.state is MessageState.PENDING:
            self.lanes.add(message, message.key)

    def lease(self, message: Message, until: Instant) -> None:
        """Keep a message from every claim until a real instant, or until it is put again."""
        self.release(message.key)
        self.leases[message.key] = (until, message.lane)
        self.lanes.occupy(message)

    def restore(self, key: MessageKey, message: Message | None, lease: Lease | None) -> None:
        """Put a message back as it was."""
        if message is None:
            self.release(key)
            del self.messages[key]
            self.lanes.forget(key)
        else:
            self.put(message)
            if lease is not None:
                self.lease(message, lease[0])

    def release(self, key: MessageKey) -> None:
        """End the lease of a message, if it has one."""
        lease = self.leases.pop(key, None)
        if lease is not None:
            self.lanes.release(lease[1])

    def first(self, busy: Busy = NOBODY) -> Message | None:
        """Return the pending message that comes next, for whom is not busy."""
        if self.account.customer_id in busy.customers:
            return None
        key = self.lanes.first(busy.receivers)
        return None if key is None else self.messages[key]

    def upcoming(self) -> tuple[Message, ...]:
        """Return the first message of each lane, and those under way."""
        keys = [*self.lanes.heads(), *self.leases]
        found = (self.messages[key] for key in keys)
        return tuple(each for each in found if each.state is MessageState.PENDING)

    def _is_current(self, due_at: Instant, key: MessageKey, lane: str) -> bool:
        message = self.messages.get(key)
        if message is None or key in self.leases or message.state is not MessageState.PENDING:
            return False
        return message.due_at == due_at and message.lane == lane

    def messages_of(self, batch_id: str, submission: int) -> list[Message]:
        """Return the messages of a submission, which are numbered from 1 on."""
        found: list[Message] = []
        while message := self.messages.get((batch_id, submission, len(found) + 1)):
            found.append(message)
        return found

    def position(self, at: Instant) -> Position:
        """Return how far the history goes now."""
        return Position(at, self.serial, self.serial, self.journal.noted)

    def since(self, since: Position, until: Instant) -> Recent:
        """Return what was written after a position, and what moved on since."""
        done = self.deeds.after(since.deeds)
        begun = self.created.after(since.deeds)
        moved = self.instants.after(since.at, until)
        batch_ids = dict.fromkeys([*begun, *(deed[0] for deed in done), *moved])
        tried = dict.fromkeys(deed[:3] for deed in done if deed[3])
        exchanges, noted = self.journal.since(since.journal)
        written = Snapshot(
            self.account,
            tuple(self.ledger.after(since.ledger)),
            tuple(self.batches[each] for each in batch_ids if each in self.batches),
            tuple(self.messages[each] for each in tried if each in self.messages),
            tuple(exchange.read() for exchange in exchanges),
        )
        deeds = frozenset([*done, *((each, 1, 0, 0) for each in begun)])
        return Recent(written, deeds, since, replace(self.position(until), journal=noted))

    def page(self, kind: type[Row], after: str, most: int) -> Page[Row]:
        """Return some batches, messages or ledger entries."""
        (number,) = read_cursor(after, 1) if after else (0,)
        items: list[Any]
        if kind is LedgerEntry:
            items, last = self.ledger.page(number, most)
        elif kind is Message:
            keys, last = self.planned.page(number, most)
            items = [self.messages[key] for key in keys]
        else:
            batch_ids, last = self.created.page(number, most)
            items = [self.batches[batch_id] for batch_id in batch_ids]
        return Page(tuple(items), "" if last is None else str(last))

    def next_transition(self, now: Instant) -> Instant | None:
        """Return when a batch moves on next; what is superseded does not."""
        for at, batch_id in self.instants.beyond(now):
            batch = self.batches.get(batch_id)
            if batch and any(event.at == at for event in story.transitions(batch)):
                return at
        return None

    def ends(self, now: Instant) -> dict[str, Instant]:
        """Return when each batch ends that has not ended."""
        unended = {each: timeline.ends_at(self.batches[each]) for each in self.instants.after(now)}
        return {each: end for each, end in unended.items() if end > now}

    def forgettable(self, keep: Keep, now: Instant) -> list[str]:
        """Return which batches need not be kept, oldest first."""
        before, old = now, iter(self.created.items)
        if keep.count is not None:
            old = islice(old, max(0, len(self.batches) - keep.count))
        if keep.age is not None:
            before = now - keep.age - 1
            old = iter(dict.fromkeys(self.instants.after(-1, before)))
        ended = (each for each in old if timeline.ends_at(self.batches[each]) <= before)
        return list(islice((each for each in ended if not self._is_busy(each)), FORGOTTEN_AT_ONCE))

    def _is_busy(self, batch_id: str) -> bool:
        """Whether a webhook of a batch is still to come."""
        return any(
            message.state is MessageState.PENDING
            for submission in self.batches[batch_id].submissions
            for message in self.messages_of(batch_id, submission.number)
        )

    def remove(self, batch_ids: AbstractSet[str]) -> None:
        """Take batches out of an account, with their messages and ledger entries."""
        if not batch_ids:
            return
        for batch_id in batch_ids:
            for submission in self.batches[batch_id].submissions:
                for message in self.messages_of(batch_id, submission.number):
                    self.release(message.key)
                    self.lanes.forget(message.key)
                    del self.messages[message.key]
                    self.keys.pop(message.id, None)
            del self.batches[batch_id]
        self.created.keep(lambda each: each not in batch_ids)
        self.instants.keep(lambda each: each not in batch_ids)
        self.planned.keep(lambda each: each[0] not in batch_ids)
        self.deeds.keep(lambda each: each[0] not in batch_ids)
        self.ledger.keep(lambda entry: not is_of(entry, batch_ids))

    def end_leases(self, now: Instant) -> None:
        """Plan again what was leased to a claimer that never came back."""
        for key in [key for key, (until, _) in self.leases.items() if until <= now]:
            self.put(self.messages[key])
