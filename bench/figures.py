"""A run of the bench, how it takes turns, and the figures that it brings home."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

Measure = Callable[[], Sequence[float]]
"""Measures something once; what it returns has the same length each time."""
_DECIMALS: Final = {"/s": 0, "ms": 2, "s": 3, "MB": 2, "x": 2, "cores": 2}


@dataclass(frozen=True, slots=True)
class Run:
    """What every benchmark is handed; `scratch` is a folder that is gone after the run."""

    quick: bool
    scratch: Path
    started: float = field(default_factory=perf_counter)

    def amount(self, quick: int, full: int) -> int:
        """Choose how many times, seconds or things to measure."""
        return quick if self.quick else full

    def step(self, what: str) -> None:
        """Show on stderr what is being done."""
        print(f"{perf_counter() - self.started:5.0f} s  {what}", file=sys.stderr, flush=True)

    def in_turn(self, *measures: Measure, turns: int = 0) -> list[list[float]]:
        """Run the measures in turn (A B A B ...), so that noise meets each alike.

        Returns the medians of each measure's values.
        """
        turns = turns or self.amount(1, 5)
        rounds = [[measure() for measure in measures] for _ in range(turns)]
        columns = [zip(*values, strict=True) for values in zip(*rounds, strict=True)]
        return [[median(column) for column in each] for each in columns]


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured: ours, and what is beside it, in the same unit.

    `aims` are written as in the report, such as `≤ 3 x, ≤ 10 ms`; `x` is the ratio of the two.
    """

    what: str
    ours: float
    unit: str
    beside: float | None = None
    aims: str = ""

    def row(self) -> str:
        """Write a row of a table."""
        ratio = self.ours / self.beside if self.beside else None
        aims = self.aims.split(", ") if self.aims else []
        verdict = "met" if all(map(self._is_met, aims)) else "**not** met"
        numbers = [(self.ours, self.unit), (self.beside, self.unit), (ratio, "x")]
        written = ["" if n is None else f"{n:,.{_DECIMALS[unit]}f} {unit}" for n, unit in numbers]
        return f"| {' | '.join([self.what, *written, self.aims, self.aims and verdict])} |"

    def _is_met(self, aim: str) -> bool:
        sign, bound, unit = aim.split()
        value = self.ours / (self.beside or 1) if unit == "x" else self.ours
        return value >= float(bound) if sign == "≥" else value <= float(bound)


Benchmark = Callable[[Run], Iterable[Figure]]
"""Measures one thing; its docstring is what the report says of it, under its first line."""


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    started = perf_counter()
    work()
    return perf_counter() - started
