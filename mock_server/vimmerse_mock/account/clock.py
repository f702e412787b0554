"""An account's clock as a test holds it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from vimmerse_mock.control import messages as r
from vimmerse_mock.control import operations as o
from vimmerse_mock.model.clock import ClockMode, ClockSetting, in_seconds, parse_span

if TYPE_CHECKING:
    from vimmerse_mock.account.account import Account

Events = tuple[r.EventInfo, ...]


class Identified(Protocol):
    """A batch, as the client or the control plane has it."""

    @property
    def id(self) -> str:
        """The batch's id."""


class AccountClock:
    """An account's clock; it moves forward only.

    Spans are texts like `90s`, or numbers of seconds. Whatever moves it delivers the webhooks that
    fall due on the way, each at its own instant and in order, before it returns, and returns what
    happened.
    """

    def __init__(self, account: Account) -> None:
        self._account = account

    @property
    def mode(self) -> ClockMode:
        """What moves it: real time, a hand, or every read of an unfinished batch."""
        return self._account.call(o.SHOW_CLOCK).mode

    def now(self) -> datetime:
        """Return the time on this clock, in UTC."""
        return self._account.call(o.SHOW_CLOCK).now

    def advance(self, span: str | float) -> Events:
        """Move forward by a span.

        Raises:
            SpanError: it is none, or negative.
        """
        return self._account.call(o.ADVANCE, o.AdvanceBy(by=in_seconds(parse_span(span)))).events

    def move_to(self, moment: datetime) -> Events:
        """Move forward to an aware datetime.

        Raises:
            ClockError: the moment lies in the past.
        """
        return self._account.call(o.MOVE_TO, o.MoveTo(to=moment)).events

    def advance_to_next(self) -> Events:
        """Move to the next instant at which a batch moves on or a webhook falls due.

        Returns nothing, and does not move, if nothing is to come.
        """
        return self._account.call(o.ADVANCE_TO_NEXT).events

    def run_until(
        self, condition: Callable[[], bool] | Identified | str, within: str | float = "1d"
    ) -> Events:
        """Move from one thing that happens to the next until a condition holds.

        A batch, or the id of one, stands for the condition that it is done.

        Raises:
            AssertionError: it does not hold within that span, or nothing more is to come.
        """
        holds = condition if callable(condition) else self._done(condition)
        end = self.now() + timedelta(microseconds=parse_span(within))
        happened: list[r.EventInfo] = []
        while not holds():
            moved = self._account.call(o.ADVANCE_TO_NEXT)
            happened += moved.events
            if moved.nothing_to_come and holds():  # a clock that runs came there by itself
                break
            if moved.nothing_to_come or moved.now > end:
                why = "and nothing more is to come" if moved.nothing_to_come else f"within {within}"
                raise AssertionError(
                    f"the condition did not come true {why}; the clock shows {moved.now}\n"
                    f"{self._account.story()}"
                )
        return tuple(happened)

    def set(self, mode: ClockMode, *, speed: float = 1.0, step: str | float = 1.0) -> None:
        """Go on from the present in another way: live, manual or stepping.

        `set("live", speed=60)` is sixty times as fast as real time, `set("manual")` stands still
        until it is moved, `set("stepping", step="2s")` moves by that span at every read of an
        unfinished batch, after the answer.

        Raises:
            ClockError: no clock runs so.
            SpanError: the step is no span.
        """
        self._account.call(o.SET_CLOCK, ClockSetting(mode, speed, step))

    def _done(self, batch: Identified | str) -> Callable[[], bool]:
        batch_id = batch if isinstance(batch, str) else batch.id

        def holds() -> bool:
            found = [each for each in self._account.batches if each.id == batch_id]
            if not found:
                raise AssertionError(f"the account has no batch {batch_id}")
            return found[0].status.is_final

        return holds
