"""The summary of a run: what became of the rules, and what was not run, because of what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import pytest

from pytest_vimmerse import assumptions
from vimmerse_contracts.runs.verdicts import Judged, Verdict, counted, judge, reasons
from vimmerse_contracts.suite.rules import rules_of

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

RULES: Final = "vimmerse_rules"
"""The property of a report that names the rules of its test."""

_OUTCOMES: Final = {"passed": Verdict.HELD, "failed": Verdict.BROKEN, "skipped": Verdict.NOT_RUN}
_TITLE: Final = "Vimmerse: the contract"


def rules_of_test(item: pytest.Item) -> tuple[str, ...]:
    """Read the rules that a test holds a target to, from its docstring."""
    return rules_of(getattr(getattr(item, "obj", None), "__doc__", None) or "")


def judged(reports: Iterable[pytest.TestReport]) -> tuple[Judged, ...]:
    """Judge each test of the suite by its reports: that of its call, or of what came instead."""
    tests: dict[str, Judged] = {}
    for report in reports:
        rules = str(dict(report.user_properties).get(RULES, ""))
        if rules and (report.when == "call" or not report.passed):
            verdict = _OUTCOMES[report.outcome]
            reason = _reason(report) if verdict is Verdict.NOT_RUN else ""
            tests[report.nodeid] = Judged(report.nodeid, tuple(rules.split(",")), verdict, reason)
    return tuple(tests.values())


def _reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return text.removeprefix("Skipped: ")


def write_summary(reporter: TerminalReporter, reports: Sequence[pytest.TestReport]) -> None:
    """Write what became of the rules, and what tests relied on that is only assumed."""
    lines = [
        *told(judged(reports)),
        *assumptions.told(each for each in reports if each.when == "call"),
    ]
    if lines:
        reporter.section(_TITLE)
        for line in lines:
            reporter.write_line(line)


def told(tests: Iterable[Judged]) -> Iterator[str]:
    """Tell what became of the rules that tests hold, and why tests were not run, in lines."""
    tests = tuple(tests)
    verdicts = judge(tests)
    for verdict in Verdict:
        rules = [rule for rule, came in verdicts.items() if came is verdict]
        if rules:
            yield counted(verdicts, verdict)
        if verdict is not Verdict.HELD:
            yield from (f"  {rule.id}: {rule.text} [{rule.provenance}]" for rule in rules)
    for reason, count in reasons(tests):
        yield f"{count} test{'' if count == 1 else 's'} {reason}"
