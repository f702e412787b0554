"""The pytest plugin: options, markers and fixtures.

Every pytest run of everybody who has this package installed loads this module, so it imports
nothing but pytest; what a fixture needs is imported when it is first used.
"""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import pytest

from pytest_vimmerse.options import WITHOUT_ASSERTIONS, add_options, setting_of

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from pytest_vimmerse.handle import Vimmerse
    from pytest_vimmerse.run import Run
    from vimmerse_contracts import Target
    from vimmerse_contracts.runs import Budget
    from vimmerse_mock import Listener, MockServer, RemoteMock

MARK = "vimmerse"
NEEDS = "vimmerse_needs"
RUN = "vimmerse_run"
TARGET = "vimmerse_session_target"
MOCK_URL = "VIMMERSE_ADMIN_URL"
"""Variable that names a running mock; `vimmerse-mock run` sets it."""
TOKEN = "VIMMERSE_ADMIN_TOKEN"  # noqa: S105 - the name of a variable
STORY_LINES = 80
SETTINGS = {"unfired_faults": ("fail", "ignore"), "assumptions": ("count", "fail")}
"""What the marker `vimmerse` takes; the first word of each is what holds without one."""
_STORY_TITLE = "Vimmerse: what happened, on the account's clock"
_FAILED: pytest.StashKey[bool] = pytest.StashKey()
_HANDLES: pytest.StashKey[list[Vimmerse]] = pytest.StashKey()


class Hooks:
    """Hooks that other plugins may implement."""

    @pytest.hookspec(firstresult=True)
    def pytest_vimmerse_target(self, config: pytest.Config) -> Target | None:
        """Return the target of the contract suite, or None to leave it to `--vimmerse-target`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that point, limit and record the contract suite."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hook by which other plugins bring a target."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and watch a run that has a limit, evidence, or a target elsewhere."""
    config.addinivalue_line(
        "markers",
        f"{MARK}(unfired_faults='fail', assumptions='count'): settings of the fixture `vimmerse`; "
        "unfired_faults='ignore' accepts planned faults that never fired, assumptions='fail' fails "
        "a test that relied on a behaviour that is only assumed",
    )
    config.addinivalue_line(
        "markers", f"{NEEDS}(*capabilities): skip the test unless the target has all of these"
    )
    config.addinivalue_line(
        "markers",
        "vimmerse_costs(*costs): the most that the test may cost on a target that charges",
    )
    elsewhere = setting_of(config, "target") not in ("mock", "intercept")
    try:
        limited = setting_of(config, "max-credits") is not None
    except ArgumentTypeError as error:
        raise pytest.UsageError(f"VIMMERSE_MAX_CREDITS: {error}") from error
    if elsewhere or limited or setting_of(config, "evidence"):
        from pytest_vimmerse.run import Run  # noqa: PLC0415 - see the module's docstring

        config.pluginmanager.register(Run(config), RUN)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Check the markers, and note which rules a test holds the target to, for any report."""
    for item in items:
        _require_known(item)
    ours = [item for item in items if TARGET in getattr(item, "fixturenames", ())]
    if ours and not __debug__:
        raise pytest.UsageError(WITHOUT_ASSERTIONS)
    if ours:
        from pytest_vimmerse.report import RULES, rules_of_test  # noqa: PLC0415 - see above

        for item in ours:
            item.user_properties.append((RULES, ",".join(rules_of_test(item))))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print what became of the contract's rules, and what tests relied on that is only assumed."""
    stats = terminalreporter.stats.values()
    reports = [r for each in stats for r in each if isinstance(r, pytest.TestReport)]
    if any(name.startswith("vimmerse_") for r in reports for name, _ in r.user_properties):
        from pytest_vimmerse.report import write_summary  # noqa: PLC0415 - see above

        write_summary(terminalreporter, reports)


@pytest.fixture(scope="session")
def vimmerse_server() -> Iterator[MockServer | RemoteMock]:
    """A mock for the whole run: the one at `VIMMERSE_ADMIN_URL`, or a new one."""
    from vimmerse_mock import MockServer, RemoteMock  # noqa: PLC0415 - see above

    if os.environ.get(MOCK_URL):
        remote = RemoteMock(os.environ[MOCK_URL], os.environ.get(TOKEN, ""))
        yield remote
        remote.close()
        return
    with MockServer() as server:
        yield server


@pytest.fixture(scope="session")
def vimmerse_listener(pytestconfig: pytest.Config) -> Iterator[Listener]:
    """A listener for webhooks, which `vimmerse.webhooks` belongs to."""
    from vimmerse_mock import Listener  # noqa: PLC0415 - see the module's docstring

    listener = Listener(setting_of(pytestconfig, "webhook-port"))
    yield listener
    listener.stop()


