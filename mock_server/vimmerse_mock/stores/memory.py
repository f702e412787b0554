"""The store in memory: no file, no waiting, gone with the process."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, RLock
from typing import Final

from vimmerse_mock.errors import DuplicateAccountError, InsufficientCreditError, UnknownAccountError
from vimmerse_mock.model import timeline
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.clock import Instant, wall_clock
from vimmerse_mock.model.credits import LedgerEntry, Reason
from vimmerse_mock.model.exchange import Exchange, LazyExchange
from vimmerse_mock.model.limits import Keep
from vimmerse_mock.model.outbox import Message, MessageKey, MessageState
from vimmerse_mock.model.snapshot import Snapshot
from vimmerse_mock.stores import FORGOTTEN_AT_ONCE, NOBODY, UNAUTHENTICATED
from vimmerse_mock.stores.lanes import Lanes

_AT_ONCE: Final[Instant] = 0
"""Earlier than any instant of real time."""


_Lease = tuple[Instant, str]
"""Until when a message is under way, and in which lane."""


def _is_of(entry: LedgerEntry, batch_ids: AbstractSet[str]) -> bool:
    return entry.batch_id in batch_ids or entry.reason is Reason.CARRIED


@dataclass(slots=True)
class _AccountData:
    """Everything of one account; whoever writes holds `lock`.

    `wake_at` is when the store looks here next.
    """

    account: AccountState
    lock: RLock = field(default_factory=RLock)
    batches: dict[str, Batch] = field(default_factory=dict)
    ledger: list[LedgerEntry] = field(default_factory=list)
    messages: dict[MessageKey, Message] = field(default_factory=dict)
    leases: dict[MessageKey, _Lease] = field(default_factory=dict)
    lanes: Lanes = field(init=False)
    journal: deque[LazyExchange] = field(default_factory=deque)
    wake_at: Instant | None = None

    def __post_init__(self) -> None:
        self.lanes = Lanes(self._is_current)

    @property
    def balance(self) -> int:
        return self.ledger[-1].balance if self.ledger else 0

    def put(self, message: Message) -> None:
        """Keep a message, end its lease, and plan it if it is pending."""
        key = message.key
        self.messages[key] = message
        self.release(key)
        self.plan(message)

    def plan(self, message: Message) -> None:
        if message.state is MessageState.PENDING:
            self.lanes.add(message, message.key)

    def settle(self, key: MessageKey) -> None:
        """Forget the place in its lane of a message that is not pending any more."""
        message = self.messages.get(key)
        if message is None or message.state is not MessageState.PENDING:
            self.lanes.forget(key)

    def lease(self, message: Message, until: Instant) -> None:
        self.release(message.key)
        self.leases[message.key] = (until, message.lane)
        self.lanes.occupy(message)

    def restore(self, key: MessageKey, message: Message | None, lease: _Lease | None) -> None:
        """Put a message back as it was."""
        self.release(key)
        if message is None:
            del self.messages[key]
            self.lanes.forget(key)
            return
        self.messages[key] = message
        if lease is None:
            self.plan(message)
        else:
            self.lease(message, lease[0])

    def release(self, key: MessageKey) -> None:
        lease = self.leases.pop(key, None)
        if lease is not None:
            self.lanes.release(lease[1])

    def first(self, avoiding: AbstractSet[str] = NOBODY) -> Message | None:
        """Return the pending message that comes next."""
        key = self.lanes.first(avoiding)
        return None if key is None else self.messages[key]

    def _is_current(self, due_at: Instant, key: MessageKey, lane: str) -> bool:
        message = self.messages.get(key)
        if message is None or key in self.leases or message.state is not MessageState.PENDING:
            return False
        return message.due_at == due_at and message.lane == lane

    def forgettable(self, keep: Keep, now: Instant) -> list[str]:
        """Return which batches need not be kept, oldest first."""
        busy = {
            message.batch_id
            for message in self.messages.values()
            if message.state is MessageState.PENDING
        }
        surplus = len(self.batches) - (len(self.batches) if keep.count is None else keep.count)
        found = []
        for place, batch in enumerate(self.batches.values()):
            ended = timeline.ends_at(batch)
            if ended > now:
                continue
            aged = keep.age is not None and ended < now - keep.age
            if batch.id not in busy and (aged or place < surplus):
                found.append(batch.id)
        return found[:FORGOTTEN_AT_ONCE]

    def remove(self, batch_ids: AbstractSet[str]) -> None:
        """Take batches out of an account, with their messages and ledger entries."""
        if not batch_ids:
            return
        for batch_id in batch_ids:
            del self.batches[batch_id]
        for key in [key for key in self.messages if key[0] in batch_ids]:
            self.release(key)
            self.lanes.forget(key)
            del self.messages[key]
        self.ledger = [entry for entry in self.ledger if not _is_of(entry, batch_ids)]

    def end_leases(self, now: Instant) -> None:
        """Plan again what was leased to a claimer that never came back."""
        for key in [key for key, (until, _) in self.leases.items() if until <= now]:
            self.release(key)
            self.plan(self.messages[key])


class _MemoryTransaction:
    """Stages what is written, and puts it into the account at the end.

    Messages go there at once, since the next due one depends on them; `rollback` takes them back.
    """

    def __init__(self, data: _AccountData) -> None:
        self._data = data
        self.account = data.account
        self._batches: dict[str, Batch] = {}
        self._entries: list[LedgerEntry] = []
        self._before: list[tuple[MessageKey, Message | None, _Lease | None]] = []
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
        batches = {**self._data.batches, **self._batches}
        ends = (timeline.ends_at(batch) for batch in batches.values() if batch.id != but)
        return tuple(end for end in ends if end > now)

    def message(self, batch_id: str, submission: int, number: int = 1) -> Message | None:
        return self._data.messages.get((batch_id, submission, number))

    def messages(self, batch_id: str, submission: int) -> tuple[Message, ...]:
        found: list[Message] = []
        while message := self.message(batch_id, submission, len(found) + 1):
            found.append(message)
        return tuple(found)

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
        self._before.append((key, self._data.messages.get(key), self._data.leases.get(key)))

    def in_flight(self) -> bool:
        return bool(self._data.leases)

    def forget(self, keep: Keep, now: Instant) -> int:
        self._forgotten = set(self._data.forgettable(keep, now))
        if self._forgotten:
            gone = (e.amount for e in self._data.ledger if _is_of(e, self._forgotten))
            carried = sum(gone)
            self._entries.append(LedgerEntry(now, carried, self._data.balance, Reason.CARRIED))
        return len(self._forgotten)

    def commit(self) -> None:
        data = self._data
        data.remove(self._forgotten)
        data.account = self.account
        data.batches.update(self._batches)
        data.ledger.extend(self._entries)
        for key, _, _ in self._before:
            data.settle(key)

    def rollback(self) -> None:
        for key, message, lease in reversed(self._before):
            self._data.restore(key, message, lease)


class MemoryStore:
    """The `Store` of one process."""

    def __init__(self) -> None:
        self._accounts: dict[str, _AccountData] = {}
        self._by_key: dict[str, _AccountData] = {}
        self._lock = Lock()
        self._wakes: list[tuple[Instant, str]] = []
        self._avoided: dict[str, set[str]] = {}
        self._unauthenticated: deque[LazyExchange] = deque()

    def real_time(self) -> Instant:
        """Return real time."""
        return wall_clock()

    def add(self, snapshot: Snapshot) -> None:
        """Add an account and everything of it."""
        account = snapshot.account
        journal = deque(map(LazyExchange, snapshot.journal))
        data = _AccountData(account, ledger=list(snapshot.ledger), journal=journal)
        data.batches = {batch.id: batch for batch in snapshot.batches}
        for message in snapshot.messages:
            data.put(message)
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

    def batches(self, customer_id: str, ends_after: Instant | None = None) -> tuple[Batch, ...]:
        """Return an account's batches."""
        data = self._data(customer_id)
        with data.lock:
            batches = tuple(data.batches.values())
        if ends_after is None:
            return batches
        return tuple(batch for batch in batches if timeline.ends_at(batch) > ends_after)

    def journal(self, customer_id: str) -> tuple[Exchange, ...]:
        """Return the last exchanges."""
        is_foreign = customer_id == UNAUTHENTICATED
        journal = self._unauthenticated if is_foreign else self._data(customer_id).journal
        return tuple(exchange.read() for exchange in tuple(journal))

    def note(self, customer_id: str, exchange: LazyExchange, keep: int) -> None:
        """Add to a journal."""
        data = self._accounts.get(customer_id)
        if data is None and customer_id != UNAUTHENTICATED:
            return
        journal = self._unauthenticated if data is None else data.journal
        journal.append(exchange)
        if len(journal) > keep:
            journal.popleft()

    def ledger(self, customer_id: str) -> tuple[LedgerEntry, ...]:
        """Return an account's ledger."""
        return tuple(self._data(customer_id).ledger)

    def balance(self, customer_id: str) -> int:
        """Return an account's credits."""
        return self._data(customer_id).balance

    def messages(self, customer_id: str) -> tuple[Message, ...]:
        """Return an account's messages."""
        data = self._data(customer_id)
        with data.lock:
            return tuple(data.messages.values())

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

    def claim(
        self, now: Instant, lease_until: Instant, avoiding: AbstractSet[str] = NOBODY
    ) -> Message | None:
        """Lease the first message that is due."""
        self._wake_for(avoiding)
        while data := self._pop_wake(now):
            with data.lock:
                data.wake_at = None
                data.end_leases(now)
                first = data.first(avoiding)
                is_due = first is not None and first.due_at <= data.account.clock.at(now)
                if first is not None and is_due:
                    data.lease(first, lease_until)
                self._schedule(data, avoiding)
            if is_due:
                return first
        return None

    def next_due(self, avoiding: AbstractSet[str] = NOBODY) -> Instant | None:
        """Return when the dispatcher should look again."""
        self._wake_for(avoiding)
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

    def _schedule(self, data: _AccountData, avoiding: AbstractSet[str] = NOBODY) -> None:
        """Note when the account's first message falls due, or its first lease ends."""
        first = data.first(avoiding)
        due = data.account.clock.real_at(first.due_at) if first else None
        leases = (until for until, _ in data.leases.values())
        instants = [*leases, *([] if due is None else [due])]
        with self._lock:
            for receiver in data.lanes.put_aside:
                self._avoided.setdefault(receiver, set()).add(data.account.customer_id)
            if instants and (data.wake_at is None or min(instants) < data.wake_at):
                data.wake_at = min(instants)
                heapq.heappush(self._wakes, (data.wake_at, data.account.customer_id))

    def _wake_for(self, avoiding: AbstractSet[str]) -> None:
        """Look again at accounts with messages to receivers that are avoided no more."""
        with self._lock:
            for receiver in [one for one in self._avoided if one not in avoiding]:
                for customer_id in self._avoided.pop(receiver):
                    heapq.heappush(self._wakes, (_AT_ONCE, customer_id))
