"""Retention: how long a store remembers batches that have ended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from vimmerse_mock.model.clock import Span, seconds

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_AGE: Final = re.compile(r"([1-9]\d{0,8})([smhd])", re.ASCII)
_COUNT: Final = re.compile(r"[1-9]\d{0,11}", re.ASCII)


class RetentionError(ValueError):
    """A text says neither an age nor a number."""


@dataclass(frozen=True, slots=True)
class Keep:
    """What is kept of an account's ended batches: those of an `age`, or the newest `count`.

    None does not limit. A batch that has not ended, or whose webhook is not through, is kept.
    """

    age: Span | None = None
    count: int | None = None

    @property
    def is_limited(self) -> bool:
        """Say whether anything is ever forgotten."""
        return self.age is not None or self.count is not None


def parse_keep(text: str) -> Keep:
    """Read `7d`, `12h`, `30m`, `90s`, a number of batches, or an empty text for everything.

    Raises:
        RetentionError: it is none of these.
    """
    if not text:
        return Keep()
    if _COUNT.fullmatch(text):
        return Keep(count=int(text))
    age = _AGE.fullmatch(text)
    if age is None:
        raise RetentionError(
            f"{text!r} is neither an age like 7d, 12h, 30m or 90s nor a number of batches"
        )
    return Keep(age=seconds(int(age[1]) * _UNITS[age[2]]))
