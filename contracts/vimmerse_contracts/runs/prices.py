"""Prices: what the suite's requests buy, what that costs by a price list, and the plan of a run.

What a service really charges is not public (A): the price list is what its users were told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from vimmerse_contracts.vocabulary import (
    DURATION_SECONDS,
    MOTION_TYPES,
    QUANTITY,
    RESUBMITTING_FIELDS,
)

Form = Mapping[str, str | int | Sequence[str]]
"""A form; a sequence is the repeated key (S)."""

CONCAT: Final = "concat"
"""What stands for a concat in a price list, where motion types stand."""

_NAMES: Final = (*MOTION_TYPES, CONCAT)


class PriceListError(Exception):
    """A price list is none; the message says what is wrong with it."""


class NotAffordableError(Exception):
    """A request must not be sent: it might cost more than may be spent, or spending was stopped."""


class UnknownPriceError(NotAffordableError):
    """There is no price for some of what would be bought; the message says how to give it."""

    def __init__(self, names: Iterable[str]) -> None:
        missing = " ".join(f"--vimmerse-price {name}=CREDITS" for name in sorted(names))
        super().__init__(f"of the limit: an unknown price counts as over it ({missing})")


@dataclass(frozen=True, slots=True)
class Purchase:
    """One thing that costs: a generation, or a concat of what was generated.

    `motion_type` is empty for one that no service should know, and `CONCAT` for a concat.
    """

    images: int = 1
    motion_type: str = "Auto"
    seconds: int = 5
    quantity: int = 1

    def __str__(self) -> str:
        if self.motion_type == CONCAT:
            return "a concat"
        return f"{self.images} x {self.quantity} x {self.seconds} s of {self.motion_type or 'any'}"


CONCATENATION: Final = Purchase(motion_type=CONCAT, seconds=1)


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several purchases; which one depends on the order of the tests."""

    purchases: tuple[Purchase, ...]


@dataclass(frozen=True, slots=True)
class Once:
    """Purchases that several tests share: they are made once in each process of a run."""

    name: str
    purchases: tuple[Purchase, ...]


Cost = Purchase | OneOf | Once
"""What a test declares: `@pytest.mark.vimmerse_costs(*costs)`."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Credits for a second of video, by motion type, and for a `concat`, as far as known."""

    listed: Mapping[str, int] = field(default_factory=dict)

    def total(self, costs: Iterable[Cost]) -> int:
        """Return the credits that these may cost at most.

        A generation costs seconds x quantity x images at its motion type's rate. A motion type that
        no service should know counts as the most expensive one of the list.

        Raises:
            UnknownPriceError: there is no price for one of them.
        """
        costs = tuple(costs)
        unknown = {each.motion_type for each in _purchases(costs)} - {*self.listed, ""}
        if unknown:
            raise UnknownPriceError(unknown)
        return sum(map(self._price, costs))

    def _price(self, cost: Cost) -> int:
        if isinstance(cost, Purchase):
            rate = self.listed[cost.motion_type] if cost.motion_type else self._highest_rate
            return rate * cost.seconds * cost.quantity * cost.images
        prices = map(self._price, cost.purchases)
        return max(prices) if isinstance(cost, OneOf) else sum(prices)

    @property
    def _highest_rate(self) -> int:
        rates = [rate for name, rate in self.listed.items() if name != CONCAT]
        if not rates:
            raise UnknownPriceError(["Auto"])
        return max(rates)


def _purchases(costs: Iterable[Cost]) -> Iterator[Purchase]:
    for each in costs:
        yield from (each,) if isinstance(each, Purchase) else each.purchases


def read_prices(text: str) -> Prices:
    """Read a price list: a JSON object of credits a second by motion type, and of `concat`.

    Raises:
        PriceListError: it is none.
    """
    try:
        listed = json.loads(text)
    except ValueError as error:
        raise PriceListError(
            f"a price list is a JSON object, and this is not JSON: {error}"
        ) from None
    if not isinstance(listed, dict):
        raise PriceListError('a price list is a JSON object like {"Auto": 1, "concat": 0}')
    return make_prices(listed)


