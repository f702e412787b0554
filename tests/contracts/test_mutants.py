from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from rich.console import Console

from contracts.broken_mocks import BROKEN_MOCKS, BrokenMock
from contracts.mutants import Caught, as_table, main

TESTS: Final = Path(__file__).parent.parent
FIRST: Final = BROKEN_MOCKS[0]


def shown(mock: BrokenMock, said: dict[str, str], *, all_tests: bool) -> str:
    """The table of one broken mock, as text."""
    console = Console(width=200)
    with console.capture() as captured:
        console.print(as_table([mock], {mock.name: Caught(mock.name, said)}, all_tests=all_tests))
    return captured.get()


def test_a_run_shows_which_test_caught_a_broken_mock() -> None:
    """A run against one broken mock names its rule and its test, and ends well."""
    run = subprocess.run(
        [sys.executable, "-m", "contracts.mutants", "a webhook of nobody"],
        cwd=TESTS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "webhook.body" in run.stdout
    assert "test_one_webhook_comes_when_a_batch_is" in run.stdout
    assert "1 caught, 0 missed: none" in run.stdout


def test_what_was_missed_is_seen() -> None:
    """A broken mock that its test let pass is marked, whatever else failed."""
    assert f"NOT by {FIRST.caught_by}" in shown(FIRST, {"test_a::b": "no"}, all_tests=False)
    assert "NOT by" not in shown(FIRST, {FIRST.caught_by: "[x] no"}, all_tests=False)


def test_all_that_caught_it_are_listed_on_request() -> None:
    """Other tests that failed are counted, or listed if asked for."""
    said = {FIRST.caught_by: "[x] no", "test_a::b": "no"}
    assert "and 1 others" in shown(FIRST, said, all_tests=False)
    assert "test_a::b" in shown(FIRST, said, all_tests=True)


def test_a_word_that_fits_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no broken mock has the word, the run says so and ends with exit code 2."""
    assert main("no such rule") == 2
    assert "no such rule" in capsys.readouterr().out
