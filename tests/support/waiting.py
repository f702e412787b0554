"""Waiting for a condition, with a deadline."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from time import monotonic

_LOOK_AGAIN_SECONDS = 0.02


def await_condition(holds: Callable[[], object], what: str, seconds: float = 60) -> None:
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
