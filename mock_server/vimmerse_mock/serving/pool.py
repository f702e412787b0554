"""Threads for what may block, with a share for each owner, so that nobody takes them all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

SHARE = 4
"""How many requests of one owner (an account) are answered at once; others of it wait."""
THREADS = 512
"""How many threads there are at most; each is made when it is needed."""


class SharedPool:
    """Runs jobs in threads: at most `share` of one owner at once, in the order they came."""

    def __init__(self, share: int = SHARE, threads: int = THREADS) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="vimmerse-pool")
        self._share = share
        self._lock = Lock()
        self._running: dict[str, int] = {}
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    def submit(self, owner: str, job: Callable[[], None]) -> None:
        """Run a job as soon as its owner's share allows; it must not raise."""
        with self._lock:
            if self._running.get(owner, 0) >= self._share:
                self._waiting.setdefault(owner, deque()).append(job)
                return
            self._running[owner] = self._running.get(owner, 0) + 1
        self._threads.submit(self._work, owner, job)

    def full(self) -> AbstractSet[str]:
        """Return the owners who have their share."""
        with self._lock:
            return {owner for owner, number in self._running.items() if number >= self._share}

    def close(self, *, wait: bool = False) -> None:
        """End the threads as they finish; what waits is not begun any more."""
        self._threads.shutdown(wait=wait, cancel_futures=True)

    def _work(self, owner: str, job: Callable[[], None]) -> None:
        """Run a job, then those of the same owner that wait."""
        next_job: Callable[[], None] | None = job
        while next_job is not None:
            next_job()
            next_job = self._next(owner)

    def _next(self, owner: str) -> Callable[[], None] | None:
        with self._lock:
            if waiting := self._waiting.get(owner):
                return waiting.popleft()
            self._waiting.pop(owner, None)
            self._running[owner] -= 1
            if not self._running[owner]:
                del self._running[owner]
            return None
