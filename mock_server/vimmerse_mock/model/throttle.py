"""Throttling: how many requests, and how many batches at once, an account may have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from vimmerse_mock.model.clock import SECOND, Instant, Span

MINUTE: Final[Span] = 60 * SECOND
LONGEST_WAIT: Final[Span] = 60 * MINUTE
"""Nobody is told to come back later than that: what is stuck has no end to wait for."""


class ThrottleError(ValueError):
    """A limit would let nothing through."""


class ThrottledError(Exception):
    """Too many requests, or too many batches at once; `retry_after` is when to come back."""

    def __init__(self, reason: str, retry_after: Span) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Throttle:
    """What an account may have: None does not limit.

    Requests are counted in windows of a minute on the account's clock, which begin with a request:
    `count` of them since `since`.
    """

    requests_per_minute: int | None = None
    concurrent_batches: int | None = None
    since: Instant = 0
    count: int = 0

    def __post_init__(self) -> None:
        """Refuse limits that let nothing through."""
        for limit in (self.requests_per_minute, self.concurrent_batches):
            if limit is not None and limit < 1:
                raise ThrottleError(f"a limit is a number from 1 on, or null for none, not {limit}")

    def admit(self, now: Instant) -> Throttle:
        """Count a request.

        Raises:
            ThrottledError: it is one too many.
        """
        if self.requests_per_minute is None:
            return self
        end = self.since + MINUTE
        if now >= end or not self.count:
            return replace(self, since=now, count=1)
        if self.count >= self.requests_per_minute:
            raise ThrottledError(f"{self.requests_per_minute} requests per minute", end - now)
        return replace(self, count=self.count + 1)

    def require_room(self, ends: tuple[Instant, ...], now: Instant) -> None:
        """Hold the batches that still process, by when they end, to leaving room for one more.

        Raises:
            ThrottledError: they do not.
        """
        if self.concurrent_batches is not None and len(ends) >= self.concurrent_batches:
            room_in = min(min(ends) - now, LONGEST_WAIT)
            raise ThrottledError(f"{self.concurrent_batches} batches at once", room_in)
