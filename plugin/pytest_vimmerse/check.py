"""The face of `vimmerse-mock check`: progress, a table, and an exit code, in place of pytest's own.

pytest -p no:terminal -p pytest_vimmerse.check ...
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import pytest
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pytest_vimmerse.summary import RULES, judged
from vimmerse_contracts.runs.verdicts import Judged, Verdict, counted, family, judge, reasons

if TYPE_CHECKING:
    from pytest_vimmerse.guard import Guard

HELD: Final = 0
BROKEN: Final = 1
COULD_NOT_RUN: Final = 2
_GUARD: Final = "vimmerse_guard"
_COLOURS: Final = {Verdict.HELD: "green", Verdict.BROKEN: "red", Verdict.NOT_RUN: "yellow"}
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
    "error": "errors",
}
"""What the rules of a family are about, in the order of the table."""


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
    def _guard(self) -> Guard | None:
        guard: Guard | None = self._config.pluginmanager.get_plugin(_GUARD)
        return guard

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be collected."""
        if report.failed:
            self._troubles.append(report.longreprtext)

    def pytest_internalerror(self, excrepr: object) -> None:
        """Keep what went wrong in the run itself."""
        self._troubles.append(str(excrepr))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Print the plan, and begin."""
        for line in self._guard.plan_lines() if self._guard else ():
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
        tests = judged(self._reports)
        if tests:
            self._console.print(_table(tests))
        for line in self._lines(tests):
            self._console.print(line, soft_wrap=True)
        session.exitstatus = self._exit_code(tests, int(session.exitstatus))

    def _lines(self, tests: tuple[Judged, ...]) -> Iterator[str]:
        yield from _failures(self._reports)
        yield from map(escape, self._troubles)
        verdicts = judge(tests)
        if verdicts:
            yield from (counted(verdicts, each) for each in Verdict if each in verdicts.values())
        for reason, count in reasons(tests):
            yield escape(f"{count} test{'' if count == 1 else 's'} {reason}")
        yield from map(escape, self._guard.account() if self._guard else ())

    def _exit_code(self, tests: tuple[Judged, ...], came: int) -> int:
        came_of = {test.verdict for test in tests}
        if Verdict.BROKEN in came_of:
            return BROKEN
        finished = came in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if not finished or self._troubles or Verdict.HELD not in came_of:
            return COULD_NOT_RUN
        return HELD


def _table(tests: Iterable[Judged]) -> Table:
    counts = Counter((family(rule), verdict) for rule, verdict in judge(tests).items())
    table = Table("rules of", *Verdict, title="The contract", title_justify="left")
    for name, about in _FAMILIES.items():
        row = [counts[name, verdict] for verdict in Verdict]
        if any(row):
            table.add_row(about, *(_cell(n, each) for n, each in zip(row, Verdict, strict=True)))
    return table


def _cell(count: int, verdict: Verdict) -> str:
    return f"[{_COLOURS[verdict]}]{count}[/]" if count else "-"


def _failures(reports: Iterable[pytest.TestReport]) -> Iterator[str]:
    for report in reports:
        if report.failed:
            name = report.nodeid.rpartition("/")[2]
            rules = dict(report.user_properties).get(RULES, "")
            yield f"[red]broken[/] {escape(name)} ({rules})"
            yield from (
                f"  {escape(line)}" for line in _message(report).splitlines()[:_MESSAGE_LINES]
            )


def _message(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message) if crash is not None else report.longreprtext
