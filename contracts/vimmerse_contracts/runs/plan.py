"""The plan of a run that costs: which tests a limit allows, and what they may cost at most."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from vimmerse_contracts.runs.spending import Cost, Once, Prices, unpriced


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided of a test: what it may cost at most, and why it is not run, if it is not."""

    test: str
    credits: int
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Every test's decision, in the order in which they run."""

    limit: int
    decisions: tuple[Decision, ...]

    @property
    def ceiling(self) -> int:
        """What all the tests that are run may cost at most."""
        return sum(each.credits for each in self.decisions)

    @property
    def refusals(self) -> dict[str, str]:
        """Why tests are not run, by the names of the tests."""
        return {each.test: each.refusal for each in self.decisions if each.refusal}

    def written(self) -> tuple[str, ...]:
        """Write it for a terminal."""
        paid = [each for each in self.decisions if each.credits]
        free = len(self.decisions) - len(paid) - len(self.refusals)
        counts = f"{len(paid)} tests cost, {free} cost nothing or share what others pay for"
        lines = [f"may spend {self.ceiling} credits at most, of {self.limit} allowed: {counts}"]
        if self.refusals:
            lines.append(f"{len(self.refusals)} tests are not run, because of the limit")
        return tuple(lines)


@dataclass(slots=True)
class _Planner:
    prices: Prices
    limit: int
    processes: int
    made: set[str] = field(default_factory=set)
    planned: int = 0

    def decide(self, test: str, costs: tuple[Cost, ...]) -> Decision:
        shared = [each for each in costs if isinstance(each, Once) and each.name not in self.made]
        alone = [each for each in costs if not isinstance(each, Once)]
        needed, own = self.prices.total(shared), self.prices.total(alone)
        if needed is None or own is None:
            unknown = self.prices.unknown([*shared, *alone])
            return Decision(test, 0, f"not run, because {unpriced(unknown)}")
        most, left = own + needed * self.processes, self.limit - self.planned
        if most > left:
            return Decision(test, 0, _too_dear(most, left))
        self.made |= {each.name for each in shared}
        self.planned += most
        return Decision(test, most)


def _too_dear(most: int, left: int) -> str:
    return f"not run, because of the limit: it may cost {most} credits, and {left} are left"


def make_plan(
    tests: Iterable[tuple[str, tuple[Cost, ...]]], prices: Prices, limit: int, processes: int = 1
) -> Plan:
    """Take tests in their order, as long as the limit allows what each may cost at most.

    What tests share is made once in each of the `processes`. A test that is too dear, or has no
    known price, is refused; cheaper ones after it are not.
    """
    planner = _Planner(prices, limit, processes)
    return Plan(limit, tuple(planner.decide(test, costs) for test, costs in tests))
