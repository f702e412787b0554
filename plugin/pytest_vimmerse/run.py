"""A run of the contract suite: the target that it looks at first, its limit, and its evidence.

The process that prints finds out what is behind the target, makes the file of what is spent and the
file of evidence; workers of xdist are handed where they are.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from pytest_vimmerse.options import setting_of
from pytest_vimmerse.plugin import NEEDS, RUN, TARGET
from pytest_vimmerse.recording import Recording
from pytest_vimmerse.targets import (
    IN_PROCESS,
    Remote,
    TargetError,
    find_remote,
    read_remote,
    require_usable,
)
from vimmerse_contracts import Capability, Target
from vimmerse_contracts.runs import (
    Budget,
    Cost,
    NotAffordableError,
    PriceListError,
    Prices,
    SpendingFile,
    make_plan,
    make_prices,
    read_prices,
)
from vimmerse_contracts.suite import not_run

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

_COULD_NOT_RUN: Final = 2
_TITLE: Final = "Vimmerse: spending"


class Run:
    """One process's part of a run.

    `remote` is the service behind a URL, `spending` the file that keeps the limit, and `recording`
    what writes the evidence; each is None where there is none.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._handed_on: dict[str, Any] | None = getattr(config, "workerinput", {}).get(RUN)
        self._plan_is_shown = False
        self._prices = Prices()
        self.remote: Remote | None = None
        self.spending: SpendingFile | None = None
        self.recording: Recording | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Look at the target and make the files, before anything is collected."""
        try:
            if self._handed_on is None:
                self._begin()
            else:
                self._join(**self._handed_on)
            self._prices = read_price_settings(self._config)
        except (TargetError, PriceListError) as error:
            pytest.exit(str(error), returncode=_COULD_NOT_RUN)

    def _begin(self) -> None:
        path: str | None = setting_of(self._config, "evidence")
        if path and not self._config.option.collectonly:
            self.recording = Recording.begin(self._config, path)
        limit: int | None = setting_of(self._config, "max-credits")
        self.remote = find_remote(self._config)
        if self.remote is not None:
            if not self.remote.is_mock and limit is None:
                raise TargetError(needs_limit(self.remote.name))
            require_usable(self.remote)
        if limit is not None:
            self.spending = SpendingFile(Path(mkdtemp(prefix="vimmerse-")) / "spending.json")
            self.spending.create(limit)

    def _join(self, *, is_mock: bool | None, spending: str, recording: dict[str, Any]) -> None:
        if recording:
            self.recording = Recording.join(self._config, recording)
        if is_mock is not None:
            self.remote = read_remote(self._config, is_mock=is_mock)
        if spending:
            self.spending = SpendingFile(Path(spending))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist's
        """Hand on to a worker of xdist what was found out, and where the files are."""
        if setting_of(self._config, "webhook-port"):
            raise pytest.UsageError(
                "--vimmerse-webhook-port is one port, and each worker of xdist needs its own: "
                "leave out -n"
            )
        node.workerinput[RUN] = {
            "is_mock": self.remote.is_mock if self.remote else None,
            "spending": str(self.spending.path) if self.spending else "",
            "recording": self.recording.handed_on if self.recording else {},
        }

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Plan the spending, and skip what the limit does not allow."""
        ours = [item for item in items if TARGET in getattr(item, "fixturenames", ())]
        if self.spending is None or not ours:
            return
        able = self.remote.capabilities if self.remote else frozenset(Capability)
        plan = make_plan(
            [(item.nodeid, costs_of(item)) for item in ours if not not_run(_needs_of(item), able)],
            self._prices,
            setting_of(self._config, "max-credits"),
            processes=int(getattr(self._config, "workerinput", {}).get("workercount", 1)),
        )
        for item in ours:
            if item.nodeid in plan.refusals:
                item.add_marker(pytest.mark.skip(reason=plan.refusals[item.nodeid]))
        name = self.remote.name if self.remote else setting_of(self._config, "target")
        with self.spending.changing() as spending:
            spending.plan = tuple(f"Vimmerse, {name}: {line}" for line in plan.lines())

    def pytest_report_collectionfinish(self) -> Sequence[str]:
        """Print the plan before the first test runs."""
        return self.plan_lines()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """Print the plan as soon as the first worker has made it."""
        reporter = cast(
            "TerminalReporter | None", self._config.pluginmanager.get_plugin("terminalreporter")
        )
        if reporter is not None and not self._plan_is_shown:
            self._plan_is_shown = True
            for line in self.plan_lines():
                reporter.write_line(line)

    def plan_lines(self) -> Sequence[str]:
        """Return the plan, in lines; nothing if nothing limits the run."""
        return self.spending.read().plan if self.spending else ()

    def spending_lines(self) -> Sequence[str]:
        """Return what was spent, and what may still be running, in lines."""
        spending = self.spending.read() if self.spending else None
        return tuple(spending.lines()) if spending and spending.plan else ()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Run nothing more against the target once spending was stopped."""
        if self.spending is not None and TARGET in getattr(item, "fixturenames", ()):
            stopped = self.spending.read().stopped
            if stopped:
                pytest.skip(f"not run, because the run was stopped: {stopped}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, None, None]:
        """Report a test as not run whose request the budget did not allow."""
        try:
            return (yield)
        except NotAffordableError as error:
            pytest.skip(f"not run, because {error}")

    def use_target(self, target: Target) -> Target:
        """Return the target for the suite to use: one that is recorded, if anything is."""
        return self.recording.use_target(target) if self.recording else target

    def budget(self, target: Target) -> Budget | None:
        """Make the budget that this process pays from; None if nothing limits it."""
        if self.spending is None:
            return None
        readable = Capability.BALANCE in target.capabilities
        return Budget(self._prices, self.spending, target.balance if readable else None)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Print what was spent, and what may still be running."""
        lines = self.spending_lines()
        if lines:
            terminalreporter.section(_TITLE)
            for line in lines:
                terminalreporter.write_line(line)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End with exit code 2 if spending was stopped and no test failed."""
        if self.spending and self.spending.read().stopped and not session.testsfailed:
            session.exitstatus = _COULD_NOT_RUN

    def pytest_unconfigure(self) -> None:
        """Remove the file of what was spent, if it is this process's own."""
        if self.spending is not None and self._handed_on is None:
            shutil.rmtree(self.spending.path.parent, ignore_errors=True)


