"""Real time, in a test's hand."""

from __future__ import annotations

from vimmerse_mock.model.clock import Instant

NOON: Instant = 1_743_595_200_000_000
"""2025-04-02 12:00:00 UTC."""


class FrozenTime:
    """Real time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> Instant:
        """Return the time."""
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        """Move time forward."""
        self.now += round(seconds * 1_000_000)
