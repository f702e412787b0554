"""The guard of a run: it looks at the target before any test, and lets nothing be overspent.

It is registered where the target is behind a URL, or a limit is given; everybody else's runs never
import it. The process that prints makes the ledger; workers of xdist are told where it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from pytest_vimmerse.ledger import LedgerFile
from pytest_vimmerse.remote import REAL, Remote, TargetError, is_mock, read_remote, require_usable
from vimmerse_contracts.runs.plan import Plan, make_plan
from vimmerse_contracts.runs.spending import (
    Budget,
    Cost,
    NotAffordableError,
    PriceListError,
    Prices,
    make_prices,
    read_prices,
)
from vimmerse_contracts.suite.target import Capability, Target, not_run

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

GUARD: Final = "vimmerse_guard"
TARGET_FIXTURE: Final = "vimmerse_session_target"
_HANDED_ON: Final = "vimmerse_guard"
_IN_PROCESS: Final = ("mock", "intercept")
_COULD_NOT_RUN: Final = 2
_WRONG_OPTION: Final = 4
_TITLE: Final = "Vimmerse: spending"


class Guard:
    """What one process of a run knows of its target, its prices and its ledger."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._limit: int | None = config.getoption("--vimmerse-max-credits")
        self._handed_on: dict[str, Any] | None = getattr(config, "workerinput", {}).get(_HANDED_ON)
        self._told = False
        self.remote: Remote | None = None
        self.ledger: LedgerFile | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Look at the target, and make the ledger, before anything is collected."""
        try:
            self._prices = read_price_options(self._config)
            self._begin()
        except (TargetError, PriceListError) as error:
            pytest.exit(str(error), returncode=_COULD_NOT_RUN)

    def _begin(self) -> None:
        if self._handed_on is not None:
            self._take_over(self._handed_on)
            return
        self.remote = self._find_remote()
        if self.remote and not self.remote.is_mock and self._limit is None:
            raise TargetError(needs_limit(self.remote.name))
        if self.remote:
            require_usable(self.remote)
        if self._limit is not None:
            folder = Path(mkdtemp(prefix="vimmerse-spending-"))
            self.ledger = LedgerFile(folder / "ledger.sqlite")
            self.ledger.create(self._limit)

    def _take_over(self, handed_on: dict[str, Any]) -> None:
        if handed_on["url"]:
            self.remote = read_remote(self._config, is_mock=handed_on["is_mock"])
        if handed_on["ledger"]:
            self.ledger = LedgerFile(Path(handed_on["ledger"]))

    def _find_remote(self) -> Remote | None:
        name: str = self._config.getoption("--vimmerse-target")
        if name in _IN_PROCESS:
            return None
        if name != REAL and not name.startswith(("http://", "https://")):
            pytest.exit(
                f"--vimmerse-target is mock, intercept, real or a URL, not {name!r}",
                returncode=_WRONG_OPTION,
            )
        remote = read_remote(self._config, is_mock=False)
        return read_remote(self._config, is_mock=True) if is_mock(remote) else remote

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist's
        """Tell a worker of xdist what was found out, and where the ledger is."""
        if self._config.getoption("--vimmerse-webhook-port"):
            pytest.exit(
                "--vimmerse-webhook-port is one port, and each worker of xdist needs its own: "
                "leave out -n",
                returncode=_WRONG_OPTION,
            )
        node.workerinput[_HANDED_ON] = {
            "url": self.remote.url if self.remote else "",
            "is_mock": bool(self.remote and self.remote.is_mock),
            "ledger": str(self.ledger.path) if self.ledger else "",
        }

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Plan the spending, and mark what the limit does not allow."""
        if self.ledger is None or self._limit is None:
            return
        plan = self._plan([item for item in items if uses_target(item)])
        for item in items:
            if item.nodeid in plan.refusals:
                item.add_marker(pytest.mark.skip(reason=plan.refusals[item.nodeid]))
        self.ledger.keep_plan("\n".join(plan.written()))

    def _plan(self, items: Sequence[pytest.Item]) -> Plan:
        processes = int(getattr(self._config, "workerinput", {}).get("workercount", 1))
        able = self.remote.capabilities if self.remote else frozenset(Capability)
        runs = [item for item in items if not not_run(needs_of(item), able)]
        costs = [(item.nodeid, costs_of(item)) for item in runs]
        return make_plan(costs, self._prices, self._limit or 0, processes)

    def pytest_report_collectionfinish(self) -> list[str]:
        """Print the plan before the first test runs."""
        return list(self.plan_lines())

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """Print the plan as soon as the first worker has made it."""
        reporter = cast(
            "TerminalReporter | None", self._config.pluginmanager.get_plugin("terminalreporter")
        )
        if reporter is not None and not self._told:
            self._told = True
            for line in self.plan_lines():
                reporter.write_line(line)

    def plan_lines(self) -> Iterator[str]:
        """Tell the plan, in lines; nothing if nothing limits the run."""
        plan = self.ledger.plan() if self.ledger else ""
        if plan:
            named = self._config.getoption("--vimmerse-target")
            name = self.remote.name if self.remote else named
            yield from (f"Vimmerse, {name}: {line}" for line in plan.splitlines())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Run nothing more against the target once spending was stopped."""
        stopped = self.ledger.stopped() if self.ledger and uses_target(item) else ""
        if stopped:
            pytest.skip(f"not run, because the run was stopped: {stopped}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, None, None]:
        """Report a test as not run whose request the budget did not allow."""
        try:
            return (yield)
        except NotAffordableError as error:
            pytest.skip(f"not run, because {error}")

    def budget(self, target: Target) -> Budget | None:
        """Make the budget that this process pays from; None if nothing limits it."""
        if self.ledger is None:
            return None
        readable = Capability.BALANCE in target.capabilities
        return Budget(self._prices, self.ledger, target.balance if readable else None)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Tell what was spent, and what may still be running."""
        lines = self.account()
        if lines:
            terminalreporter.section(_TITLE)
            for line in lines:
                terminalreporter.write_line(line)

    def account(self) -> tuple[str, ...]:
        """Tell what was spent, and what may still be running, in lines."""
        return tuple(_account(self.ledger, self._limit or 0)) if self.ledger else ()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End with exit code 2 if spending was stopped and no test failed."""
        if self.ledger and self.ledger.stopped() and not session.testsfailed:
            session.exitstatus = _COULD_NOT_RUN

    def pytest_unconfigure(self) -> None:
        """Remove the ledger, if it is this process's own."""
        if self.ledger is not None and self._handed_on is None:
            shutil.rmtree(self.ledger.path.parent, ignore_errors=True)