def make_prices(listed: Mapping[str, Any]) -> Prices:
    """Make a price list of credits a second by motion type, and of `concat`.

    Raises:
        PriceListError: a name is no motion type, or a price no number of credits.
    """
    for name, price in listed.items():
        if name not in _NAMES:
            raise PriceListError(f"{name!r} is not one of {', '.join(_NAMES)}")
        if not isinstance(price, int) or isinstance(price, bool) or price < 0:
            raise PriceListError(f"the price of {name!r} is a number of credits, not {price!r}")
    return Prices(dict(listed))


def creation(form: Form, uploads: int = 0) -> Purchase:
    """Return what a creation may buy at most; files win over URLs (P25).

    A value that the API refuses counts as the most expensive one that it accepts.
    """
    return again(Purchase(images=uploads or len(_values(form, "image_urls"))), form)


def again(purchase: Purchase, form: Form) -> Purchase:
    """Return what an update buys that processes a batch again: its settings, but for the form's.

    An empty text counts as not given (create.empty_is_absent).
    """
    motion_type = _last(form, "motion_type") or purchase.motion_type
    return replace(
        purchase,
        motion_type=motion_type if motion_type in MOTION_TYPES else "",
        seconds=_number(_last(form, "duration"), purchase.seconds, DURATION_SECONDS[1]),
        quantity=_number(_last(form, "quantity"), purchase.quantity, QUANTITY[1]),
    )


def resubmits(form: Form) -> bool:
    """Whether an update names a field that processes again, and costs again (S)."""
    return any(name in form for name in RESUBMITTING_FIELDS)


def _number(text: str, otherwise: int, most: int) -> int:
    if not text:
        return otherwise
    return int(text) if text.isdecimal() and int(text) else most


def _last(form: Form, name: str) -> str:
    return next(reversed(_values(form, name)), "")


def _values(form: Form, name: str) -> list[str]:
    value = form.get(name, ())
    return [str(value)] if isinstance(value, str | int) else [str(each) for each in value]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which tests a limit allows: what each may cost at most, or why it is not run."""

    limit: int
    credits: Mapping[str, int]
    refusals: Mapping[str, str]

    @property
    def ceiling(self) -> int:
        """What all the tests that are run may cost at most."""
        return sum(self.credits.values())

    def lines(self) -> tuple[str, ...]:
        """Return what a terminal shows of it."""
        paid = sum(1 for each in self.credits.values() if each)
        counts = (
            f"{paid} tests cost, {len(self.credits) - paid} cost nothing or share what others pay "
            "for"
        )
        lines = [f"may spend {self.ceiling} credits at most, of {self.limit} allowed: {counts}"]
        if self.refusals:
            lines.append(f"{len(self.refusals)} tests are not run, because of the limit")
        return tuple(lines)


def make_plan(
    tests: Iterable[tuple[str, Sequence[Cost]]], prices: Prices, limit: int, processes: int = 1
) -> Plan:
    """Take tests in their order, as long as the limit allows what each may cost at most.

    What tests share is made once in each of the `processes`. A test that is too expensive, or has
    no known price, is refused; cheaper ones after it are not.
    """
    planned: dict[str, int] = {}
    refusals: dict[str, str] = {}
    made: set[str] = set()
    left = limit
    for test, costs in tests:
        shared = [each for each in costs if isinstance(each, Once) and each.name not in made]
        own = [each for each in costs if not isinstance(each, Once)]
        try:
            most = prices.total([*own, *shared * processes])
        except UnknownPriceError as error:
            refusals[test] = f"not run, because {error}"
            continue
        if most > left:
            refusals[test] = (
                f"not run, because of the limit: it may cost {most} credits, and {left} are left"
            )
            continue
        made |= {each.name for each in shared}
        planned[test] = most
        left -= most
    return Plan(limit, planned, refusals)
