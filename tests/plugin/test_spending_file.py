from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from vimmerse_contracts.runs.prices import NotAffordableError
from vimmerse_contracts.runs.spending import Spending, SpendingFile

HOLDING = """
import sys
from pathlib import Path
from vimmerse_contracts.runs.prices import NotAffordableError
from vimmerse_contracts.runs.spending import SpendingFile
file, got = SpendingFile(Path(sys.argv[1])), 0
for _ in range(40):
    try:
        with file.changing() as spending:
            spending.hold(3, "a batch")
    except NotAffordableError:
        continue
    got += 3
print(got)
"""


@pytest.fixture
def file(tmp_path: Path) -> SpendingFile:
    """A file of a run with a limit of 100 credits."""
    made = SpendingFile(tmp_path / "spending.json")
    made.create(100)
    return made


def test_processes_that_race_never_hold_more_than_the_limit(file: SpendingFile) -> None:
    """Four processes that want 480 credits at once get 99 of 100, three by three."""
    command = [sys.executable, "-c", HOLDING, str(file.path)]
    racing = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    got = [int(process.communicate()[0]) for process in racing]
    assert sum(got) == file.read().total == 99


@pytest.mark.parametrize("indent", [4, 12], ids=["after holding", "while holding"])
def test_what_was_held_outlives_its_process(file: SpendingFile, indent: int) -> None:
    """A process that dies gives back nothing that it reserved, and blocks no other."""
    dying = "import os; os._exit(9)"
    code = HOLDING.replace("range(40)", "range(1)").replace("print(got)", dying)
    if indent == 12:
        code = code.replace('"a batch")\n', f'"a batch")\n            {dying}\n')
    died = subprocess.run([sys.executable, "-c", code, str(file.path)], check=False)
    assert died.returncode == 9
    spending = file.read()
    assert (spending.total, spending.unanswered) == ((3, ("a batch",)) if indent == 4 else (0, ()))


def test_an_exception_changes_nothing(file: SpendingFile) -> None:
    """What is not allowed is not written either."""
    with contextlib.suppress(NotAffordableError), file.changing() as spending:
        spending.hold(60, "one")
        spending.hold(60, "two")
        raise AssertionError("it was allowed")
    assert file.read() == Spending(100)


def test_a_refusal_gives_back_and_an_answer_does_not() -> None:
    """Held is released or spent, once."""
    spending = Spending(100)
    refused, paid = spending.hold(60, "one"), spending.hold(40, "two")
    with pytest.raises(NotAffordableError, match="three may cost 1 credits, and of the 100"):
        spending.hold(1, "three")
    spending.release(refused)
    spending.spend(paid, "batch")
    assert (spending.total, spending.spent_on("batch")) == (40, 40)
    assert spending.unanswered == ()


def test_a_batch_is_running_until_it_was_seen_to_end() -> None:
    """One that is processed again is running again."""
    spending = Spending(100)
    spending.spend(spending.hold(1, "one"), "a")
    spending.spend(spending.hold(1, "two"), "b")
    spending.batches["a"] = True
    assert spending.running == ("b",)
    spending.spend(spending.hold(1, "again", "a"), "a")
    assert set(spending.running) == {"a", "b"}


def test_the_first_reason_to_stop_stays() -> None:
    """Nothing is held any more, however little it would cost."""
    spending = Spending(100)
    spending.stop("too expensive")
    spending.stop("another")
    assert spending.stopped == "too expensive"
    with pytest.raises(NotAffordableError, match="stopped: too expensive"):
        spending.hold(0, "nothing")
