"""The bounds of what comes in, at the doors of Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import pytest

from vimmerse_mock.errors import InvalidError
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.bounds import NAME, NUMBER, PLANNED, SPEED, out_of_bounds
from vimmerse_mock.model.clock import Clock, ClockSetting
from vimmerse_mock.model.credits import PriceList
from vimmerse_mock.model.faults import Fault, FaultKind
from vimmerse_mock.model.limits import Throttle
from vimmerse_mock.model.scenarios import Scenario

MUCH = 10**300
LONG = "x" * 70_000
HALF = "\ud800"
OUTSIDE: tuple[Callable[[], object], ...] = (
    lambda: Opening(credits=-1),
    lambda: Opening(credits=10**15 + 1),
    lambda: Opening(credits=True),
    lambda: Opening(api_key="k" * 256),
    lambda: Opening(customer_id="c" * 256),
    lambda: Opening(customer_id=HALF),
    lambda: Opening(customer_id="\x9b31m"),
    lambda: Opening(seed="s" * 256),
    lambda: Opening(seed=HALF),
    lambda: ClockSetting(speed=1e-308),
    lambda: ClockSetting(speed=float("nan")),
    lambda: ClockSetting(speed=MUCH),
    lambda: ClockSetting("stepping", step=MUCH),
    lambda: Clock(-1, 0),
    lambda: Clock(0, 0, step=MUCH),
    lambda: Fault(FaultKind.STATUS, nth=MUCH),
    lambda: Fault(FaultKind.STATUS, times=0),
    lambda: Fault(FaultKind.STATUS, status=MUCH),
    lambda: Fault(FaultKind.STATUS, body=LONG),
    lambda: Fault(FaultKind.STATUS, body=HALF),
    lambda: Fault(FaultKind.LATENCY, delay="2d"),
    lambda: Throttle(MUCH),
    lambda: PriceList(concat=MUCH),
    lambda: PriceList({"Auto": -1}),
    lambda: Scenario(message=LONG),
    lambda: Scenario(message=HALF),
    lambda: Scenario(fail_medias=[MUCH]),
    lambda: Scenario(fail_medias=range(1_000_001)),
    lambda: Scenario(queue=MUCH),
)


@pytest.mark.parametrize("make", OUTSIDE)
def test_what_is_out_of_bounds_is_refused_in_a_short_sentence(make: Callable[[], object]) -> None:
    """At the bounds' both ends, whatever it is; a huge value is not repeated whole."""
    with pytest.raises(InvalidError) as caught:
        make()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "headers",
    [
        {"X": "a\nb"},
        {"X": "a\rb"},
        {"X": "a\0b"},
        {"X": "\N{CHECK MARK}"},
        {"": "x"},
        {"a b": "x"},
        {"X": "x" * 10_000},
        {f"X-{number}": "x" for number in range(65)},
        {"Transfer-Encoding": "chunked"},
        {"content-length": "3"},
        {"Connection": "close"},
    ],
)
def test_a_fault_has_only_headers_that_an_answer_can_have(headers: dict[str, str]) -> None:
    """Refused when it is planned, not when it is met."""
    with pytest.raises(InvalidError):
        Fault(FaultKind.STATUS, headers=headers)
    assert Fault(FaultKind.STATUS, headers={"Retry-After": "1", "X-Note": "caf\xe9"}).headers


def test_an_unknown_kind_of_fault_is_refused_with_the_kinds() -> None:
    """A kind is given as a member, or by its name."""
    assert Fault("lost").kind is FaultKind.LOST  # type: ignore[arg-type]
    with pytest.raises(InvalidError, match="there are status, latency, reset, "):
        Fault("explode")  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Part:
    number: Annotated[int, NUMBER] | None = 1
    pairs: tuple[tuple[str, Annotated[str, NAME] | None], ...] = ()


@dataclass(frozen=True)
class _Whole:
    parts: Annotated[tuple[_Part, ...], PLANNED] = ()
    speeds: dict[str, Annotated[float, SPEED]] = field(default_factory=dict)


def test_what_is_out_of_bounds_is_found_wherever_it_stands() -> None:
    """In values within values, in lists, in mappings; what may be missing may be missing."""
    pairs = (("a", None), ("b", "x" * 256))
    whole = _Whole((_Part(None), _Part(0), _Part(1, pairs)), {"fast": 1e9})
    found = dict(out_of_bounds(whole, _Whole))
    places = [("parts", 1, "number"), ("parts", 2, "pairs", 1, 1), ("speeds", "fast")]
    assert list(found) == places
    assert found["parts", 1, "number"] == "expected 1 to 2,147,483,647, not 0"
    assert dict(out_of_bounds(_Whole((_Part(),) * 1_001), _Whole)).keys() == {("parts",)}
