"""An account's clock as a test holds it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from vimmerse_mock.control import messages as r
from vimmerse_mock.control import operations as o
from vimmerse_mock.errors import BatchNotFoundError
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
    """The clock of an account (time travel). It moves forward only.

    A span is a text such as `90s`, or a number of seconds. Every method that moves the clock
    delivers the webhooks that fall due on the way, in order, each at its own instant. Then it
    returns what happened.
    """

    def __init__(self, account: Account) -> None:
        self._account = account

    @property
    def mode(self) -> ClockMode:
        """What moves the clock: "live", "manual" or "stepping"."""
        return self._account.call(o.SHOW_CLOCK).mode

    def now(self) -> datetime:
        """Return the time on this clock, in UTC."""
        return self._account.call(o.SHOW_CLOCK).now

    def advance(self, span: str | float) -> Events:
        """Move forward by a span.

        Raises:
            SpanError: the span is not valid, or is negative.
        """
        return self._account.call(o.ADVANCE, o.AdvanceBy(by=in_seconds(parse_span(span)))).events

    def move_to(self, moment: datetime) -> Events:
        """Move forward to an aware datetime.

        Raises:
            ClockError: the moment lies in the past.
        """
        return self._account.call(o.MOVE_TO, o.MoveTo(to=moment)).events

    def advance_to_next(self) -> Events:
        """Move to the next instant at which a batch changes or a webhook falls due.

        Returns an empty tuple, and does not move, if nothing is planned.
        """
        return self._account.call(o.ADVANCE_TO_NEXT).events

    def run_until(
        self, condition: Callable[[], bool] | Identified | str, within: str | float = "1d"
    ) -> Events:
        """Move from event to event until a condition is true.

        Give a batch, or its id, to move until that batch is done.

        Raises:
            AssertionError: the condition is not true within that span, or nothing more is planned.
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
                why = "and nothing more is planned" if moved.nothing_to_come else f"within {within}"
                raise AssertionError(
                    f"the condition did not become true {why}; the clock shows {moved.now}\n"
                    f"{self._account.story()}"
                )
        return tuple(happened)

    def set(self, mode: ClockMode, *, speed: float = 1.0, step: str | float = 1.0) -> None:
        """Change what moves the clock: "live", "manual" or "stepping".

        `set("live", speed=60)` runs sixty times as fast as real time. `set("manual")` stands still
        until you move it. `set("stepping", step="2s")` moves by that span at each read of an
        unfinished batch, after the answer.

        Raises:
            ClockError: the speed or the step does not fit the mode.
            SpanError: the step is not a span of time.
        """
        self._account.call(o.SET_CLOCK, ClockSetting(mode, speed, step))

    def _done(self, batch: Identified | str) -> Callable[[], bool]:
        batch_id = batch if isinstance(batch, str) else batch.id

        def holds() -> bool:
            try:
                return self._account.batch(batch_id).status.is_final
            except BatchNotFoundError as error:
                raise AssertionError(str(error)) from error

        return holds
