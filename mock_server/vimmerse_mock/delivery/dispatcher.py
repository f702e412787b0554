"""The dispatcher: delivers what falls due on live clocks, from a thread of its own."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import partial
from threading import BoundedSemaphore, Event, Lock, Thread
from typing import Final

from vimmerse_contracts.unfrozen import monotonic
from vimmerse_contracts.vocabulary import WEBHOOK_TIMEOUT_SECONDS
from vimmerse_mock.delivery.courier import Courier
from vimmerse_mock.errors import StoreConflictError, StoreFullError, StoreUnavailableError
from vimmerse_mock.model.clock import SECOND, Span, in_seconds
from vimmerse_mock.model.outbox import LEASE, Message
from vimmerse_mock.serving.pool import THREADS, SharedPool
from vimmerse_mock.stores import Busy

_IDLE_SECONDS: Final = 1.0
_LOOK_AGAIN_SECONDS: Final = 0.005
_CHORE_SECONDS: Final = 60.0
_LOG = logging.getLogger("vimmerse_mock.delivery")

AT_ONCE_OF_ACCOUNT: Final = 16
"""How many messages of one account are under way."""
AT_ONCE: Final = 8
"""How many messages are under way to one receiver, of all accounts."""
SLOW_AT_ONCE: Final = 1
"""How many where the last one took long."""
SLOW: Final[Span] = SECOND
"""A receiver that takes longer is slow, until it is quick again."""


class ReceiverLimits:
    """Counts what is under way to each receiver."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._slow: set[str] = set()
        self._lock = Lock()

    def full(self) -> AbstractSet[str]:
        """Return the receivers to which no more should be sent for the moment."""
        with self._lock:
            return {
                receiver
                for receiver, number in self._under_way.items()
                if number >= (SLOW_AT_ONCE if receiver in self._slow else AT_ONCE)
            }

    def begin(self, receiver: str) -> None:
        """Count a message that is about to be sent."""
        with self._lock:
            self._under_way[receiver] += 1

    def end(self, receiver: str, took: Span) -> None:
        """Count it as done, and remember whether the receiver was quick."""
        with self._lock:
            self._under_way[receiver] -= 1
            if not self._under_way[receiver]:
                del self._under_way[receiver]
            (self._slow.add if took > SLOW else self._slow.discard)(receiver)


class Dispatcher:
    """Delivers what falls due on live clocks, from a thread of its own; calls `chore` each minute.

    Messages of one lane go one after another. A receiver has only so many under way, fewer if it is
    slow, and an account has a share of the senders, so that receivers that hang delay nobody else.
    `start` and `stop` are idempotent; `stop` lets what is under way finish, for at most
    the webhook timeout.
    """

    def __init__(self, courier: Courier, chore: Callable[[], object] = lambda: None) -> None:
        self._courier = courier
        self._chore = chore
        self._chore_due = monotonic()
        self._wake = Event()
        self._stopping = Event()
        self._thread: Thread | None = None
        self._free = BoundedSemaphore(THREADS)
        self._receiver_limits = ReceiverLimits()

    def start(self) -> None:
        """Begin to deliver."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = Thread(target=self._run, name="vimmerse-dispatcher", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Deliver no more; wait for what is under way."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping.set()
            self._wake.set()
            thread.join(WEBHOOK_TIMEOUT_SECONDS + _IDLE_SECONDS)

    def wake(self) -> None:
        """Look again now: something may fall due sooner than thought."""
        self._wake.set()

    def _run(self) -> None:
        senders = SharedPool(AT_ONCE_OF_ACCOUNT)
        while not self._stopping.is_set():
            self._turn(senders)
        senders.close(wait=True)

    def _turn(self, senders: SharedPool) -> None:
        """Wait until something is due, and hand it out; a store that is away is waited for."""
        try:
            woken = self._wake.wait(max(self._pause(senders), _LOOK_AGAIN_SECONDS))
            self._wake.clear()
            if not woken or not self._pause(senders):
                self._dispatch(senders)
            if (now := monotonic()) >= self._chore_due:
                self._chore_due = now + _CHORE_SECONDS
                self._chore()
        except (StoreUnavailableError, StoreFullError, StoreConflictError) as error:
            _LOG.warning("the store is not at hand, trying again: %s", error)
            self._stopping.wait(_IDLE_SECONDS)
        except Exception:  # noqa: BLE001 - whatever it is, later webhooks must still go out
            _LOG.exception("webhooks could not be handed out, trying again")
            self._stopping.wait(_IDLE_SECONDS)

    def _busy(self, senders: SharedPool) -> Busy:
        return Busy(self._receiver_limits.full(), senders.full())

    def _pause(self, senders: SharedPool) -> float:
        """Seconds until something may be due."""
        due = self._courier.store.next_due(self._busy(senders))
        if due is None:
            return _IDLE_SECONDS
        return min(_IDLE_SECONDS, max(0.0, in_seconds(due - self._courier.real_time())))

    def _dispatch(self, senders: SharedPool) -> None:
        """Hand what is due to the senders that are free."""
        while not self._stopping.is_set() and self._free.acquire(timeout=_IDLE_SECONDS):
            message = self._claim(self._busy(senders))
            if message is None:
                return
            senders.submit(message.customer_id, partial(self._deliver, message))

    def _claim(self, busy: Busy) -> Message | None:
        """Claim one message for the sender that was acquired, or free it again."""
        claimed: Message | None = None
        now = self._courier.real_time()
        try:
            claimed = self._courier.store.claim(now, now + LEASE, busy)
        finally:
            if claimed is None:
                self._free.release()
            else:
                self._receiver_limits.begin(claimed.receiver)
        return claimed

    def _deliver(self, message: Message) -> None:
        took = self._courier.deliver(message)
        self._receiver_limits.end(message.receiver, took)
        self._free.release()
        self._wake.set()
