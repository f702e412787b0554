"""Spans as people write them: `90s`, `1.5m`, `250ms`, or a plain number of seconds."""

from __future__ import annotations

import math
import re
from typing import Final

from vimmerse_mock.model.clock import SECOND, Span, seconds

UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
"""Seconds in each unit."""
LONGEST: Final = 366 * 86_400 * 100
"""A span beyond a hundred years of seconds is taken for a mistake."""
_WRITTEN: Final = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)?", re.ASCII)


class SpanError(ValueError):
    """Something is no span of time."""


def parse_span(written: str | float) -> Span:
    """Read a span: a text like `90s`, or a number of seconds.

    Raises:
        SpanError: it is neither, negative, or longer than a hundred years.
    """
    if isinstance(written, str):
        found = _WRITTEN.fullmatch(written.strip())
        if found is None:
            raise SpanError(_expected(written))
        number, unit = found.groups(default="s")
        return _checked(float(number) * UNITS[unit], written)
    return _checked(written, written)


def format_span(span: Span) -> str:
    """Write a span in the largest unit that it is a whole number of: `2m`, `90s`, `1.5s`."""
    for unit in ("d", "h", "m"):
        size = UNITS[unit] * SECOND
        if span >= size and span % size == 0:
            return f"{span // round(size)}{unit}"
    return f"{span / SECOND:.6f}".rstrip("0").rstrip(".") + "s"


def _checked(number: float, written: object) -> Span:
    if isinstance(number, bool) or not math.isfinite(number) or not 0 <= number <= LONGEST:
        raise SpanError(_expected(written))
    return seconds(number)


def _expected(written: object) -> str:
    return (
        f"{written!r} is no span of time: expected a number of seconds, or a number with "
        f"{', '.join(UNITS)}, such as '90s'; not negative, and no more than a hundred years"
    )
