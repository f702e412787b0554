"""Which receivers have enough under way: a slow one must not keep senders from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set as AbstractSet
from threading import Lock
from typing import Final

from vimmerse_mock.model.clock import SECOND, Span

AT_ONCE: Final = 8
"""How many messages are under way to one receiver, of all accounts."""
SLOW_AT_ONCE: Final = 1
"""How many where the last one took long."""
SLOW: Final[Span] = SECOND
"""A receiver that takes longer is slow, until it is quick again."""


class Traffic:
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
        """Count it off, and remember whether the receiver was quick."""
        with self._lock:
            self._under_way[receiver] -= 1
            if not self._under_way[receiver]:
                del self._under_way[receiver]
            (self._slow.add if took > SLOW else self._slow.discard)(receiver)
