"""How long a database is waited for, in seconds; docs/reference.md has the same figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vimmerse_contracts.unfrozen import monotonic


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one use of a database may wait for others.

    `lock` is for a lock that another program holds; `queue`, before that, for a connection that
    this process has in use; `answer` for one answer of PostgreSQL, whose machine may be gone.
    """

    lock: float
    queue: float
    answer: float


FOR_REQUESTS: Final = Patience(lock=1.2, queue=0.6, answer=5.0)
"""A request that waits longer is answered 503."""
AT_START: Final = Patience(lock=30.0, queue=30.0, answer=600.0)
"""Others may be starting, too, and a migration takes as long as it takes."""
CONNECT_SECONDS: Final = 5
LOCKED: Final = "55P03"
"""What PostgreSQL says when a lock was waited for in vain."""
_HARDLY: Final = 0.1


class LockWait:
    """How long to wait for a lock: hardly at all for a second after somebody waited in vain.

    So those who queue behind do not wait one after another, each for its whole time.
    """

    def __init__(self, patience: Patience) -> None:
        self._seconds = patience.lock
        self._in_vain = float("-inf")

    def note_failure(self) -> None:
        """Note that somebody waited in vain."""
        self._in_vain = monotonic()

    @property
    def is_short(self) -> bool:
        """Whether somebody just waited in vain."""
        return monotonic() - self._in_vain < 1.0

    @property
    def seconds(self) -> float:
        """How long to wait now."""
        return min(_HARDLY, self._seconds) if self.is_short else self._seconds
