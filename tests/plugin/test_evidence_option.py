from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from vimmerse_contracts.runs.drift import compare_evidence
from vimmerse_contracts.runs.evidence.file import Contract, Evidence, Header, begin, load_evidence

QUIETLY = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-W", "error")

CRASHING = """
import os

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    if "test_a_batch_that_nobody_has_is_not_found" in item.nodeid:
        os._exit(9)
"""


def run(pytester: pytest.Pytester, *args: str, only: str = "") -> pytest.RunResult:
    """Run the suite, or a module of it, in a process of its own, recording into `e.jsonl`."""
    what = f"vimmerse_contracts.suite{only and '.'}{only}"
    return pytester.runpytest_subprocess(
        "--pyargs", what, "--vimmerse-evidence=e.jsonl", *QUIETLY, *args
    )


def recorded(pytester: pytest.Pytester) -> Evidence:
    """Read what was recorded."""
    return load_evidence(pytester.path / "e.jsonl")


def test_workers_write_one_file(pytester: pytest.Pytester) -> None:
    """Under xdist there is one whole file with every test, and no drift from a single process."""
    run(pytester, "-n", "2", only="test_create")
    many = recorded(pytester)
    assert many.problems == ()
    assert (pytester.path / "e.jsonl").read_text().count('"kind": "target"') == 1
    run(pytester, only="test_create")
    alone = recorded(pytester)
    assert {each.test: each.outcome for each in many.verdicts} == {
        each.test: each.outcome for each in alone.verdicts
    }
    assert len(many.verdicts) == len(alone.verdicts) > 10
    assert compare_evidence(alone, many) == ()


def test_references_of_workers_are_of_one_run(pytester: pytest.Pytester) -> None:
    """The accounts of two workers are two customers, and each batch is a batch of one of them."""
    run(pytester, "-n", "2", only="test_create")
    owners: dict[str, set[str]] = {}
    for exchange in recorded(pytester).exchanges:
        body = exchange.answer.body if exchange.answer else None
        if isinstance(body, dict) and "data" in body:
            owners.setdefault(body["data"]["id"], set()).add(body["data"]["customer_id"])
    assert all(len(customers) == 1 for customers in owners.values())
    assert "<batch:1>" in owners
    assert {customer for each in owners.values() for customer in each} >= {
        "<customer:1>",
        "<customer:2>",
    }


def test_a_worker_that_crashes_costs_its_test_only(pytester: pytest.Pytester) -> None:
    """What a crashed worker had written stays; its test is judged as failed; others go on."""
    pytester.makepyfile(crashing=CRASHING)
    run(pytester, "-n", "2", "-p", "crashing", only="test_read")
    evidence = recorded(pytester)
    assert evidence.problems == ()
    verdicts = {each.test: each for each in evidence.verdicts}
    crashed = verdicts.pop("test_read::test_a_batch_that_nobody_has_is_not_found")
    assert (crashed.outcome, crashed.reason) == ("failed", "it was not run to its end")
    assert crashed.rules == ("read.unknown", "error.404")
    assert Counter(each.outcome for each in verdicts.values()) == {"passed": 6}


def test_a_run_that_is_killed_leaves_what_it_had(pytester: pytest.Pytester) -> None:
    """Without an end there is no footer, and every line up to there can be used."""
    pytester.makepyfile(crashing=CRASHING)
    run(pytester, "-p", "crashing", only="test_read")
    evidence = recorded(pytester)
    assert [problem.text for problem in evidence.problems] == [
        "the file ends here without a footer: the run was cut off, or is not over"
    ]
    assert [each.test for each in evidence.verdicts] == [
        "test_read::test_a_read_answers_with_the_batch",
        "test_read::test_reading_changes_nothing",
    ]
    assert evidence.exchanges


def test_a_run_that_is_interrupted_says_so(pytester: pytest.Pytester) -> None:
    """A file of a run that stopped early is sealed, and says that it is not all there is."""
    pytester.makepyfile(
        crashing=CRASHING.replace("os._exit(9)", "raise KeyboardInterrupt").replace("import os", "")
    )
    run(pytester, "-p", "crashing", only="test_read")
    (problem,) = recorded(pytester).problems
    assert problem.text == "the run says of itself: pytest ended with exit code 2"


def test_tests_of_others_are_not_in_it(pytester: pytest.Pytester) -> None:
    """Only the contract suite is recorded, whatever else the run has in it."""
    mine = pytester.makepyfile(test_mine="def test_mine(vimmerse): assert vimmerse.credits")
    run(pytester, str(mine), only="test_health")
    tests = {each.test.partition("::")[0] for each in recorded(pytester).verdicts}
    assert tests == {"test_health"}


def test_a_file_that_cannot_be_written_is_one_clear_sentence(pytester: pytest.Pytester) -> None:
    """A folder that is not there is said before any test runs."""
    result = pytester.runpytest_subprocess("--vimmerse-evidence=nowhere/e.jsonl")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --vimmerse-evidence: */nowhere/e.jsonl cannot be written: No such file*"]
    )


def test_what_is_no_evidence_is_not_written_over(pytester: pytest.Pytester) -> None:
    """A file that is something else stays what it was, and so does one that is only looked at."""
    path: Path = pytester.path / "e.jsonl"
    path.write_text("mine\n")
    result = run(pytester, only="test_health")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*e.jsonl cannot be written: it exists already, and is not*"])
    assert path.read_text() == "mine\n"
    path.unlink()
    run(pytester, only="test_health")
    before = path.read_text()
    run(pytester, "--collect-only", only="test_read")
    assert path.read_text() == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_only_its_owner_may_read_it(pytester: pytest.Pytester) -> None:
    """A recorded file is its owner's, whoever could read the one that was there before."""
    path: Path = pytester.path / "e.jsonl"
    run(pytester, only="test_read")
    path.chmod(0o644)
    run(pytester, only="test_health")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "test_read" not in path.read_text()
    with pytest.raises(FileExistsError):
        begin(Path(os.devnull), Header(1, "", "", Contract("", {})))


def test_a_file_that_is_taken_away_is_one_clear_sentence(pytester: pytest.Pytester) -> None:
    """Where the file is gone when the run ends, that is said, and no traceback."""
    pytester.makepyfile(crashing=CRASHING.replace("os._exit(9)", "os.unlink('e.jsonl')"))
    result = run(pytester, "-p", "crashing", only="test_read")
    output = result.stdout.str() + result.stderr.str()
    assert "e.jsonl could not be sealed: No such file or directory" in output
    assert "Traceback" not in output
    assert result.ret not in (0, 1)
