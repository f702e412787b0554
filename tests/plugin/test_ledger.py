from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_vimmerse.ledger import LedgerFile
from vimmerse_contracts.runs.spending import NotAffordableError

HOLDING = """
import sys
from pathlib import Path
from pytest_vimmerse.ledger import LedgerFile
from vimmerse_contracts.runs.spending import NotAffordableError
ledger, got = LedgerFile(Path(sys.argv[1])), 0
for _ in range(40):
    try:
        ledger.hold(3, "a batch", "")
    except NotAffordableError:
        continue
    got += 3
print(got)
"""


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerFile:
    """A ledger with a limit of 100 credits."""
    made = LedgerFile(tmp_path / "ledger.sqlite")
    made.create(100)
    return made


def test_processes_that_race_never_hold_more_than_the_limit(ledger: LedgerFile) -> None:
    """Four processes that want 480 credits at once get 99 of 100, three by three."""
    command = [sys.executable, "-c", HOLDING, str(ledger.path)]
    racing = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    got = [int(process.communicate(timeout=250)[0]) for process in racing]
    assert sum(got) == ledger.total() == 99


def test_what_was_held_outlives_its_process(ledger: LedgerFile) -> None:
    """A process that dies between reserving and being answered gives nothing back."""
    code = HOLDING.replace("range(40)", "range(1)").replace("print(got)", "import os; os._exit(9)")
    died = subprocess.run([sys.executable, "-c", code, str(ledger.path)], check=False, timeout=250)
    assert died.returncode == 9
    assert ledger.total() == 3
    assert ledger.unanswered() == ("a batch",)


def test_a_refusal_gives_back_and_an_answer_does_not(ledger: LedgerFile) -> None:
    """Held is released or spent, once."""
    refused, paid = ledger.hold(60, "one", ""), ledger.hold(40, "two", "")
    with pytest.raises(NotAffordableError, match="three may cost 1 credits, and of 100"):
        ledger.hold(1, "three", "")
    ledger.release(refused)
    ledger.spend(paid, "batch")
    assert (ledger.total(), ledger.spent_on("batch")) == (40, 40)
    assert ledger.unanswered() == ()


def test_a_batch_is_running_until_it_was_seen_to_end(ledger: LedgerFile) -> None:
    """One that is processed again is running again."""
    ledger.see("a", ended=False)
    ledger.see("b", ended=False)
    ledger.see("a", ended=True)
    assert ledger.running() == ("b",)
    ledger.see("a", ended=False)
    assert set(ledger.running()) == {"a", "b"}


def test_the_first_reason_to_stop_stays(ledger: LedgerFile) -> None:
    """Nothing is held any more, however little it would cost."""
    ledger.stop("too dear")
    ledger.stop("another")
    assert ledger.stopped() == "too dear"
    with pytest.raises(NotAffordableError, match="stopped: too dear"):
        ledger.hold(0, "nothing", "")


def test_the_first_balance_is_the_runs(ledger: LedgerFile) -> None:
    """Whichever process reports later is told what the first one saw."""
    assert [ledger.baseline(50), ledger.baseline(20)] == [50, 50]
