"""What a run's summary says: what became of the rules, and what tests relied on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import pytest

from vimmerse_contracts.runs import (
    Assumption,
    Outcome,
    Sent,
    Step,
    Verdict,
    count_reasons,
    count_rules,
    judge,
    relied_on,
)
from vimmerse_contracts.suite import rules_of

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from pytest_vimmerse.handle import Vimmerse

RULES: Final = "vimmerse_rules"
"""The property of a report that names the rules of its test."""

_ASSUMED: Final = "vimmerse_assumed"
"""The property of a report that names the assumed rules its test relied on."""

_TITLE: Final = "Vimmerse: the contract"


def rules_of_test(item: pytest.Item) -> tuple[str, ...]:
    """Return the ids of the rules that a test holds a target to, from its docstring."""
    return rules_of(getattr(getattr(item, "obj", None), "__doc__", None) or "")


def verdicts_of(reports: Iterable[pytest.TestReport]) -> tuple[Verdict, ...]:
    """Return what became of each test of the suite: by its call, or what came instead of it."""
    verdicts: dict[str, Verdict] = {}
    for report in reports:
        rules = str(dict(report.user_properties).get(RULES, ""))
        if rules and (report.when == "call" or not report.passed):
            outcome, reason = Outcome(report.outcome), ""
            if outcome is Outcome.SKIPPED:
                at = report.longrepr
                reason = at[2] if isinstance(at, tuple) else report.longreprtext
            verdicts[report.nodeid] = Verdict(
                report.nodeid, outcome, tuple(rules.split(",")), reason.removeprefix("Skipped: ")
            )
    return tuple(verdicts.values())


def write_summary(reporter: TerminalReporter, reports: Sequence[pytest.TestReport]) -> None:
    """Write what became of the rules, and what tests relied on that is only assumed."""
    lines = [*_rule_lines(verdicts_of(reports)), *_assumption_lines(reports)]
    if lines:
        reporter.section(_TITLE)
        for line in lines:
            reporter.write_line(line)


def _rule_lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    outcomes = judge(verdicts)
    for outcome in (Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED):
        rules = [rule for rule, came in outcomes.items() if came is outcome]
        if rules:
            yield count_rules(outcomes, outcome)
        if outcome is not Outcome.PASSED:
            yield from (f"  {rule.id}: {rule.text} [{rule.provenance}]" for rule in rules)
    yield from count_reasons(verdicts)


def _assumption_lines(reports: Iterable[pytest.TestReport]) -> Iterator[str]:
    relied = [
        str(dict(report.user_properties).get(_ASSUMED, "")).split(",")
        for report in reports
        if report.when == "call" and _ASSUMED in dict(report.user_properties)
    ]
    if relied:
        rules = Counter(rule for each in relied for rule in each)
        tests = f"{len(relied)} test{'' if len(relied) == 1 else 's'}"
        behaviours = f"{len(rules)} assumed behaviour{'' if len(rules) == 1 else 's'}"
        listed = ", ".join(rule for rule, _ in rules.most_common())
        yield f"{tests} relied on {behaviours}: {listed}"


def note_assumptions(item: pytest.Item, handles: Iterable[Vimmerse], *, fail: bool) -> None:
    """Note what a test relied on that is only assumed; `fail` the test if it did.

    Raises:
        Failed: an assumption was relied on.
    """
    found = [assumption for handle in handles for assumption in _assumptions_of(handle)]
    if not found:
        return
    item.user_properties.append((_ASSUMED, ",".join(dict.fromkeys(r.rule.id for r in found))))
    if fail:
        listed = "\n".join(f"  {assumption}" for assumption in found)
        pytest.fail(f"the test relied on behaviour that is only assumed:\n{listed}", pytrace=False)


def _assumptions_of(handle: Vimmerse) -> tuple[Assumption, ...]:
    from vimmerse_mock import ControlError, UnknownAccountError  # noqa: PLC0415 - not to report a run of workers

    def ends(batch_id: str) -> Sequence[datetime]:
        return [
            event.at
            for event in handle.events()
            if event.batch_id == batch_id
            and event.kind == "transition"
            and event.what.startswith("processing -> ")
        ]

    def sent() -> Sequence[Sent]:
        return [Sent(each.batch_id, each.submission, len(each.attempts)) for each in handle.outbox]

    try:
        steps = [
            Step(
                at=exchange.at,
                operation=exchange.operation,
                path=exchange.path,
                status=exchange.status,
                form=exchange.form,
                answer=exchange.answer,
                batch_id=exchange.batch_id,
                batch_status=exchange.batch_status,
                progress=exchange.progress,
            )
            for exchange in handle.journal.requests()
        ]
        return relied_on(steps, ends, sent)
    except (ControlError, UnknownAccountError):
        return ()  # the test closed its account, or its mock is gone
