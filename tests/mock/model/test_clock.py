from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_mock.errors import ClockError
from vimmerse_mock.model.clock import SECOND, Clock, from_datetime, to_datetime

INSTANTS = st.integers(0, 4_000_000_000_000_000)
RATES = st.floats(0.001, 10_000)


def test_an_instant_is_microseconds_since_the_epoch() -> None:
    """The seed's 2025-04-02 16:21:42.465259 becomes an instant and back, to the microsecond."""
    moment = datetime(2025, 4, 2, 16, 21, 42, 465259, tzinfo=UTC)
    assert to_datetime(from_datetime(moment)) == moment


def test_a_live_clock_runs_at_its_rate() -> None:
    """Two real seconds are two minutes on a clock that runs sixtyfold."""
    assert Clock(100, 100, rate=60).at(100 + 2 * SECOND) == 100 + 120 * SECOND


def test_a_manual_clock_stands_still() -> None:
    """However much real time passes, a manual clock shows the same."""
    assert Clock(100, 100, rate=0).at(10**15) == 100


def test_a_manual_clock_never_reaches_the_future_by_itself() -> None:
    """Nothing is ever due by itself on a manual clock, but for what is due now."""
    clock = Clock(100, 100, rate=0)
    assert clock.real_at(101) is None
    assert clock.real_at(100) == 100


def test_a_clock_refuses_to_go_back() -> None:
    """Moving a clock into its past is an error that shows both instants."""
    with pytest.raises(ClockError, match=r"forward only.*1970-01-01 00:00:10.*1970-01-01 00:00:09"):
        Clock(10 * SECOND, 10 * SECOND).moved_to(9 * SECOND, real=10 * SECOND)


@pytest.mark.parametrize("rate", [-1.0, float("inf"), float("nan")])
def test_a_clock_refuses_a_rate_that_is_none(rate: float) -> None:
    """A rate is zero or a positive, finite number."""
    with pytest.raises(ClockError, match="rate"):
        Clock(0, 0, rate)


@given(INSTANTS, INSTANTS, RATES, st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_clock_never_runs_backwards(
    origin: int, anchor: int, rate: float, first: int, later: int
) -> None:
    """A later real instant never shows an earlier virtual one, even if real time is set back."""
    clock = Clock(origin, anchor, rate)
    assert clock.at(anchor + first) <= clock.at(anchor + first + later)
    assert clock.at(anchor - first) == origin


@given(INSTANTS, INSTANTS, RATES, st.integers(0, 10**12))
def test_real_at_is_when_the_clock_gets_there(
    origin: int, anchor: int, rate: float, ahead: int
) -> None:
    """At the real instant that `real_at` names, the clock has reached the virtual one."""
    clock = Clock(origin, anchor, rate)
    real = clock.real_at(origin + ahead)
    assert real is not None
    assert clock.at(real) >= origin + ahead
