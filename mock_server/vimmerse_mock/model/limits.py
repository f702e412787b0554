"""Limits: how much may be uploaded and kept, and how many requests and batches an account has."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Final

from vimmerse_mock.errors import InvalidLimitError, RetentionError, SpanError, ThrottledError
from vimmerse_mock.model.bounds import COUNT, NUMBER, quoted
from vimmerse_mock.model.clock import SECOND, Instant, Span, parse_span

MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest image and the largest request, in bytes (A)."""

    file: int = 32 * MEBIBYTE
    request: int = 256 * MEBIBYTE


MINUTE: Final[Span] = 60 * SECOND
LONGEST_WAIT: Final[Span] = 60 * MINUTE
"""The longest `Retry-After`: what is stuck has no end to wait for."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """What an account may have: None does not limit.

    Requests are counted in windows of a minute on the account's clock, which begin with a request:
    `count` of them since `since`.
    """

    requests_per_minute: Annotated[int, NUMBER] | None = None
    concurrent_batches: Annotated[int, NUMBER] | None = None
    since: Instant = 0
    count: Annotated[int, COUNT] = 0

    def __post_init__(self) -> None:
        """Refuse limits that let nothing through."""
        for limit in (self.requests_per_minute, self.concurrent_batches):
            if limit is not None and limit not in NUMBER:
                raise InvalidLimitError(
                    f"a limit is {NUMBER}, or null for no limit, not {quoted(limit)}"
                )

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
        """Check that the batches that still process, by when they end, leave room for one more.

        Raises:
            ThrottledError: they do not.
        """
        if self.concurrent_batches is not None and len(ends) >= self.concurrent_batches:
            room_in = min(min(ends) - now, LONGEST_WAIT)
            raise ThrottledError(f"{self.concurrent_batches} batches at once", room_in)


_COUNT: Final = re.compile(r"\d{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Keep:
    """What is kept of an account's ended batches: those of an `age`, or the newest `count`.

    None does not limit. A batch that has not ended, or whose webhook is not through, is kept.
    """

    age: Span | None = None
    count: int | None = None

    @property
    def is_limited(self) -> bool:
        """Whether anything is ever forgotten."""
        return self.age is not None or self.count is not None


def parse_keep(text: str) -> Keep:
    """Read `7d`, `12h`, `30m`, `90s`, a number of batches, or an empty text for everything.

    Raises:
        RetentionError: it is none of these.
    """
    if not text:
        return Keep()
    with suppress(SpanError):
        if _COUNT.fullmatch(text) and int(text):
            return Keep(count=int(text))
        if not text.isdecimal() and (age := parse_span(text)):
            return Keep(age=age)
    raise RetentionError(
        f"{quoted(text)} is neither an age like 7d, 12h30m or 90s nor a number of batches"
    )
