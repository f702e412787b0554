"""The store in memory: no file, no waiting, gone with the process."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from vimmerse_mock.errors import DuplicateAccountError, InsufficientCreditError, UnknownAccountError
from vimmerse_mock.model import timeline
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.clock import Instant, wall_clock
from vimmerse_mock.model.credits import LedgerEntry, Reason
from vimmerse_mock.model.exchange import Exchange, LazyExchange
from vimmerse_mock.model.limits import Keep
from vimmerse_mock.model.outbox import Message, MessageKey
from vimmerse_mock.model.snapshot import Position, Recent, Snapshot
from vimmerse_mock.stores import NOBODY, UNAUTHENTICATED, Busy, Page, Row
from vimmerse_mock.stores.account_data import AccountData, Journal, Lease, is_of

_AT_ONCE: Final[Instant] = 0
"""Earlier than any instant of real time."""


def _restored(snapshot: Snapshot) -> AccountData:
    data = AccountData(snapshot.account)
    for exchange in snapshot.journal:
        data.journal.add(LazyExchange(exchange), len(snapshot.journal))
    for batch in snapshot.batches:
        data.keep(batch)
    for entry in snapshot.ledger:
        data.ledger.add(data.next_serial(), entry)
    for message in snapshot.messages:
        data.put(message)
        data.note_attempts(message.key, None)
    return data


class _MemoryTransaction:
    """Stages what is written, and puts it into the account at the end.

    Messages go there at once, since the next due one depends on them; `rollback` takes them back.
    """

    def __init__(self, data: AccountData) -> None:
        self._data = data
        self.account = data.account
        self._batches: dict[str, Batch] = {}
        self._entries: list[LedgerEntry] = []
        self._before: dict[MessageKey, tuple[Message | None, Lease | None]] = {}
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
            gone = sum(e.amount for e in self._data.ledger.items if is_of(e, self._forgotten))
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
        self._accounts: dict[str, AccountData] = {}
        self._by_key: dict[str, AccountData] = {}
        self._lock = Lock()
        self._wakes: list[tuple[Instant, str]] = []
        self._put_aside: dict[str, set[str]] = {}
        self._unauthenticated = Journal()

    def real_time(self) -> Instant:
        """Return real time."""
        return wall_clock()

    def add(self, *snapshots: Snapshot) -> None:
        """Add accounts and everything of them."""
        added = list(map(_restored, snapshots))
        by_id = {data.account.customer_id: data for data in added}
        by_key = {data.account.api_key: data for data in added}
        with self._lock:
            if taken := by_id.keys() & self._accounts.keys():
                raise DuplicateAccountError(f"customer {min(taken)!r} already exists")
            if by_key.keys() & self._by_key.keys() or len(by_key) < len(added):
                raise DuplicateAccountError("another account already has this API key")
            self._accounts |= by_id
            self._by_key |= by_key
        for data in added:
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

    def _data(self, customer_id: str) -> AccountData:
        data = self._accounts.get(customer_id)
        if data is None:
            raise UnknownAccountError(f"no account of customer {customer_id!r}")
        return data

    def _pop_wake(self, now: Instant) -> AccountData | None:
        """Return the next account that may have something due."""
        with self._lock:
            while self._wakes and self._wakes[0][0] <= now:
                _, customer_id = heapq.heappop(self._wakes)
                if customer_id in self._accounts:
                    return self._accounts[customer_id]
        return None

    def _schedule(self, data: AccountData, busy: Busy = NOBODY) -> None:
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