def needs_limit(name: str) -> str:
    """Say that nothing runs against a target without a limit."""
    return (
        f"{name} is not the mock, and what the suite does there costs credits: nothing runs "
        "without --vimmerse-max-credits N"
    )


def read_price_options(config: pytest.Config) -> Prices:
    """Read the price list; where the target is the mock in this process, its own by default.

    Raises:
        PriceListError: a price is none.
    """
    path: str | None = config.getoption("--vimmerse-prices")
    prices = _default_prices(config) if path is None else _read_file(path)
    pairs: list[str] = config.getoption("--vimmerse-price")
    named = make_prices(dict(_pair(pair) for pair in pairs))
    concat = prices.concat if named.concat is None else named.concat
    return Prices({**prices.per_second, **named.per_second}, concat)


def _default_prices(config: pytest.Config) -> Prices:
    brought = config.hook.pytest_vimmerse_target.get_hookimpls()
    if brought or config.getoption("--vimmerse-target") not in _IN_PROCESS:
        return Prices()
    from vimmerse_mock.model.credits import PriceList  # noqa: PLC0415 - only a rehearsal pays for it

    return Prices(PriceList().per_second, PriceList().concat)


def _read_file(path: str) -> Prices:
    try:
        return read_prices(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PriceListError(f"the price list {path} cannot be read: {error}") from error


def _pair(text: str) -> tuple[str, object]:
    name, equals, number = text.partition("=")
    if not equals or not number.isdecimal():
        raise PriceListError(f"--vimmerse-price is MOTION_TYPE=CREDITS, not {text!r}")
    return name, int(number)


def uses_target(item: pytest.Item) -> bool:
    """Say whether a test asks for the target of the contract suite."""
    return TARGET_FIXTURE in getattr(item, "fixturenames", ())


def costs_of(item: pytest.Item) -> tuple[Cost, ...]:
    """Read what a test declares that it may cost."""
    return tuple(cost for mark in item.iter_markers("vimmerse_costs") for cost in mark.args)


def needs_of(item: pytest.Item) -> tuple[Capability, ...]:
    """Read what a test declares that it needs of a target."""
    mark = item.get_closest_marker("vimmerse_needs")
    return mark.args if mark else ()


def _account(ledger: LedgerFile, limit: int) -> Iterator[str]:
    yield f"{ledger.total()} of {limit} credits spent or held, by the price list"
    if ledger.stopped():
        yield f"stopped: {ledger.stopped()}"
    if ledger.running():
        yield "may still be running:"
        yield from (f"  batch {batch_id}" for batch_id in ledger.running())
    if ledger.unanswered():
        yield "sent without an answer, and counted as spent:"
        yield from (f"  {what}" for what in ledger.unanswered())
