"""Instants and clocks. An account's clock is an affine map from real time, moving forward only.

Instants and spans are whole microseconds: exact to add, cheap to store, the precision that the API
shows. This is the only module that reads the wall clock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import ceil

Instant = int
"""Microseconds since 1970-01-01T00:00:00Z."""

Span = int
"""Microseconds."""

SECOND: Span = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wall_clock() -> Instant:
    """Read real time."""
    return time.time_ns() // 1_000  # noqa: TID251 - the one place that reads it


def seconds(span: float) -> Span:
    """Make a span from seconds."""
    return round(span * SECOND)


def in_seconds(span: Span) -> float:
    """Express a span in seconds."""
    return span / SECOND


def to_datetime(instant: Instant) -> datetime:
    """Express an instant as an aware UTC datetime."""
    return _EPOCH + timedelta(microseconds=instant)


def from_datetime(moment: datetime) -> Instant:
    """Make an instant from an aware datetime."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class ClockError(ValueError):
    """A clock was asked to do what no clock does, such as to run backwards."""


class ClockMode(StrEnum):
    """What moves a clock."""

    LIVE = "live"
    """Real time, at some rate."""
    MANUAL = "manual"
    """Whoever advances it."""
    STEPPING = "stepping"
    """Every read of an unfinished batch, by a fixed step; and whoever advances it."""


FASTEST = 1_000_000.0
"""A clock that runs faster would soon leave the calendar."""
LAST: Instant = 221_845_392_000 * SECOND
"""9000-01-01T00:00:00Z: no clock goes further, so that what it shows is always a date."""


@dataclass(frozen=True, slots=True)
class Clock:
    """virtual = origin + rate * (real - anchor).

    `rate` is 1 for real time, more to run faster, 0 for a clock that is moved by hand or, where
    `step` is not 0, by that span at every read of an unfinished batch.
    """

    origin: Instant
    anchor: Instant
    rate: float = 1.0
    step: Span = 0

    def __post_init__(self) -> None:
        """Refuse a rate or a step that would run backwards."""
        if not 0 <= self.rate <= FASTEST:
            raise ClockError(f"a clock's rate is 0 (manual) to {FASTEST:g}, not {self.rate}")
        if self.step < 0 or (self.step and self.rate):
            raise ClockError("a clock that steps has no rate, and its step is a positive span")
        if not 0 <= self.origin <= LAST:
            raise ClockError(f"a clock shows instants from 1970 to {to_datetime(LAST)}")

    @property
    def mode(self) -> ClockMode:
        """Say what moves the clock."""
        if self.rate:
            return ClockMode.LIVE
        return ClockMode.STEPPING if self.step else ClockMode.MANUAL

    @property
    def is_manual(self) -> bool:
        """Say whether the clock stands still until it is moved."""
        return self.rate == 0

    def at(self, real: Instant) -> Instant:
        """Tell the virtual instant at a real one; a real clock set back does not turn it back."""
        return min(LAST, self.origin + round(self.rate * max(0, real - self.anchor)))

    def real_at(self, virtual: Instant) -> Instant | None:
        """Tell when, in real time, the clock reaches a virtual instant; None if never by itself."""
        if virtual <= self.origin:
            return self.anchor
        if self.is_manual:
            return None
        return self.anchor + ceil((virtual - self.origin) / self.rate)

    def stepped(self, real: Instant) -> Clock:
        """Set the clock forward by its step; at the end of all time it stands."""
        return self.moved_to(min(LAST, self.at(real) + self.step), real)

    def running(self, real: Instant, *, rate: float = 0.0, step: Span = 0) -> Clock:
        """Go on from the present at another rate, or by another step.

        Raises:
            ClockError: no clock runs so.
        """
        return Clock(self.at(real), real, rate, step)

    def moved_to(self, virtual: Instant, real: Instant) -> Clock:
        """Set the clock forward.

        Raises:
            ClockError: the instant lies before the clock's present, or beyond `LAST`.
        """
        now = self.at(real)
        if virtual < now:
            raise ClockError(
                f"a clock moves forward only: it shows {to_datetime(now)}, "
                f"asked for {to_datetime(virtual)}"
            )
        return replace(self, origin=virtual, anchor=real)


def live(real: Instant, rate: float = 1.0) -> Clock:
    """Make a clock that starts at the present and runs `rate` times as fast as real time."""
    return Clock(origin=real, anchor=real, rate=rate)


def manual(real: Instant, step: Span = 0) -> Clock:
    """Make a clock that starts at the present and stands still until it is moved, or steps."""
    return Clock(origin=real, anchor=real, rate=0.0, step=step)
