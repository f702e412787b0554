"""Spending, proved against a mock that plays the real service, over real sockets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from contracts.suite_runs import names, run_suite
from plugin.playing import LISTED, STEPPING, RealService, prices, real_service
from pytest_vimmerse.plugin import RUN
from pytest_vimmerse.run import costs_of
from pytest_vimmerse.targets import Remote, RemoteTarget
from vimmerse_contracts.runs.prices import Once, Prices
from vimmerse_contracts.suite.target import Capability
from vimmerse_mock.receiving.inbox import Listener

QUIETLY: Final = ("-p", "no:cacheprovider", "-p", "no:randomly")
BUYING: Final = """
import pytest
from vimmerse_contracts.runs.prices import creation
from vimmerse_contracts.suite.api import TINY, Api

@pytest.fixture
def buyer(vimmerse_session_target, vimmerse_budget):
    with Api(vimmerse_session_target, vimmerse_session_target.api_key, vimmerse_budget) as api:
        yield api
"""


@pytest.fixture
def real() -> Iterator[RealService]:
    """A service that charges what the price list says."""
    with real_service() as service:
        yield service


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run tests of the pytester's own in a process of their own."""
    return pytester.runpytest_subprocess(*QUIETLY, *args)


def spent(result: pytest.RunResult) -> tuple[int, int]:
    """Read what the summary says was spent, and the limit."""
    (found,) = re.findall(r"(\d+) of (\d+) credits spent", result.stdout.str())
    return int(found[0]), int(found[1])


def test_nothing_runs_without_a_limit(pytester: pytest.Pytester, real: RealService) -> None:
    """Against anything but the mock, a run ends with one sentence before the first test."""
    result = run(pytester, "--pyargs", "vimmerse_contracts.suite", *real.options)
    assert result.ret == 2
    assert "nothing runs without --vimmerse-max-credits N" in result.stderr.str()
    assert real.account.batches == ()


def test_a_limit_is_kept_and_shown(pytester: pytest.Pytester, real: RealService) -> None:
    """The plan is printed first; what really was paid is what is told, and not over the limit."""
    result = run(
        pytester,
        "--pyargs",
        "vimmerse_contracts.suite.test_create",
        "vimmerse_contracts.suite.test_read",
        *real.options,
        *prices(),
        "--vimmerse-max-credits=12",
    )
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            f"Vimmerse, {real.url}: may spend * credits at most, of 12 allowed: *",
            "*[[]100%[]]",
            "*may still be running:",
            "* tests not run, because of the limit",
        ]
    )
    assert 0 < real.spent <= 12
    assert spent(result) == (real.spent, 12)


def test_the_whole_suite_holds_within_its_plan(
    pytester: pytest.Pytester, real: RealService
) -> None:
    """With enough allowed, everything runs that can, for no more than the plan's ceiling."""
    account = real.server.open_account(replace(STEPPING, credits=1))
    result = run(
        pytester,
        "--pyargs",
        "vimmerse_contracts.suite",
        *real.options,
        *prices(),
        f"--vimmerse-other-key={real.server.open_account(STEPPING).key}",
        f"--vimmerse-broke-key={account.key}",
        "--vimmerse-max-credits=500",
    )
    assert result.ret == 0
    (ceiling,) = re.findall(r"may spend (\d+) credits at most", result.stdout.str())
    total, _ = spent(result)
    assert real.spent + 1 == total <= int(ceiling)
    result.stdout.no_fnmatch_line("*because of the limit*")
    result.stdout.fnmatch_lines(["* because its credit balance cannot be read"])


def test_the_limit_holds_across_workers(pytester: pytest.Pytester, real: RealService) -> None:
    """Under xdist the workers share one limit, and the plan is printed once."""
    pytester.makepyfile(
        BUYING
        + """
@pytest.mark.parametrize("number", range(12))
def test_buys(buyer, number):
    buyer.created(TINY)
"""
    )
    result = run(pytester, "-n", "2", *real.options, *prices(), "--vimmerse-max-credits=7")
    result.assert_outcomes(passed=7, skipped=5)
    assert real.spent == 7
    assert spent(result) == (7, 7)
    assert result.stdout.str().count("may spend 0 credits at most") == 1


