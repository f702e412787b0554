"""Monotonic seconds for deadlines, which no test can freeze."""

from __future__ import annotations

import sys
import time

if sys.platform == "win32":
    _read = time.monotonic  # noqa: TID251 - as it is when this is imported

    def monotonic() -> float:
        """Return monotonic seconds."""
        return _read()

else:

    def monotonic() -> float:
        """Return monotonic seconds.

        freezegun replaces `time.monotonic`, and a deadline that was read from a frozen clock is
        never reached.
        """
        return time.clock_gettime(time.CLOCK_MONOTONIC)
