"""What became of the rules: each is held, broken or not run, by the tests that hold it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from vimmerse_contracts.operations import all_rules
from vimmerse_contracts.provenance import Rule, Standing


class Verdict(StrEnum):
    """What became of a test, or of a rule."""

    HELD = "held"
    BROKEN = "broken"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Judged:
    """A test with the ids of its rules, what became of it, and why it was not run."""

    test: str
    rules: tuple[str, ...]
    verdict: Verdict
    reason: str = ""


def judge(tests: Iterable[Judged]) -> dict[Rule, Verdict]:
    """Judge every rule that a test names: one failure breaks it, one success holds it."""
    known = {rule.id: rule for rule in all_rules()}
    verdicts: dict[Rule, Verdict] = {}
    for test in tests:
        for rule in (known[name] for name in test.rules if name in known):
            verdicts[rule] = _worse(verdicts.get(rule, Verdict.NOT_RUN), test.verdict)
    return verdicts


def _worse(one: Verdict, other: Verdict) -> Verdict:
    order = (Verdict.BROKEN, Verdict.HELD, Verdict.NOT_RUN)
    return min(one, other, key=order.index)


def counted(verdicts: Mapping[Rule, Verdict], verdict: Verdict) -> str:
    """Count the rules of a verdict: `5 rules held: 3 documented, 1 observed, 1 assumed`."""
    standings = Counter(rule.standing for rule, came in verdicts.items() if came is verdict)
    parts = ", ".join(f"{standings[each]} {each}" for each in Standing)
    return f"{_rules(standings.total())} {verdict}: {parts}"


def _rules(count: int) -> str:
    return "1 rule" if count == 1 else f"{count} rules"


def reasons(tests: Iterable[Judged]) -> list[tuple[str, int]]:
    """Count the tests that were not run by their reason, the most frequent first.

    What stands behind a colon is a test's own and is left out.
    """
    unrun = [test for test in tests if test.verdict is Verdict.NOT_RUN]
    return Counter(test.reason.partition(": ")[0] for test in unrun).most_common()


def family(rule: Rule) -> str:
    """Name what a rule is about: its operation, `webhook`, `error`, `object` or `auth`."""
    return rule.id.partition(".")[0].replace("errors", "error")
