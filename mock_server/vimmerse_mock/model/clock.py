"""Instants and clocks. An account's clock is an affine map from real time, moving forward only.

Instants and spans are whole microseconds: exact to add, cheap to store, the precision that the API
shows. This is the only module that reads the wall clock.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Annotated, Final, Literal, get_args

from vimmerse_contracts.unfrozen import real_datetime
from vimmerse_mock.errors import ClockError, SpanError
from vimmerse_mock.model import bounds
from vimmerse_mock.model.bounds import CLOCK, SPAN, SPEED, quoted

Instant = Annotated[int, bounds.INSTANT]
"""Microseconds since 1970-01-01T00:00:00Z."""

Span = Annotated[int, SPAN]
"""Microseconds."""

SECOND: Span = 1_000_000
_EPOCH = real_datetime()(1970, 1, 1, tzinfo=UTC)


def wall_clock() -> Instant:
    """Return real time."""
    return time.time_ns() // 1_000  # noqa: TID251 - the one place that reads it


def seconds(span: float) -> Span:
    """Return the span of so many seconds."""
    return round(span * SECOND)


def in_seconds(span: Span) -> float:
    """Return a span in seconds."""
    return span / SECOND


def to_datetime(instant: Instant) -> datetime:
    """Return an instant as an aware UTC datetime."""
    return _EPOCH + timedelta(microseconds=instant)


def from_datetime(moment: datetime) -> Instant:
    """Return the instant of an aware datetime.

    Raises:
        ClockError: the datetime is at the end of the calendar, and beyond it in UTC.
    """
    try:
        return (moment - _EPOCH) // timedelta(microseconds=1)
    except OverflowError as error:
        raise ClockError(f"{moment} is not in the calendar in UTC") from error


ClockMode = Literal["live", "manual", "stepping"]
"""What moves a clock: see `ClockSetting`."""
CLOCK_MODES: Final[tuple[ClockMode, ...]] = get_args(ClockMode)

FASTEST: Final = SPEED.most
"""A clock that runs faster would soon leave the calendar."""
LAST: Instant = round(CLOCK.most)
"""9000-01-01T00:00:00Z: no clock goes further, so that what it shows is always a date."""
_NEVER: Instant = round(bounds.INSTANT.most)
"""Real time does not come there."""


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
        if self.rate and self.rate not in SPEED:
            raise ClockError(f"the rate of a clock is 0 (manual), or {SPEED}, not {self.rate}")
        if self.step not in SPAN or (self.step and self.rate):
            raise ClockError("a clock that steps has no rate, and its step is a positive span")
        if self.origin not in CLOCK:
            raise ClockError(f"a clock shows instants from 1970 to {to_datetime(LAST)}")

    @property
    def mode(self) -> ClockMode:
        """What moves the clock."""
        if self.rate:
            return "live"
        return "stepping" if self.step else "manual"

    @property
    def is_manual(self) -> bool:
        """Whether the clock stands still until it is moved."""
        return self.rate == 0

    def at(self, real: Instant) -> Instant:
        """Return the virtual instant at a real one; real time set back does not turn it back."""
        return min(LAST, self.origin + round(self.rate * max(0, real - self.anchor)))

    def real_at(self, virtual: Instant) -> Instant | None:
        """Return when, in real time, it reaches a virtual instant; None if never by itself."""
        if virtual <= self.origin:
            return self.anchor
        if self.is_manual:
            return None
        return min(_NEVER, self.anchor + ceil((virtual - self.origin) / self.rate))

    def stepped(self, real: Instant) -> Clock:
        """Return the clock moved forward by its step; it stops at `LAST`."""
        return self.moved_to(min(LAST, self.at(real) + self.step), real)

    def running(self, real: Instant, setting: ClockSetting) -> Clock:
        """Return a clock that goes on from the present by another setting."""
        if (self.rate, self.step) == (setting.rate, setting.span):
            return self
        return Clock(self.at(real), real, setting.rate, setting.span)

    def moved_to(self, virtual: Instant, real: Instant) -> Clock:
        """Return the clock moved forward to an instant.

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


UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
"""Seconds in each unit."""
_SIZES: Final = (1, *reversed(UNITS.values()))
_NUMBER: Final = r"(\d{1,12}(?:\.\d{1,6})?)"
_WRITTEN: Final = re.compile(
    f"(?=.){_NUMBER}?|(?=.)" + "".join(f"(?:{_NUMBER}{unit})?" for unit in reversed(UNITS)),
    re.ASCII,
)


def parse_span(written: str | float) -> Span:
    """Read a span: a text like `90s` or `14m50s`, or a number of seconds.

    Raises:
        SpanError: it is neither, negative, or longer than a hundred years.
    """
    number: object = written
    if isinstance(written, str):
        found = _WRITTEN.fullmatch(written.strip())
        parts = zip(found.groups(), _SIZES, strict=True) if found else ()
        number = sum(float(part) * size for part, size in parts if part) if found else None
    if isinstance(number, int | float) and not isinstance(number, bool):
        with suppress(OverflowError, ValueError):  # infinite, or no number
            if (span := seconds(number)) in SPAN:
                return span
    raise SpanError(
        f"{quoted(written)} is no span of time: expected a number of seconds, or numbers with "
        f"{', '.join(UNITS)}, such as '90s' or '14m50s'; not negative, and no more than a hundred "
        "years"
    )


def format_span(span: Span) -> str:
    """Write a span in the largest unit that it is a whole number of: `2m`, `90s`, `1.5s`."""
    for unit in ("d", "h", "m"):
        size = UNITS[unit] * SECOND
        if span >= size and span % size == 0:
            return f"{span // round(size)}{unit}"
    return f"{span / SECOND:.6f}".rstrip("0").rstrip(".") + "s"


@dataclass(frozen=True, slots=True)
class ClockSetting:
    """What is to move a clock.

    A `live` clock runs at `speed` times real time. A `manual` one stands still until it is
    advanced. A `stepping` one moves by `step` (`2s`, or a number of seconds) at every read of an
    unfinished batch, and can be advanced too.

    Raises:
        ClockError: there is no such mode, or the mode has no such speed or step.
        SpanError: the step is no span.
    """

    mode: ClockMode = "live"
    speed: float = 1.0
    step: str | float = 1.0

    def __post_init__(self) -> None:
        """Refuse what moves no clock, and what the mode would ignore."""
        if self.mode not in CLOCK_MODES:
            raise ClockError(f"a clock is {', '.join(CLOCK_MODES)}, not {quoted(self.mode)}")
        step = parse_span(self.step)
        if self.mode != "live" and self.speed != 1:
            raise ClockError(f"a {self.mode} clock has no speed, only a live one has")
        if self.mode != "stepping" and step != SECOND:
            raise ClockError(f"a {self.mode} clock has no step, only a stepping one has")
        if self.speed not in SPEED:
            raise ClockError(
                f"a live clock runs at {SPEED.least:g} to {SPEED.most:g} times real time, "
                f"not {quoted(self.speed)}; a clock that stands still is 'manual'"
            )
        if not step:
            raise ClockError(
                "the step of a stepping clock is longer than 0; a clock that stands still is "
                "'manual'"
            )

    @property
    def rate(self) -> float:
        """The speed of the clock; 0 unless it is live."""
        return self.speed if self.mode == "live" else 0.0

    @property
    def span(self) -> Span:
        """The step of the clock; 0 unless it is stepping."""
        return parse_span(self.step) if self.mode == "stepping" else 0
