"""The bounds of what comes in: of every number, text and list, at every door.

A field of the model names its bounds in its type, `credits: Annotated[int, CREDITS]`. Who makes a
value checks them at once; of what was written elsewhere, such as a snapshot, `out_of_bounds` finds
what is outside. All are within what every store keeps.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sized
from dataclasses import dataclass, is_dataclass
from functools import cache
from types import NoneType
from typing import Annotated, Any, Final, cast, get_args, get_origin, get_type_hints

_QUOTED: Final = 100


@dataclass(frozen=True)
class Bounds:
    """From `least` to `most`, both included, of a number: `number in bounds` asks.

    A float is in no bounds of whole numbers, and a truth value in none at all.
    """

    least: float
    most: float

    def __contains__(self, number: object) -> bool:
        kinds = int if isinstance(self.least, int) else (int, float)
        if isinstance(number, bool) or not isinstance(number, kinds):
            return False
        return self.least <= number <= self.most

    def __str__(self) -> str:
        return f"{self.least:,} to {self.most:,}"


class Lengths(Bounds):
    """How long a text or a list may be: `text in lengths` asks."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, Sized) and super().__contains__(len(value))


CREDITS: Final = Bounds(0, 10**15)
"""What an account has."""
TOP_UP: Final = Bounds(1, 10**15)
BOOKED: Final = Bounds(-(2**63) + 1, 2**63 - 1)
"""One movement of credits; the sum of the movements is within `CREDITS`."""
PRICE: Final = Bounds(0, 10**6)
"""Credits for a second of video, or for a concat."""
INSTANT: Final = Bounds(0, 253_402_300_799_999_999)
"""Microseconds from 1970 to the end of the calendar, 9999."""
CLOCK: Final = Bounds(0, 221_845_392_000_000_000)
"""To 9000-01-01: no clock goes further, so that whatever it leads to is still in the calendar."""
SPAN: Final = Bounds(0, 366 * 86_400 * 100 * 10**6)
"""Microseconds: longer than a hundred years is a mistake."""
SPEED: Final = Bounds(1e-6, 1e6)
"""How many times as fast as real time a clock runs."""
COUNT: Final = Bounds(0, 2**31 - 1)
NUMBER: Final = Bounds(1, 2**31 - 1)
"""What is counted from 1, and limits that let something through."""
PLACE: Final = Bounds(0, 999_999)
"""Of a media in its batch."""
PLACES: Final = Lengths(0, 1_000_000)
BYTES: Final = Bounds(0, 2**40)
PERCENT: Final = Bounds(0, 100)
HALT: Final = Bounds(0, 99)
"""The percent at which something ends that is no success."""
STATUS: Final = Bounds(0, 999)
"""Of HTTP; 0 where there was no answer."""

WORKERS: Final = Bounds(1, 64)
MEBIBYTES: Final = Bounds(1, 65_536)
EXCHANGES: Final = Bounds(0, 100_000)
"""How many requests a journal has."""

NAME: Final = Lengths(0, 255)
"""The length of a key, a customer's id, a seed."""
TEXT: Final = Lengths(0, 65_536)
"""The length of any other text."""
PLANNED: Final = Lengths(0, 1_000)
"""How many scenarios, faults or delivery plans an account has waiting."""
ITEMS: Final = Lengths(0, 1_000_000)
"""The length of any other list."""


def quoted(value: object) -> str:
    """Return a value for a sentence that refuses it, shortened."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of many thousand digits
        return "so large a number"
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."


def is_writable(text: str) -> bool:
    """Whether UTF-8 can write a text: halves of surrogate pairs it cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


Place = tuple[str | int, ...]
"""The steps that lead to a value: names of fields, and numbers in lists."""
Problem = tuple[Place, str]
"""A place, and what is wrong there."""


def out_of_bounds(value: Any, written: Any, place: Place = ()) -> Iterator[Problem]:  # noqa: ANN401 - any value of the model, and its type
    """Find what is out of the bounds of its type in a value that has the right type otherwise."""
    if value is None:
        return
    if get_origin(written) is Annotated:
        written, *notes = get_args(written)
        for bounds in notes:
            if isinstance(bounds, Bounds) and value not in bounds:
                yield place, f"expected {_what(value)}{bounds}, not {quoted(value)}"
    for step, part, kind in _parts(value, written):
        yield from out_of_bounds(part, kind, (*place, *step))


def _parts(value: Any, written: Any) -> Iterator[tuple[Place, Any, Any]]:  # noqa: ANN401 - as above
    """Yield what a value is made of: the step that leads there, the part, and its type."""
    kinds = get_args(written)
    if NoneType in kinds:
        yield from (((), value, kind) for kind in kinds if kind is not NoneType)
    elif is_dataclass(value):
        for name, kind in _fields(cast(Hashable, type(value))).items():
            yield (name,), getattr(value, name), kind
    elif get_origin(written) is tuple:
        for number, part in enumerate(value):
            yield (number,), part, kinds[0] if kinds[1:] == (...,) else kinds[number]
    elif isinstance(value, Mapping):
        yield from (((name,), part, kinds[1]) for name, part in value.items())


def _what(value: object) -> str:
    return "a length of " if isinstance(value, Sized) else ""


@cache
def _fields(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - a dataclass
    return get_type_hints(kind, include_extras=True)
