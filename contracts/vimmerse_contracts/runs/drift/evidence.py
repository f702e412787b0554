"""Two evidence files compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from vimmerse_contracts.runs.drift.answers import compare_answers
from vimmerse_contracts.runs.drift.course import compare_courses
from vimmerse_contracts.runs.drift.findings import Finding, Severity, in_order
from vimmerse_contracts.runs.evidence.file import Evidence, Verdict

HELD: Final = "held"
BROKEN: Final = "broken"
NOT_RUN: Final = "not run"


def compare_verdicts(first: Evidence, second: Evidence) -> Iterator[Finding]:
    """Compare what became of each rule."""
    before, now = _by_rule(first), _by_rule(second)
    for rule in dict.fromkeys([*before, *now]):
        was, became = _standing(before[rule]), _standing(now[rule])
        if was != became:
            seen = f"{became}{_because(now[rule], became)}"
            expected = f"{was}{_because(before[rule], was)}"
            yield Finding(_severity(was, became), "rule", "rule", rule, expected, seen)


def compare_contracts(first: Evidence, second: Evidence) -> Iterator[Finding]:
    """Say so where the two were held to different contracts."""
    if first.header is None or second.header is None:
        return
    one, two = first.header.contract, second.header.contract
    if one.rules != two.rules:
        expected, seen = (f"version {each.version}, {len(each.rules)} rules" for each in (one, two))
        yield Finding(Severity.COSMETIC, "contract", "contract", "rules", expected, seen)


def _by_rule(evidence: Evidence) -> defaultdict[str, list[Verdict]]:
    verdicts: defaultdict[str, list[Verdict]] = defaultdict(list)
    for verdict in evidence.verdicts:
        for rule in verdict.rules:
            verdicts[rule].append(verdict)
    return verdicts


def _standing(verdicts: Sequence[Verdict]) -> str:
    outcomes = {verdict.outcome for verdict in verdicts}
    if "failed" in outcomes:
        return BROKEN
    return HELD if "passed" in outcomes else NOT_RUN


def _because(verdicts: Sequence[Verdict], standing: str) -> str:
    """Name a test that a rule's standing comes from, and its reason."""
    wanted = {BROKEN: "failed", NOT_RUN: "skipped"}.get(standing)
    for verdict in verdicts:
        if verdict.outcome == wanted:
            return f" by {verdict.test} ({verdict.reason})"
    return ""


def _severity(was: str, became: str) -> Severity:
    if became == BROKEN:
        return Severity.BREAKING
    return Severity.ADDITIVE if was == BROKEN and became == HELD else Severity.COSMETIC


def compare_evidence(first: Evidence, second: Evidence) -> tuple[Finding, ...]:
    """Say where the second differs from the first, worst first.

    What only one of them has to show (a test that was not run, a state that no batch was seen in)
    is no difference of the services, and is said at most as cosmetic.
    """
    return in_order(
        [
            *compare_contracts(first, second),
            *compare_verdicts(first, second),
            *compare_answers(first, second),
            *compare_courses(first, second),
        ]
    )