@pytest.fixture
def vimmerse(
    request: pytest.FixtureRequest,
    vimmerse_server: MockServer | RemoteMock,
    vimmerse_listener: Listener,
) -> Iterator[Vimmerse]:
    """A new account for this test, with a manual clock, a client and an inbox for webhooks."""
    from pytest_vimmerse.handle import Vimmerse  # noqa: PLC0415 - see the module's docstring
    from vimmerse_mock import ControlError  # noqa: PLC0415 - as above

    try:
        handle = Vimmerse(vimmerse_server, vimmerse_listener)
    except ControlError as error:  # the mock at `VIMMERSE_ADMIN_URL` is none, or does not let us in
        pytest.fail(str(error), pytrace=False)
    item: pytest.Item = request.node
    item.stash.setdefault(_HANDLES, []).append(handle)
    yield handle
    strict = _asked(item, "unfired_faults") == "fail"
    # A test that failed anyway is not blamed twice.
    unfired = handle.faults.unfired if strict and not item.stash.get(_FAILED, False) else ()
    handle.close()
    if unfired:
        listed = "; ".join(
            f"{fault.kind.value} at call {fault.nth} of {fault.operation or 'any operation'}; "
            f"the test made {fault.matched} such calls"
            for fault in unfired
        )
        pytest.fail(
            f"a planned fault never fired, so it was not tested: {listed}. "
            "Aim it at a call that the test makes, or opt out: "
            '@pytest.mark.vimmerse(unfired_faults="ignore")',
            pytrace=False,
        )


def _asked(item: pytest.Item, name: str) -> str:
    """Return what the marker `vimmerse` of a test says."""
    marker = item.get_closest_marker(MARK)
    wanted: str = marker.kwargs.get(name, SETTINGS[name][0]) if marker else SETTINGS[name][0]
    return wanted


def _require_known(item: pytest.Item) -> None:
    """Refuse markers that say nothing known.

    Raises:
        pytest.UsageError: it names the test, and what there is.
    """
    for marker in item.iter_markers(MARK):
        for name, value in [*((str(each), None) for each in marker.args), *marker.kwargs.items()]:
            words = SETTINGS.get(name, ())
            if value not in words:
                listed = ", ".join(
                    f"{each}={' or '.join(map(repr, SETTINGS[each]))}" for each in SETTINGS
                )
                raise pytest.UsageError(
                    f"{item.nodeid}: the marker {MARK} takes {listed}; not {name}={value!r}"
                )
    needed = [each for marker in item.iter_markers(NEEDS) for each in marker.args]
    if needed:
        from vimmerse_contracts import Capability  # noqa: PLC0415 - see the module's docstring

        for each in set(needed) - set(Capability):
            raise pytest.UsageError(
                f"{item.nodeid}: the marker {NEEDS} takes {', '.join(Capability)}; not {each!r}"
            )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Note what a test that passed relied on, while its account is still there."""
    yield
    handles = item.stash.get(_HANDLES, [])
    if handles:
        from pytest_vimmerse.report import note_assumptions  # noqa: PLC0415 - see above

        note_assumptions(item, handles, fail=_asked(item, "assumptions") == "fail")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show, under a test that failed, what happened to its account."""
    report = yield
    if report.failed and report.when == "call":
        item.stash[_FAILED] = True
        for handle in item.stash.get(_HANDLES, []):
            try:
                story = handle.story(STORY_LINES)
            except Exception as error:  # noqa: BLE001 - a report must not fail, whatever is the matter
                story = f"the mock does not answer: {error}"
            report.sections.append((_STORY_TITLE, story))
    return report


@pytest.fixture(scope="session")
def vimmerse_session_target(
    pytestconfig: pytest.Config, vimmerse_listener: Listener
) -> Iterator[Target]:
    """What the contract suite is run against (`vimmerse_contracts.Target`)."""
    from pytest_vimmerse.run import require_limit  # noqa: PLC0415 - see the module's docstring
    from pytest_vimmerse.targets import open_target  # noqa: PLC0415 - as above

    run: Run | None = pytestconfig.pluginmanager.get_plugin(RUN)
    brought: Target | None = pytestconfig.hook.pytest_vimmerse_target(config=pytestconfig)
    if brought is not None:
        require_limit(brought, run)
        opened: AbstractContextManager[Target] = nullcontext(brought)
    else:
        opened = open_target(pytestconfig, vimmerse_listener, run.remote if run else None)
    with opened as target:
        yield run.use_target(target) if run else target


@pytest.fixture(scope="session")
def vimmerse_budget(pytestconfig: pytest.Config, vimmerse_session_target: Target) -> Budget | None:
    """What the suite may spend, or None without a limit."""
    run: Run | None = pytestconfig.pluginmanager.get_plugin(RUN)
    return run.budget(vimmerse_session_target) if run else None


@pytest.fixture
def vimmerse_target(request: pytest.FixtureRequest, vimmerse_session_target: Target) -> Target:
    """The target of the suite; skips the test if the target lacks what the test needs."""
    from vimmerse_contracts.suite import not_run  # noqa: PLC0415 - see the module's docstring

    marker = request.node.get_closest_marker(NEEDS)
    reason = not_run(marker.args if marker else (), vimmerse_session_target.capabilities)
    if reason:
        pytest.skip(reason)
    return vimmerse_session_target
