"""Run the suite against every broken mock, and show which test caught which.

    python -m contracts.mutants [WORD]

Without a WORD, each broken mock meets the file of the suite that is there for it. With one, the
broken mocks that have it in their name or rule meet the whole suite, and every test that caught
them is shown. Exit code 1: one was not caught by the test that is there for it.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import redirect_stdout
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Final

import pytest
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from contracts.broken_mocks import BROKEN_MOCKS, BrokenMock
from contracts.suite_runs import QUIETLY, ROOT, SUITE, BringTarget, name_of
from pytest_vimmerse.targets import MockTarget
from vimmerse_contracts.checks import ContractViolation
from vimmerse_mock.receiving.inbox import Listener
from vimmerse_mock.server import MockServer

_SAID_LIMIT: Final = 120
_VIOLATION: Final = f"{ContractViolation.__module__}.{ContractViolation.__name__}: "
_WIDE: Final = 160
_ARGUMENTS: Final = (
    *(*QUIETLY, "-c", os.devnull, f"--rootdir={ROOT}", "--pyargs"),
    # The plugin is imported here before pytest can rewrite its asserts, of which it has none.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)


@dataclass(frozen=True, slots=True)
class Caught:
    """What a broken mock made of the suite: the tests that failed, by what they said first."""

    name: str
    said: dict[str, str]


class _Failures:
    """A plugin that remembers what failed."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the first line of what a failed test says."""
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            said = crash.message if crash else report.longreprtext
            first_line = said.partition("\n")[0].removeprefix(_VIOLATION)
            self.said.setdefault(name_of(report.nodeid), first_line[:_SAID_LIMIT])


def run_against(name: str, *, whole: bool) -> Caught:
    """Run the suite, or the file that must catch it, against the broken mock of that name."""
    (broken,) = (each for each in BROKEN_MOCKS if each.name == name)
    what = SUITE if whole else f"{SUITE}.{broken.caught_by.partition('::')[0]}"
    failures, listener = _Failures(), Listener()
    try:
        with pytest.MonkeyPatch.context() as patch, MockServer(broken.build(patch)) as server:
            target = MockTarget(name, server.open_account, listener)
            with redirect_stdout(io.StringIO()):
                pytest.main([*_ARGUMENTS, what], plugins=[BringTarget(target), failures])
    finally:
        listener.stop()
    return Caught(name, failures.said)


def run_all(mocks: Sequence[BrokenMock], *, whole: bool) -> Iterator[Caught]:
    """Run the suite against each, in as many processes as there are cores."""
    workers = max(1, min(os.cpu_count() or 1, len(mocks)))
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        runs = [pool.submit(run_against, each.name, whole=whole) for each in mocks]
        for done in as_completed(runs):
            yield done.result()


def as_table(mocks: Iterable[BrokenMock], caught: dict[str, Caught], *, all_tests: bool) -> Table:
    """Show which test caught which."""
    table = Table("broken mock", "rule", show_lines=all_tests)
    table.add_column("caught by", overflow="fold")
    table.add_column("which said", overflow="fold")
    for broken in mocks:
        said = caught[broken.name].said
        others = sorted(set(said) - {broken.caught_by})
        more = others if all_tests else [f"and {len(others)} others"] if others else []
        missed = f"[red]NOT by {broken.caught_by}[/red]"
        first = broken.caught_by if broken.caught_by in said else missed
        table.add_row(
            broken.name,
            broken.breaks,
            "\n".join([first, *more]),
            escape(said.get(broken.caught_by, "")),
        )
    return table


def main(word: str = "") -> int:
    """Run, show, and return the exit code."""
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    mocks = [each for each in BROKEN_MOCKS if word in each.name or word in each.breaks]
    if not mocks:
        console.print(f"No broken mock has {word!r} in its name or its rule.")
        return 2
    title = f"The suite against {len(mocks)} broken mocks"
    whole = bool(word)
    runs = track(run_all(mocks, whole=whole), title, len(mocks), console=console)
    caught = {each.name: each for each in runs}
    console.print(as_table(mocks, caught, all_tests=whole))
    missed = [each.name for each in mocks if each.caught_by not in caught[each.name].said]
    console.print(f"{len(mocks) - len(missed)} caught, {len(missed)} missed: {missed or 'none'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