def test_a_worker_that_dies_gives_nothing_back(
    pytester: pytest.Pytester, real: RealService
) -> None:
    """What a worker had reserved when it crashed stays spent, and is told as unanswered."""
    pytester.makepyfile(
        BUYING
        + """
import os
from pathlib import Path
from threading import Event

@pytest.mark.parametrize("number", range(8))
def test_buys(buyer, vimmerse_budget, number):
    if number == 0:
        vimmerse_budget.create(TINY, 0)
        Path("reserved").touch()
        os._exit(1)
    while not Path("reserved").exists():
        Event().wait(0.02)
    buyer.created(TINY)
"""
    )
    result = run(pytester, "-n", "2", *real.options, *prices(), "--vimmerse-max-credits=4")
    assert real.spent == 3
    assert spent(result) == (4, 4)
    result.stdout.fnmatch_lines(["sent without an answer, and counted as spent:"])


def test_a_wrong_declaration_cannot_overspend(pytester: pytest.Pytester, real: RealService) -> None:
    """The budget is asked before each request, whatever the test declared."""
    pytester.makepyfile(
        BUYING
        + """
def test_buys_more_than_it_says(buyer):
    batch = buyer.created(TINY)
    buyer.updated(batch["id"], {"prompt": "Anew"})
    buyer.updated(batch["id"], {"duration": 10, "quantity": 4})
    raise AssertionError("it was sent")
"""
    )
    result = run(pytester, *real.options, *prices(), "--vimmerse-max-credits=20", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["*not run, because of the limit: 1 x 4 x 10 s of Auto may cost 40*"]
    )
    assert real.spent == 2


