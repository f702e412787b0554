"""Drift: where two services, or two states of one, differ in what the contract speaks of.

Pure comparison of what others have read: `compare_evidence` of two evidence files,
`compare_documents` of two OpenAPI documents. docs/evidence.md says what each severity means.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vimmerse_contracts.runs.drift.answers import compare_answers
from vimmerse_contracts.runs.drift.course import compare_courses
from vimmerse_contracts.runs.drift.findings import Finding, Severity, in_order
from vimmerse_contracts.runs.drift.json_schema import DocumentError
from vimmerse_contracts.runs.drift.openapi import DocumentDrift, compare_documents
from vimmerse_contracts.runs.evidence.file import Evidence
from vimmerse_contracts.runs.verdicts import Outcome, Verdict, by_rule, outcome_of_rule

__all__ = [
    "DocumentDrift",
    "DocumentError",
    "Finding",
    "Severity",
    "compare_documents",
    "compare_evidence",
    "in_order",
]


def compare_evidence(first: Evidence, second: Evidence) -> tuple[Finding, ...]:
    """Return where the second differs from the first, worst first.

    What only one of them has to show (a test that was not run, a state that no batch was seen in)
    is no difference of the services, and is at most cosmetic.
    """
    return in_order(
        [
            *_compare_contracts(first, second),
            *_compare_rules(first, second),
            *compare_answers(first, second),
            *compare_courses(first, second),
        ]
    )


def _compare_contracts(first: Evidence, second: Evidence) -> Iterator[Finding]:
    if first.header is None or second.header is None:
        return
    one, two = first.header.contract, second.header.contract
    if one.rules != two.rules:
        expected, seen = (f"version {each.version}, {len(each.rules)} rules" for each in (one, two))
        yield Finding(Severity.COSMETIC, "contract", "contract", "rules", expected, seen)


def _compare_rules(first: Evidence, second: Evidence) -> Iterator[Finding]:
    before, now = by_rule(first.verdicts), by_rule(second.verdicts)
    for rule in dict.fromkeys([*before, *now]):
        was, became = outcome_of_rule(before[rule]), outcome_of_rule(now[rule])
        if was is became:
            continue
        severity = Severity.COSMETIC
        if became is Outcome.FAILED:
            severity = Severity.BREAKING
        elif was is Outcome.FAILED and became is Outcome.PASSED:
            severity = Severity.ADDITIVE
        expected, seen = _explained(was, before[rule]), _explained(became, now[rule])
        yield Finding(severity, "rule", "rule", rule, expected, seen)


def _explained(outcome: Outcome, verdicts: Sequence[Verdict]) -> str:
    """What became of a rule, with the first test that says so and why, if not that it held."""
    for verdict in verdicts:
        if verdict.outcome is outcome is not Outcome.PASSED:
            return f"{outcome.of_rule} by {verdict.test} ({verdict.reason})"
    return outcome.of_rule
