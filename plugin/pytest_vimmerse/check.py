"""The face of `vimmerse-mock check`: progress, a table, and an exit code, in place of pytest's own.

pytest -p no:terminal -p pytest_vimmerse.check ...
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import pytest
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pytest_vimmerse.plugin import RUN
from pytest_vimmerse.report import RULES, verdicts_of
from vimmerse_contracts.runs import Outcome, Verdict, count_reasons, count_rules, judge

if TYPE_CHECKING:
    from pytest_vimmerse.run import Run

_HELD, _BROKEN, _COULD_NOT_RUN = 0, 1, 2
"""Exit codes."""
_COLOURS: Final = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.SKIPPED: "yellow"}
"""In the order of the table's columns."""
_MESSAGE_LINES: Final = 4
_FAMILIES: Final = {
    "create": "POST /batch",
    "read": "GET /batch/{batch_id}",
    "update": "PUT /batch/{batch_id}/edit",
    "concat": "POST /batch/{batch_id}/concat",
    "health": "GET /health",
    "webhook": "the webhook",
    "object": "the Batch object",
    "auth": "the key",
    "form": "how forms are read",
    "error": "errors",
}
"""What the rules are about whose ids begin so, in the order of the table."""


def pytest_configure(config: pytest.Config) -> None:
    """Take the place of pytest's terminal."""
    config.pluginmanager.register(_Face(config))


class _Face:
    """Shows a run while it goes, and what came of it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._console = Console(highlight=False)
        self._progress = Progress(
            TextColumn("{task.description:<60.60}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("collecting", total=None)
        self._reports: list[pytest.TestReport] = []
        self._troubles: list[str] = []

    @property
    def _run(self) -> Run | None:
        run: Run | None = self._config.pluginmanager.get_plugin(RUN)
        return run

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be collected."""
        if report.failed:
            self._troubles.append(report.longreprtext)

    def pytest_internalerror(self, excrepr: object) -> None:
        """Keep what went wrong in the run itself."""
        self._troubles.append(str(excrepr))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Print the plan, and begin."""
        for line in self._run.plan_lines() if self._run else ():
            self._console.print(escape(line), soft_wrap=True)
        self._progress.update(self._task, total=len(session.items))
        self._progress.start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Show which test runs."""
        self._progress.update(self._task, description=escape(nodeid.rpartition("/")[2]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test that ended."""
        self._reports.append(report)
        if report.when == "teardown":
            self._progress.advance(self._task)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Show what came of it, and set the exit code."""
        self._progress.stop()
        verdicts = verdicts_of(self._reports)
        if verdicts:
            self._console.print(_table(verdicts))
        for line in self._lines(verdicts):
            self._console.print(line, soft_wrap=True)
        outcomes = {verdict.outcome for verdict in verdicts}
        finished = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if Outcome.FAILED in outcomes:
            session.exitstatus = _BROKEN
        elif not finished or self._troubles or Outcome.PASSED not in outcomes:
            session.exitstatus = _COULD_NOT_RUN
        else:
            session.exitstatus = _HELD

    def _lines(self, verdicts: Sequence[Verdict]) -> Iterator[str]:
        for report in self._reports:
            if report.failed:
                yield from _failure_lines(report)
        yield from map(escape, self._troubles)
        outcomes = judge(verdicts)
        for outcome in _COLOURS:
            if outcome in outcomes.values():
                yield count_rules(outcomes, outcome)
        yield from map(escape, count_reasons(verdicts))
        yield from map(escape, self._run.spending_lines() if self._run else ())


def _table(verdicts: Sequence[Verdict]) -> Table:
    counts = Counter(
        (rule.id.partition(".")[0].replace("errors", "error"), outcome)
        for rule, outcome in judge(verdicts).items()
    )
    columns = [outcome.of_rule for outcome in _COLOURS]
    table = Table("rules of", *columns, title="The contract", title_justify="left")
    for family, about in _FAMILIES.items():
        if any(counts[family, outcome] for outcome in _COLOURS):
            row = [(counts[family, outcome], colour) for outcome, colour in _COLOURS.items()]
            table.add_row(about, *(f"[{colour}]{n}[/]" if n else "-" for n, colour in row))
    return table


def _failure_lines(report: pytest.TestReport) -> Iterator[str]:
    name, rules = report.nodeid.rpartition("/")[2], dict(report.user_properties).get(RULES, "")
    yield f"[red]broken[/] {escape(name)} ({rules})"
    crash = getattr(report.longrepr, "reprcrash", None)
    message = str(crash.message) if crash is not None else report.longreprtext
    yield from (f"  {escape(line)}" for line in message.splitlines()[:_MESSAGE_LINES])
