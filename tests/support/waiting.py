"""Waiting for a condition, with a deadline."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Final

from vimmerse_contracts.unfrozen import monotonic

DEADLINE_SECONDS: Final = 300.0
"""For what takes a second: so long that only what hangs exceeds it, however busy the machine."""
_LOOK_AGAIN_SECONDS: Final = 0.02


def await_condition(
    holds: Callable[[], object], what: str, seconds: float = DEADLINE_SECONDS
) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: it did not, within that many seconds; the sentence says what was waited for.
    """
    deadline = monotonic() + seconds
    while not holds():
        if monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        pause(_LOOK_AGAIN_SECONDS)


def pause(seconds: float) -> None:
    """Move time forward."""
    Event().wait(seconds)
