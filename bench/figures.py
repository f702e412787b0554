"""What a benchmark brings home: figures, each with the aim beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

T = TypeVar("T")

_DECIMALS: Final = {"/s": 0, "ms": 2, "µs": 0, "s": 3, "MB": 2, "x": 3, "statements": 0}


class BenchError(Exception):
    """The bench could not run; the message says why and what to do."""


def written(value: float, unit: str) -> str:
    """Write a value with its unit, as precisely as it deserves."""
    return f"{value:,.{_DECIMALS[unit]}f} {unit}"


@dataclass(frozen=True, slots=True)
class Aim:
    """A bound that a figure should keep: `<`, `<=` or `>=`.

    With `of_ratio` the bound is on ours divided by the competitor's, otherwise on ours alone.
    """

    sign: str
    bound: float
    of_ratio: bool = False

    def is_met(self, value: float) -> bool:
        """Whether a value keeps the bound."""
        held = {"<": value < self.bound, "<=": value <= self.bound, ">=": value >= self.bound}
        return held[self.sign]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing: ours, and the competitor's of the same run where there is one."""

    what: str
    ours: float
    unit: str
    beside: float | None = None
    aim: Aim | None = None

    @property
    def ratio(self) -> float | None:
        """Ours, as a multiple of the competitor's."""
        return self.ours / self.beside if self.beside else None

    @property
    def verdict(self) -> str:
        """Whether the aim is met; empty where there is none."""
        judged = self.ratio if self.aim and self.aim.of_ratio else self.ours
        if self.aim is None or judged is None:
            return ""
        return "met" if self.aim.is_met(judged) else "**not met**"


@dataclass(frozen=True, slots=True)
class Section:
    """The figures of one benchmark, and what they mean.

    `absent` says what could not be measured, and why. `details` are lines of markdown that follow
    under a heading of their own.
    """

    name: str
    meaning: str
    figures: Sequence[Figure]
    absent: Mapping[str, str] = field(default_factory=dict)
    details: Sequence[str] = ()


def interleave(competitors: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run the competitors in turn (A B A B ...), so that noise hits each alike."""
    results: dict[str, list[T]] = {name: [] for name in competitors}
    for _ in range(rounds):
        for name, measure in competitors.items():
            results[name].append(measure())
    return results
