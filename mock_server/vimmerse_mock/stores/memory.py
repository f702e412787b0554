"""The store in memory: no file, no waiting, gone with the process."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from threading import Lock, RLock

from vimmerse_mock.model import timeline
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.clock import Instant, wall_clock
from vimmerse_mock.model.journal import Exchange
from vimmerse_mock.model.ledger import InsufficientCreditError, LedgerEntry, Reason
from vimmerse_mock.model.outbox import IN_FLIGHT_PER_ACCOUNT, Message, MessageState
from vimmerse_mock.model.retention import Keep
from vimmerse_mock.model.snapshot import Snapshot
from vimmerse_mock.stores import (
    FORGOTTEN_AT_ONCE,
    STRANGERS,
    DuplicateAccountError,
    UnknownAccountError,
)

_Key = tuple[str, int]


def _key(message: Message) -> _Key:
    return message.batch_id, message.submission


def _is_of(entry: LedgerEntry, batch_ids: AbstractSet[str]) -> bool:
    return entry.batch_id in batch_ids or entry.reason is Reason.CARRIED


@dataclass(slots=True)
class _Shelf:
    """Everything of one account; whoever writes holds `lock`.

    `due` is a heap of what may be pending, by instant: an entry that no longer tells the truth
    (`_is_current`) is dropped when it comes up. `wake_at` is when the store looks here next.
    """

    account: AccountState
    lock: RLock = field(default_factory=RLock)
    batches: dict[str, Batch] = field(default_factory=dict)
    ledger: list[LedgerEntry] = field(default_factory=list)
    messages: dict[_Key, Message] = field(default_factory=dict)
    leases: dict[_Key, Instant] = field(default_factory=dict)
    due: list[tuple[Instant, int, _Key]] = field(default_factory=list)
    serial: Iterator[int] = field(default_factory=count)
    journal: deque[Exchange] = field(default_factory=deque)
    wake_at: Instant | None = None

    @property
    def balance(self) -> int:
        return self.ledger[-1].balance if self.ledger else 0

    def plan(self, message: Message) -> None:
        if message.state is MessageState.PENDING:
            heapq.heappush(self.due, (message.due_at, next(self.serial), _key(message)))

    def head(self) -> Message | None:
        """Return the first pending message that nobody has leased."""
        while self.due and not self._is_current(self.due[0]):
            heapq.heappop(self.due)
        return self.messages[self.due[0][2]] if self.due else None

    def claimable(self) -> Message | None:
        """Return what the dispatcher may claim next: the head, unless enough is under way."""
        return self.head() if len(self.leases) < IN_FLIGHT_PER_ACCOUNT else None

    def _is_current(self, entry: tuple[Instant, int, _Key]) -> bool:
        due_at, _, key = entry
        message = self.messages.get(key)
        if message is None or key in self.leases:
            return False
        return message.state is MessageState.PENDING and message.due_at == due_at

    def forgettable(self, keep: Keep, now: Instant) -> list[str]:
        """Tell which batches need not be kept, oldest first."""
        busy = {
            message.batch_id
            for message in self.messages.values()
            if message.state is MessageState.PENDING
        }
        surplus = len(self.batches) - (len(self.batches) if keep.count is None else keep.count)
        found = []
        for place, batch in enumerate(self.batches.values()):
            ended = timeline.ends_at(batch)
            aged = keep.age is not None and ended < now - keep.age
            if ended <= now and batch.id not in busy and (aged or place < surplus):
                found.append(batch.id)
        return found[:FORGOTTEN_AT_ONCE]

    def cost_of(self, batch_ids: AbstractSet[str]) -> int:
        """Tell what these batches, and all that were forgotten before, came to."""
        return sum(entry.amount for entry in self.ledger if _is_of(entry, batch_ids))

    def remove(self, batch_ids: AbstractSet[str]) -> None:
        """Take batches off the shelf, with their messages and ledger entries."""
        if not batch_ids:
            return
        for batch_id in batch_ids:
            del self.batches[batch_id]
        for key in [key for key in self.messages if key[0] in batch_ids]:
            del self.messages[key]
        self.ledger = [entry for entry in self.ledger if not _is_of(entry, batch_ids)]

    def end_leases(self, now: Instant) -> None:
        """Plan again what was leased to a claimer that never came back."""
        for key in [key for key, until in self.leases.items() if until <= now]:
            del self.leases[key]
            self.plan(self.messages[key])


def _filled(snapshot: Snapshot) -> _Shelf:
    """Put everything of a snapshot on a shelf."""
    shelf = _Shelf(snapshot.account, ledger=list(snapshot.ledger), journal=deque(snapshot.journal))
    shelf.batches = {batch.id: batch for batch in snapshot.batches}
    shelf.messages = {_key(message): message for message in snapshot.messages}
    for message in snapshot.messages:
        shelf.plan(message)
    return shelf


class _MemoryTransaction:
    """Stages what is written, and puts it on the shelf at the end."""

    def __init__(self, shelf: _Shelf) -> None:
        self._shelf = shelf
        self.account = shelf.account
        self._batches: dict[str, Batch] = {}
        self._entries: list[LedgerEntry] = []
        self._messages: dict[_Key, Message] = {}
        self._leases: dict[_Key, Instant] = {}
        self._forgotten: set[str] = set()

    def save_account(self, account: AccountState) -> None:
        self.account = account

    def book(
        self, amount: int, reason: Reason, at: Instant, batch_id: str = "", submission: int = 0
    ) -> LedgerEntry:
        before = self._entries[-1].balance if self._entries else self._shelf.balance
        if before + amount < 0:
            raise InsufficientCreditError(-amount, before)
        entry = LedgerEntry(at, amount, before + amount, reason, batch_id, submission)
        self._entries.append(entry)
        return entry

    def batch(self, batch_id: str) -> Batch | None:
        return self._batches.get(batch_id) or self._shelf.batches.get(batch_id)

    def save_batch(self, batch: Batch) -> None:
        self._batches[batch.id] = batch

    def processing(self, now: Instant, but: str) -> tuple[Instant, ...]:
        batches = {**self._shelf.batches, **self._batches}
        ends = (timeline.ends_at(batch) for batch in batches.values() if batch.id != but)
        return tuple(end for end in ends if end > now)

    def message(self, batch_id: str, submission: int) -> Message | None:
        key = (batch_id, submission)
        return self._messages.get(key) or self._shelf.messages.get(key)

    def save_message(self, message: Message) -> None:
        self._messages[_key(message)] = message

    def next_due(self, until: Instant) -> Message | None:
        head = self._shelf.head()
        return head if head and head.due_at <= until else None

    def lease(self, message: Message, until: Instant) -> None:
        self._leases[_key(message)] = until

    def in_flight(self) -> bool:
        return bool(self._shelf.leases)

    def forget(self, keep: Keep, now: Instant) -> int:
        self._forgotten = set(self._shelf.forgettable(keep, now))
        if self._forgotten:
            carried = self._shelf.cost_of(self._forgotten)
            self._entries.append(LedgerEntry(now, carried, self._shelf.balance, Reason.CARRIED))
        return len(self._forgotten)

    def commit(self) -> None:
        shelf = self._shelf
        shelf.remove(self._forgotten)
        shelf.account = self.account
        shelf.batches.update(self._batches)
        shelf.ledger.extend(self._entries)
        shelf.leases.update(self._leases)
        for key, message in self._messages.items():
            shelf.messages[key] = message
            shelf.leases.pop(key, None)
            shelf.plan(message)


class MemoryStore:
    """The `Store` of one process."""

    def __init__(self) -> None:
        self._shelves: dict[str, _Shelf] = {}
        self._by_key: dict[str, _Shelf] = {}
        self._lock = Lock()
        self._wakes: list[tuple[Instant, str]] = []
        self._strangers: deque[Exchange] = deque()

    def real_time(self) -> Instant:
        """Tell real time."""
        return wall_clock()

    def add(self, snapshot: Snapshot) -> None:
        """Add an account and everything of it."""
        account, shelf = snapshot.account, _filled(snapshot)
        with self._lock:
            if account.customer_id in self._shelves:
                raise DuplicateAccountError(f"customer {account.customer_id!r} exists already")
            if account.api_key in self._by_key:
                raise DuplicateAccountError("another account has this API key already")
            self._shelves[account.customer_id] = shelf
            self._by_key[account.api_key] = shelf
        self._schedule(shelf)

    def remove_account(self, customer_id: str) -> None:
        """Close an account and forget everything of it."""
        with self._lock:
            shelf = self._shelves.pop(customer_id, None)
            if shelf is not None:
                del self._by_key[shelf.account.api_key]

    def customers(self) -> tuple[str, ...]:
        """Return the ids of all accounts."""
        return tuple(self._shelves)

    def account(self, customer_id: str) -> AccountState:
        """Return an account's state."""
        return self._shelf(customer_id).account

    def account_by_key(self, api_key: str) -> AccountState | None:
        """Return the account that a key belongs to."""
        shelf = self._by_key.get(api_key)
        return shelf.account if shelf else None

    def batch(self, customer_id: str, batch_id: str) -> Batch | None:
        """Return a batch of an account."""
        shelf = self._shelves.get(customer_id)
        return shelf.batches.get(batch_id) if shelf else None

    def batches(self, customer_id: str, ends_after: Instant | None = None) -> tuple[Batch, ...]:
        """Return an account's batches."""
        shelf = self._shelf(customer_id)
        with shelf.lock:
            batches = tuple(shelf.batches.values())
        if ends_after is None:
            return batches
        return tuple(batch for batch in batches if timeline.ends_at(batch) > ends_after)

    def journal(self, customer_id: str) -> tuple[Exchange, ...]:
        """Return the last exchanges."""
        if customer_id == STRANGERS:
            return tuple(self._strangers)
        return tuple(self._shelf(customer_id).journal)

    def note(self, customer_id: str, exchange: Exchange, keep: int) -> None:
        """Add to a journal."""
        shelf = self._shelves.get(customer_id)
        if shelf is None and customer_id != STRANGERS:
            return
        journal = self._strangers if shelf is None else shelf.journal
        journal.append(exchange)
        if len(journal) > keep:
            journal.popleft()

    def ledger(self, customer_id: str) -> tuple[LedgerEntry, ...]:
        """Return an account's ledger."""
        return tuple(self._shelf(customer_id).ledger)

    def balance(self, customer_id: str) -> int:
        """Return an account's credits."""
        return self._shelf(customer_id).balance

    def messages(self, customer_id: str) -> tuple[Message, ...]:
        """Return an account's messages."""
        shelf = self._shelf(customer_id)
        with shelf.lock:
            return tuple(shelf.messages.values())

    @contextmanager
    def transaction(self, customer_id: str) -> Iterator[_MemoryTransaction]:
        """Lock an account."""
        shelf = self._shelf(customer_id)
        with shelf.lock:
            transaction = _MemoryTransaction(shelf)
            yield transaction
            transaction.commit()
            self._schedule(shelf)

    def claim_due(self, now: Instant, lease_until: Instant, limit: int) -> tuple[Message, ...]:
        """Lease what is due, account by account."""
        claimed: list[Message] = []
        while len(claimed) < limit and (shelf := self._pop_wake(now)):
            with shelf.lock:
                shelf.wake_at = None
                shelf.end_leases(now)
                claimed += self._claim_from(shelf, now, lease_until, limit - len(claimed))
                self._schedule(shelf)
        return tuple(claimed)

    def next_due(self) -> Instant | None:
        """Tell when the dispatcher should look again."""
        with self._lock:
            return self._wakes[0][0] if self._wakes else None

    def close(self) -> None:
        """Do nothing: memory needs no closing."""

    def _shelf(self, customer_id: str) -> _Shelf:
        shelf = self._shelves.get(customer_id)
        if shelf is None:
            raise UnknownAccountError(f"no account of customer {customer_id!r}")
        return shelf

    def _claim_from(
        self, shelf: _Shelf, now: Instant, lease_until: Instant, limit: int
    ) -> list[Message]:
        claimed: list[Message] = []
        present = shelf.account.clock.at(now)
        while len(claimed) < limit and (head := shelf.claimable()) and head.due_at <= present:
            shelf.leases[_key(head)] = lease_until
            claimed.append(head)
        return claimed

    def _pop_wake(self, now: Instant) -> _Shelf | None:
        """Return the next account that may have something due."""
        with self._lock:
            while self._wakes and self._wakes[0][0] <= now:
                _, customer_id = heapq.heappop(self._wakes)
                if customer_id in self._shelves:
                    return self._shelves[customer_id]
        return None

    def _schedule(self, shelf: _Shelf) -> None:
        """Note when the account's first message falls due, or its first lease ends."""
        head = shelf.claimable()
        due = shelf.account.clock.real_at(head.due_at) if head else None
        instants = [*shelf.leases.values(), *([] if due is None else [due])]
        if not instants or (shelf.wake_at is not None and shelf.wake_at <= min(instants)):
            return
        shelf.wake_at = min(instants)
        with self._lock:
            heapq.heappush(self._wakes, (shelf.wake_at, shelf.account.customer_id))
