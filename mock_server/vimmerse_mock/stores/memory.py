"""The store in memory: no file, no waiting, gone with the process."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from threading import Lock, RLock
from typing import Any, Final

from vimmerse_mock.errors import DuplicateAccountError, InsufficientCreditError, UnknownAccountError
from vimmerse_mock.model import story, timeline
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.clock import Instant, wall_clock
from vimmerse_mock.model.credits import LedgerEntry, Reason
from vimmerse_mock.model.exchange import JOURNAL_BYTES, Exchange, LazyExchange
from vimmerse_mock.model.limits import Keep
from vimmerse_mock.model.outbox import Message, MessageKey, MessageState
from vimmerse_mock.model.snapshot import Deed, Position, Recent, Snapshot, read_cursor
from vimmerse_mock.stores import FORGOTTEN_AT_ONCE, NOBODY, UNAUTHENTICATED, Busy, Page, Row
from vimmerse_mock.stores.lanes import Lanes
from vimmerse_mock.stores.series import Series

_AT_ONCE: Final[Instant] = 0
"""Earlier than any instant of real time."""


_Lease = tuple[Instant, str]
"""Until when a message is under way, and in which lane."""


def _is_of(entry: LedgerEntry, batch_ids: AbstractSet[str]) -> bool:
    return entry.batch_id in batch_ids or entry.reason is Reason.CARRIED


class _Journal:
    """The last exchanges of an account, bounded by their number and their size."""

    def __init__(self) -> None:
        self.noted = 0
        self._exchanges: deque[LazyExchange] = deque()
        self._size = 0
        self._lock = Lock()

    def add(self, exchange: LazyExchange, keep: int) -> None:
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
class _AccountData:
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
    leases: dict[MessageKey, _Lease] = field(default_factory=dict)
    lanes: Lanes = field(init=False)
    journal: _Journal = field(default_factory=_Journal)
    wake_at: Instant | None = None

    def __post_init__(self) -> None:
        self.lanes = Lanes(self._is_current)

    @property
    def balance(self) -> int:
        return self.ledger.items[-1].balance if self.ledger.items else 0

    def next_serial(self) -> int:
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
        self.release(message.key)
        self.leases[message.key] = (until, message.lane)
        self.lanes.occupy(message)

    def restore(self, key: MessageKey, message: Message | None, lease: _Lease | None) -> None:
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
        self.ledger.keep(lambda entry: not _is_of(entry, batch_ids))

    def end_leases(self, now: Instant) -> None:
        """Plan again what was leased to a claimer that never came back."""
        for key in [key for key, (until, _) in self.leases.items() if until <= now]:
            self.put(self.messages[key])


class _MemoryTransaction:
    """Stages what is written, and puts it into the account at the end.

    Messages go there at once, since the next due one depends on them; `rollback` takes them back.
    """

    def __init__(self, data: _AccountData) -> None:
        self._data = data
        self.account = data.account
        self._batches: dict[str, Batch] = {}
        self._entries: list[LedgerEntry] = []
        self._before: dict[MessageKey, tuple[Message | None, _Lease | None]] = {}
        self._forgotten: set[str] = set()

    def save_account(self, account: AccountState) -> None:
        self.account = account

    def book(
        self, amount: int, reason: Reason, at: Instant, batch_id: str = "", submission: int = 0
    ) -> LedgerEntry:
        before = self._entries[-1].balance if self._entries else self._data.balance
        if before + amount < 0:
            raise InsufficientCreditError(-amount, before)
        entry = LedgerEntry(at, amount, before + amount, reason, batch_id, submission)
        self._entries.append(entry)
        return entry

    def batch(self, batch_id: str) -> Batch | None:
        return self._batches.get(batch_id) or self._data.batches.get(batch_id)

    def save_batch(self, batch: Batch) -> None:
        self._batches[batch.id] = batch

    def processing(self, now: Instant, but: str) -> tuple[Instant, ...]:
        staged = {batch.id: timeline.ends_at(batch) for batch in self._batches.values()}
        ends = {**self._data.ends(now), **staged}
        return tuple(end for each, end in ends.items() if each != but and end > now)

    def message(self, batch_id: str, submission: int, number: int = 1) -> Message | None:
        return self._data.messages.get((batch_id, submission, number))

    def messages(self, batch_id: str, submission: int) -> tuple[Message, ...]:
        return tuple(self._data.messages_of(batch_id, submission))

    def save_message(self, message: Message) -> None:
        self._remember(message.key)
        self._data.put(message)

    def claim(self, until: Instant, lease_until: Instant, *, alone: bool) -> Message | None:
        first = None if alone and self.in_flight() else self._data.first()
        if first is None or first.due_at > until:
            return None
        self.lease(first, lease_until)
        return first

    def lease(self, message: Message, until: Instant) -> None:
        self._remember(message.key)
        self._data.lease(message, until)

    def _remember(self, key: MessageKey) -> None:
        self._before.setdefault(key, (self._data.messages.get(key), self._data.leases.get(key)))

    def in_flight(self) -> bool:
        return bool(self._data.leases)

    def forget(self, keep: Keep, now: Instant) -> int:
        self._forgotten = set(self._data.forgettable(keep, now))
        if self._forgotten:
            gone = sum(e.amount for e in self._data.ledger.items if _is_of(e, self._forgotten))
            self._entries.append(LedgerEntry(now, gone, self._data.balance, Reason.CARRIED))
        return len(self._forgotten)

    def commit(self) -> None:
        data = self._data
        data.remove(self._forgotten)
        data.account = self.account
        for batch in self._batches.values():
            data.keep(batch)
        for entry in self._entries:
            data.ledger.add(data.next_serial(), entry)
        for key, (before, _) in self._before.items():
            data.note_attempts(key, before)

    def rollback(self) -> None:
        for key, (message, lease) in self._before.items():
            self._data.restore(key, message, lease)


class MemoryStore:
    """The `Store` of one process."""

    def __init__(self) -> None:
        self._accounts: dict[str, _AccountData] = {}
        self._by_key: dict[str, _AccountData] = {}
        self._lock = Lock()
        self._wakes: list[tuple[Instant, str]] = []
        self._put_aside: dict[str, set[str]] = {}
        self._unauthenticated = _Journal()

    def real_time(self) -> Instant:
        """Return real time."""
        return wall_clock()

    def add(self, snapshot: Snapshot) -> None:
        """Add an account and everything of it."""
        account = snapshot.account
        data = _AccountData(account)
        for exchange in snapshot.journal:
            data.journal.add(LazyExchange(exchange), len(snapshot.journal))
        for batch in snapshot.batches:
            data.keep(batch)
        for entry in snapshot.ledger:
            data.ledger.add(data.next_serial(), entry)
        for message in snapshot.messages:
            data.put(message)
            data.note_attempts(message.key, None)
        with self._lock:
            if account.customer_id in self._accounts:
                raise DuplicateAccountError(f"customer {account.customer_id!r} already exists")
            if account.api_key in self._by_key:
                raise DuplicateAccountError("another account already has this API key")
            self._accounts[account.customer_id] = data
            self._by_key[account.api_key] = data
        self._schedule(data)

    def remove_account(self, customer_id: str) -> None:
        """Close an account and forget everything of it."""
        with self._lock:
            data = self._accounts.pop(customer_id, None)
            if data is not None:
                del self._by_key[data.account.api_key]

    def customers(self) -> tuple[str, ...]:
        """Return the ids of all accounts."""
        return tuple(self._accounts)

    def account(self, customer_id: str) -> AccountState:
        """Return an account's state."""
        return self._data(customer_id).account

    def account_by_key(self, api_key: str) -> AccountState | None:
        """Return the account that a key belongs to."""
        data = self._by_key.get(api_key)
        return data.account if data else None

    def batch(self, customer_id: str, batch_id: str) -> Batch | None:
        """Return a batch of an account."""
        data = self._accounts.get(customer_id)
        return data.batches.get(batch_id) if data else None

    def batches(self, customer_id: str) -> tuple[Batch, ...]:
        """Return an account's batches."""
        data = self._data(customer_id)
        with data.lock:
            return tuple(data.batches.values())

    def journal(self, customer_id: str) -> tuple[Exchange, ...]:
        """Return the last exchanges."""
        is_foreign = customer_id == UNAUTHENTICATED
        journal = self._unauthenticated if is_foreign else self._data(customer_id).journal
        return tuple(exchange.read() for exchange in journal.since(0)[0])

    def note(self, customer_id: str, exchange: LazyExchange, keep: int) -> None:
        """Add to a journal."""
        if customer_id == UNAUTHENTICATED:
            self._unauthenticated.add(exchange, keep)
        elif data := self._accounts.get(customer_id):
            data.journal.add(exchange, keep)

    def ledger(self, customer_id: str) -> tuple[LedgerEntry, ...]:
        """Return an account's ledger."""
        return tuple(self._data(customer_id).ledger.items)

    def balance(self, customer_id: str) -> int:
        """Return an account's credits."""
        return self._data(customer_id).balance

    def messages(self, customer_id: str) -> tuple[Message, ...]:
        """Return an account's messages."""
        data = self._data(customer_id)
        with data.lock:
            return tuple(data.messages.values())

    def message(self, customer_id: str, message_id: str) -> Message | None:
        """Return one message of an account."""
        data = self._data(customer_id)
        with data.lock:
            key = data.keys.get(message_id)
            return None if key is None else data.messages[key]

    def upcoming(self, customer_id: str) -> tuple[Message, ...]:
        """Return the first pending message of each lane."""
        data = self._data(customer_id)
        with data.lock:
            return data.upcoming()

    def next_transition(self, customer_id: str, now: Instant) -> Instant | None:
        """Return when a batch moves on next."""
        data = self._data(customer_id)
        with data.lock:
            return data.next_transition(now)

    def page(self, customer_id: str, kind: type[Row], after: str, most: int) -> Page[Row]:
        """Return some batches, messages or ledger entries."""
        data = self._data(customer_id)
        with data.lock:
            return data.page(kind, after, most)

    def position(self, customer_id: str, at: Instant) -> Position:
        """Return how far an account's history goes now."""
        return self._data(customer_id).position(at)

    def since(self, customer_id: str, position: Position, until: Instant) -> Recent:
        """Return what an account's history has beyond a position."""
        data = self._data(customer_id)
        with data.lock:
            return data.since(position, until)

    @contextmanager
    def transaction(self, customer_id: str) -> Iterator[_MemoryTransaction]:
        """Lock an account."""
        data = self._data(customer_id)
        with data.lock:
            transaction = _MemoryTransaction(data)
            try:
                yield transaction
            except BaseException:
                transaction.rollback()
                raise
            transaction.commit()
            self._schedule(data)

    def claim(self, now: Instant, lease_until: Instant, busy: Busy = NOBODY) -> Message | None:
        """Lease the first message that is due."""
        self._wake_for(busy)
        while data := self._pop_wake(now):
            with data.lock:
                data.wake_at = None
                data.end_leases(now)
                first = data.first(busy)
                is_due = first is not None and first.due_at <= data.account.clock.at(now)
                if first is not None and is_due:
                    data.lease(first, lease_until)
                self._schedule(data, busy)
            if is_due:
                return first
        return None

    def next_due(self, busy: Busy = NOBODY) -> Instant | None:
        """Return when the dispatcher should look again."""
        self._wake_for(busy)
        with self._lock:
            return self._wakes[0][0] if self._wakes else None

    def close(self) -> None:
        """Do nothing: memory needs no closing."""

    def _data(self, customer_id: str) -> _AccountData:
        data = self._accounts.get(customer_id)
        if data is None:
            raise UnknownAccountError(f"no account of customer {customer_id!r}")
        return data

    def _pop_wake(self, now: Instant) -> _AccountData | None:
        """Return the next account that may have something due."""
        with self._lock:
            while self._wakes and self._wakes[0][0] <= now:
                _, customer_id = heapq.heappop(self._wakes)
                if customer_id in self._accounts:
                    return self._accounts[customer_id]
        return None

    def _schedule(self, data: _AccountData, busy: Busy = NOBODY) -> None:
        """Note when the account's first message falls due, or its first lease ends."""
        first = data.first(busy)
        due = data.account.clock.real_at(first.due_at) if first else None
        leases = (until for until, _ in data.leases.values())
        instants = [*leases, *([] if due is None else [due])]
        customer_id = data.account.customer_id
        with self._lock:
            for name in data.lanes.put_aside | ({customer_id} & busy.customers):
                self._put_aside.setdefault(name, set()).add(customer_id)
            if instants and (data.wake_at is None or min(instants) < data.wake_at):
                data.wake_at = min(instants)
                heapq.heappush(self._wakes, (data.wake_at, customer_id))

    def _wake_for(self, busy: Busy) -> None:
        """Look again at accounts that were put aside for somebody who is busy no more."""
        still = busy.receivers | busy.customers
        with self._lock:
            for name in [one for one in self._put_aside if one not in still]:
                for customer_id in self._put_aside.pop(name):
                    heapq.heappush(self._wakes, (_AT_ONCE, customer_id))