def test_an_unknown_price_counts_as_over_the_limit(
    pytester: pytest.Pytester, real: RealService
) -> None:
    """Without a price list nothing that costs is run, and the reason says how to give one."""
    only = "vimmerse_contracts.suite.test_create"
    result = run(pytester, "--pyargs", only, *real.options, "--vimmerse-max-credits=1000", "-rs")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*an unknown price counts as over it (--vimmerse-price Auto=*"])
    assert real.account.batches == ()


def test_a_price_list_may_be_a_file(pytester: pytest.Pytester, real: RealService) -> None:
    """JSON, of which an option changes single prices; a bad one ends the run before it begins."""
    good, bad = pytester.path / "prices.json", pytester.path / "bad.json"
    good.write_text('{"Auto": 5, "KlingAI": 1, "concat": 1}')
    bad.write_text('{"Sora": 5}')
    only = ["--pyargs", "vimmerse_contracts.suite.test_read", "--vimmerse-max-credits=10"]
    result = run(pytester, *only, *real.options, f"--vimmerse-prices={good}")
    assert spent(result) == (10, 10)
    result = run(pytester, *only, *real.options, f"--vimmerse-prices={bad}")
    assert result.ret == 2
    assert "'Sora' is not one of Auto" in result.stderr.str()


STOPS: Final = [
    pytest.param({"paid_in": 8, "rate": 3}, "for want of credit (402)", id="refused"),
    pytest.param({"rate": 3, "tells_used": True}, "has used 3 credits", id="used_credits"),
]


@pytest.mark.parametrize(("service", "saying"), STOPS)
def test_a_run_stops_where_prices_turn_out_higher(
    pytester: pytest.Pytester, service: dict[str, int], saying: str
) -> None:
    """As soon as it shows, nothing more is sent; the run ends with exit code 2 and says why."""
    pytester.makepyfile(
        BUYING
        + """
@pytest.mark.parametrize("number", range(9))
def test_buys(buyer, number):
    buyer.created(TINY)
"""
    )
    with real_service(**service) as real:  # type: ignore[arg-type] # each names parameters of it
        result = run(pytester, *real.options, *prices(), "--vimmerse-max-credits=50")
        assert result.ret == 2
        result.stdout.fnmatch_lines(["stopped: *"])
        assert saying in result.stdout.str()
        assert real.spent <= 8
        assert len(real.account.batches) == real.spent // 3


class _WithBalance:
    """Brings a service of which somebody can read the balance."""

    def __init__(self, real: RealService) -> None:
        self._real = real

    def pytest_vimmerse_target(self) -> object:
        """Bring it."""
        key = self._real.account.key
        target = RemoteTarget(Remote(self._real.url, key, "", "", "", "", 0.02, 60.0), Listener())
        target.capabilities = frozenset({Capability.BALANCE})
        target.balance = lambda: self._real.account.credits  # type: ignore[method-assign]
        return target


def run_with_balance(
    pytester: pytest.Pytester, real: RealService, *args: str
) -> pytest.HookRecorder:
    """Run the creations of the suite against a target whose balance can be read."""
    return pytester.inline_run(
        "--pyargs",
        "vimmerse_contracts.suite.test_create",
        *QUIETLY,
        *args,
        plugins=[_WithBalance(real)],
    )


def test_a_balance_that_falls_faster_stops_the_run(pytester: pytest.Pytester) -> None:
    """It is compared after each purchase; the first that costs more is the last."""
    with real_service(rate=3) as real:
        recorder = run_with_balance(pytester, real, *prices(), "--vimmerse-max-credits=50")
        assert (real.spent, recorder.ret) == (3, 2)
    said = "\n".join(str(report.longrepr) for report in recorder.listoutcomes()[1])
    assert "the balance fell by 3 credits where the price list comes to 1" in said


def test_a_brought_target_needs_a_limit_too(pytester: pytest.Pytester) -> None:
    """Whoever brings a target with real credits is asked how many may be spent."""
    with real_service() as real:
        recorder = run_with_balance(pytester, real)
        assert (recorder.ret, recorder.listoutcomes()) == (2, ([], [], []))
        assert real.account.batches == ()


def test_an_abort_tells_what_may_still_be_running(
    pytester: pytest.Pytester, real: RealService
) -> None:
    """After Ctrl-C, each batch that was paid for and not seen to end is named."""
    pytester.makepyfile(
        BUYING
        + """
def test_ends(buyer, vimmerse_session_target):
    buyer.watch(buyer.created(TINY)["id"])

def test_is_aborted(buyer):
    buyer.created({**TINY, "duration": 10})
    raise KeyboardInterrupt
"""
    )
    result = run(pytester, *real.options, *prices(), "--vimmerse-max-credits=50")
    assert result.ret == 2
    ended, running = (batch.id for batch in real.account.batches)
    result.stdout.fnmatch_lines(["may still be running:", f"  batch {running}"])
    assert ended not in result.stdout.str()


class _Bookkeeper:
    """Compares what each test spent with what it declared."""

    def __init__(self) -> None:
        self.wrong: list[tuple[str, int, int]] = []
        self._made: set[str] = set()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Read what is spent before and after."""
        listed = Prices(dict.fromkeys(LISTED, 1))
        run: Any = item.config.pluginmanager.get_plugin(RUN)
        before = run.spending.read().total
        done = yield
        costs = [c for c in costs_of(item) if not (isinstance(c, Once) and c.name in self._made)]
        self._made |= {cost.name for cost in costs if isinstance(cost, Once)}
        paid, most = run.spending.read().total - before, listed.total(costs)
        if paid > most or (most and not paid):
            self.wrong.append((item.nodeid, paid, most))
        return done


def test_every_test_of_the_suite_declares_what_it_costs(pytester: pytest.Pytester) -> None:
    """No test pays more than it declares, and none declares what it does not pay."""
    bookkeeper = _Bookkeeper()
    pytester.inline_run(
        "--pyargs",
        "vimmerse_contracts.suite",
        "--vimmerse-max-credits=10000",
        *prices(),
        *QUIETLY,
        plugins=[bookkeeper],
    )
    assert bookkeeper.wrong == []


def test_a_rehearsal_on_the_mock_keeps_the_limit(pytester: pytest.Pytester) -> None:
    """With a limit, the mock is spent on by its own price list, as the real service would be."""
    reports = run_suite(pytester, "--vimmerse-max-credits=5", only=["test_read"])
    assert names(reports.failed) == {}
    assert names(reports.passed)["test_read::test_a_read_answers_with_the_batch"] == 1