def needs_limit(name: str) -> str:
    """Return the sentence that nothing runs against a target without a limit."""
    return (
        f"{name} is not the mock, and what the suite does there costs credits: nothing runs "
        "without --vimmerse-max-credits N"
    )


def require_limit(target: Target, run: Run | None) -> None:
    """End the run if a target that somebody brought costs real credits, and there is no limit."""
    if Capability.PLAY_MONEY not in target.capabilities and (run is None or not run.spending):
        pytest.exit(needs_limit(target.name), returncode=_COULD_NOT_RUN)


def read_price_settings(config: pytest.Config) -> Prices:
    """Read the price list; where the target is the mock in this process, its own by default.

    Raises:
        PriceListError: a price is none.
    """
    prices = _price_list(config)
    named: dict[str, int] = {}
    for text in setting_of(config, "price"):
        name, _, number = text.partition("=")
        if not number.isdecimal():
            raise PriceListError(f"--vimmerse-price is MOTION_TYPE=CREDITS, not {text!r}")
        named[name] = int(number)
    return Prices({**prices.listed, **make_prices(named).listed})


def _price_list(config: pytest.Config) -> Prices:
    path: str | None = setting_of(config, "prices")
    if path is not None:
        try:
            return read_prices(Path(path).read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise PriceListError(f"the price list {path} cannot be read: {error}") from error
    brought = config.hook.pytest_vimmerse_target.get_hookimpls()
    if brought or setting_of(config, "target") not in IN_PROCESS:
        return Prices()
    from vimmerse_mock import PriceList  # noqa: PLC0415 - only a rehearsal pays for it

    return Prices({**PriceList().per_second, "concat": PriceList().concat})


def costs_of(item: pytest.Item) -> tuple[Cost, ...]:
    """Return what a test declares that it may cost."""
    return tuple(cost for mark in item.iter_markers("vimmerse_costs") for cost in mark.args)


def _needs_of(item: pytest.Item) -> tuple[Capability, ...]:
    mark = item.get_closest_marker(NEEDS)
    return mark.args if mark else ()
