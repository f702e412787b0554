"""Runs of the contract suite inside a test, and what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

import vimmerse_contracts.suite
from vimmerse_contracts.suite.target import Target

SUITE = "vimmerse_contracts.suite"
ROOT = Path(vimmerse_contracts.suite.__file__).parent
_WITHOUT = ("randomly", "xdist", "cacheprovider", "timeout", "hypothesispytest", "schemathesis")
QUIETLY = ("-q", "-W", "error", *(f"-pno:{plugin}" for plugin in _WITHOUT))


class BringTarget:
    """A plugin that brings a target."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def pytest_vimmerse_target(self) -> Target:
        """Return the target."""
        return self._target


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """The reports of a run, by outcome."""

    passed: tuple[pytest.TestReport, ...]
    skipped: tuple[pytest.TestReport, ...]
    failed: tuple[pytest.TestReport, ...]

    @property
    def said(self) -> str:
        """Everything that the failures say."""
        return "\n".join(report.longreprtext for report in self.failed)


def names(reports: Iterable[pytest.TestReport]) -> Counter[str]:
    """Count reports by the name of their test: `test_read::test_reading_changes_nothing`."""
    return Counter(name_of(report.nodeid) for report in reports)


def run_suite(
    pytester: pytest.Pytester, *args: str, target: Target | None = None, only: Iterable[str] = ()
) -> SuiteRun:
    """Run the suite, or `only` some of its tests, against what the arguments name or a target."""
    what = [f"{SUITE}.{name}" for name in only] or [SUITE]
    recorder = pytester.inline_run(
        "--pyargs",
        *what,
        *QUIETLY,
        f"--rootdir={ROOT}",
        *args,
        plugins=[BringTarget(target)] if target else [],
    )
    passed, skipped, failed = recorder.listoutcomes()
    return SuiteRun(tuple(passed), tuple(_tests(skipped)), tuple(_tests(failed)))


def _tests(reports: Iterable[pytest.TestReport | pytest.CollectReport]) -> list[pytest.TestReport]:
    return [_test(report) for report in reports]


def _test(report: pytest.TestReport | pytest.CollectReport) -> pytest.TestReport:
    if not isinstance(report, pytest.TestReport):
        raise AssertionError(f"no test: {report.longreprtext}")  # noqa: TRY004 - a test failed
    return report


def name_of(node_id: str) -> str:
    """Name the test of a report: `test_read::test_reading_changes_nothing`."""
    path, _, test = node_id.partition("::")
    return f"{path.rpartition('/')[2].removesuffix('.py')}::{test.partition('[')[0]}"
