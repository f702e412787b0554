"""What became of tests, and by them of the rules that they hold a target to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from vimmerse_contracts.operations import all_rules
from vimmerse_contracts.provenance import Rule, Standing


class Outcome(StrEnum):
    """What became of a test, in pytest's words; the first of its tests' outcomes is a rule's."""

    FAILED = "failed"
    PASSED = "passed"
    SKIPPED = "skipped"

    @property
    def of_rule(self) -> str:
        """What the same is called of a rule: broken, held, not run."""
        return {"failed": "broken", "passed": "held"}.get(self, "not run")


class Verdict(msgspec.Struct, frozen=True, tag_field="kind", tag="verdict"):
    """What became of a test; `rules` are the ids of the rules that it holds the target to.

    `reason` says why it was skipped or failed. This is a line of an evidence file, too.
    """

    test: str
    outcome: Outcome
    rules: tuple[str, ...] = ()
    reason: str = ""


def by_rule(verdicts: Iterable[Verdict]) -> defaultdict[str, list[Verdict]]:
    """Sort verdicts by the ids of their rules."""
    found: defaultdict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        for rule in verdict.rules:
            found[rule].append(verdict)
    return found


def outcome_of_rule(verdicts: Iterable[Verdict]) -> Outcome:
    """Return what became of a rule: one failure breaks it, one success holds it."""
    return min(
        (verdict.outcome for verdict in verdicts),
        key=list(Outcome).index,
        default=Outcome.SKIPPED,
    )


def judge(verdicts: Iterable[Verdict]) -> dict[Rule, Outcome]:
    """Return what became of every rule of the contract that a test names."""
    known = {rule.id: rule for rule in all_rules()}
    found = by_rule(verdicts)
    return {known[name]: outcome_of_rule(found[name]) for name in found if name in known}


def count_rules(outcomes: Mapping[Rule, Outcome], outcome: Outcome) -> str:
    """Count the rules of an outcome: `5 rules held: 3 documented, 1 observed, 1 assumed`."""
    standings = Counter(rule.standing for rule, each in outcomes.items() if each is outcome)
    parts = ", ".join(f"{standings[each]} {each}" for each in Standing)
    total = standings.total()
    return f"{total} rule{'' if total == 1 else 's'} {outcome.of_rule}: {parts}"


def count_reasons(verdicts: Iterable[Verdict]) -> Sequence[str]:
    """Count the tests that were not run by their reason, the most frequent first.

    What stands behind a colon is a test's own and is left out.
    """
    reasons = Counter(
        verdict.reason.partition(": ")[0]
        for verdict in verdicts
        if verdict.outcome is Outcome.SKIPPED
    )
    return [f"{n} test{'' if n == 1 else 's'} {reason}" for reason, n in reasons.most_common()]
