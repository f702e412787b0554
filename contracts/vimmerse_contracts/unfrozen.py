"""Time that no test can freeze.

freezegun replaces `time.monotonic` and `datetime` wherever a module has them, also in modules that
are imported while it is at work. A deadline that was read from a frozen clock is never reached, and
a type that was resolved meanwhile stays the fake one for the rest of the process.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

# In tuples, where freezegun does not look.
_DATETIME: Final = (next(each for each in datetime.__mro__ if each.__module__ == "datetime"),)
_MONOTONIC: Final = (time.monotonic,)  # noqa: TID251 - for Windows, which has no other clock

if TYPE_CHECKING:
    Moment = datetime
else:
    Moment = Annotated[_DATETIME[0], "an instant"]
    """The type of an instant in a message."""

if sys.platform == "win32":

    def monotonic() -> float:
        """Return monotonic seconds."""
        return _MONOTONIC[0]()

else:

    def monotonic() -> float:
        """Return monotonic seconds."""
        return time.clock_gettime(time.CLOCK_MONOTONIC)


def real_datetime() -> type[datetime]:
    """Return the class `datetime.datetime`."""
    return _DATETIME[0]
