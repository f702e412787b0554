"""The pytest plugin: options, markers and fixtures.

Every pytest run of everybody who has this package installed loads this module, so it imports
nothing but pytest; what a fixture needs is imported when it is first used.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from pytest_vimmerse.evidence import EvidencePlugin
    from pytest_vimmerse.guard import Guard
    from pytest_vimmerse.handle import Vimmerse
    from vimmerse_contracts.runs.spending import Budget
    from vimmerse_contracts.suite.target import Target
    from vimmerse_mock.account.account import Accounts
    from vimmerse_mock.receiving.inbox import Listener

NEEDS = "vimmerse_needs"
EVIDENCE = "vimmerse_evidence"
MARK = "vimmerse"
GUARD = "vimmerse_guard"
TARGET = "vimmerse_session_target"
MOCK_URL = "VIMMERSE_ADMIN_URL"
"""Variable that names a running mock; `vimmerse-mock run` sets it."""
TOKEN = "VIMMERSE_ADMIN_TOKEN"  # noqa: S105 - the name of a variable
STORY_LINES = 80
_STORY_TITLE = "Vimmerse: what happened, on the account's clock"
_UNFIRED = "a planned fault never fired, so the test did not do what it claims"
_UNFIRED_ADVICE = (
    "Aim it at a call that the test makes, or opt out: "
    '@pytest.mark.vimmerse(unfired_faults="ignore")'
)
_FAILED: pytest.StashKey[bool] = pytest.StashKey()
_HANDLES: pytest.StashKey[list[Vimmerse]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that point, limit and record the contract suite."""
    from pytest_vimmerse.options import add_options  # noqa: PLC0415 - cheap, but many lines

    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Let other plugins bring a target."""
    from pytest_vimmerse import hooks  # noqa: PLC0415 - cheap, but keeps the hooks in one place

    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, set a guard where a run looks beyond its own mock, and record."""
    config.addinivalue_line(
        "markers",
        f"{MARK}(unfired_faults='fail', assumptions='count'): what the fixture `vimmerse` asks of "
        "a test; 'ignore' lets faults that never fired pass, assumptions='fail' fails the test "
        "where a behaviour that it relied on is only assumed",
    )
    config.addinivalue_line(
        "markers", f"{NEEDS}(*capabilities): skip unless the contract suite's target has these"
    )
    config.addinivalue_line(
        "markers", "vimmerse_costs(*costs): what the test may cost at most on a target that charges"
    )
    limit = config.getoption("--vimmerse-max-credits")
    if config.getoption("--vimmerse-target") not in ("mock", "intercept") or limit is not None:
        from pytest_vimmerse.guard import Guard  # noqa: PLC0415 - see the module's docstring

        config.pluginmanager.register(Guard(config), GUARD)
    path: str | None = config.getoption("--vimmerse-evidence")
    if path and not (config.option.collectonly or config.option.help):
        from pytest_vimmerse.evidence import open_evidence  # noqa: PLC0415 - only who records pays

        config.pluginmanager.register(open_evidence(config, path), EVIDENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note which rules a test holds the target to, so that any report can tell."""
    ours = [item for item in items if TARGET in getattr(item, "fixturenames", ())]
    if ours:
        from pytest_vimmerse.summary import RULES, rules_of_test  # noqa: PLC0415 - see above

        for item in ours:
            item.user_properties.append((RULES, ",".join(rules_of_test(item))))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Tell what became of the contract's rules, and what tests relied on that is only assumed."""
    stats = terminalreporter.stats.values()
    reports = [r for each in stats for r in each if isinstance(r, pytest.TestReport)]
    if any(name.startswith("vimmerse_") for r in reports for name, _ in r.user_properties):
        from pytest_vimmerse.summary import write_summary  # noqa: PLC0415 - see above

        write_summary(terminalreporter, reports)


@pytest.fixture(scope="session")
def vimmerse_server() -> Iterator[Accounts]:
    """A mock for the whole run: the one that `VIMMERSE_ADMIN_URL` names, else one of its own."""
    if os.environ.get(MOCK_URL):
        from vimmerse_mock.account.account import RemoteMock  # noqa: PLC0415 - see the module's docstring

        remote = RemoteMock(os.environ[MOCK_URL], os.environ.get(TOKEN, ""))
        yield remote
        remote.close()
        return
    from vimmerse_mock.app import create_mock  # noqa: PLC0415 - see the module's docstring
    from vimmerse_mock.delivery import HttpSender  # noqa: PLC0415 - as above
    from vimmerse_mock.receiving.in_process import InProcessSender  # noqa: PLC0415 - as above
    from vimmerse_mock.server import MockServer  # noqa: PLC0415 - as above

    with MockServer(create_mock(sender=InProcessSender(HttpSender()))) as server:
        yield server


@pytest.fixture(scope="session")
def vimmerse_listener(pytestconfig: pytest.Config) -> Iterator[Listener]:
    """A listener for webhooks; `vimmerse.webhooks` is an inbox of it."""
    from vimmerse_mock.receiving.inbox import Listener  # noqa: PLC0415 - see the module's docstring

    listener = Listener(pytestconfig.getoption("--vimmerse-webhook-port"))
    yield listener
    listener.stop()


@pytest.fixture
def vimmerse(
    request: pytest.FixtureRequest, vimmerse_server: Accounts, vimmerse_listener: Listener
) -> Iterator[Vimmerse]:
    """A fresh account for this test, with a clock moved by hand, a client and a webhook inbox."""
    from pytest_vimmerse.handle import Vimmerse  # noqa: PLC0415 - see the module's docstring

    handle = Vimmerse.open(vimmerse_server, vimmerse_listener)
    request.node.stash.setdefault(_HANDLES, []).append(handle)
    yield handle
    unfired = handle.faults.unfired if _is_strict(request.node) else ()
    handle.close()
    if unfired:
        listed = "; ".join(
            f"{fault.kind.value} at call {fault.nth} of {fault.operation or 'any operation'}; "
            f"{fault.matched} such calls came"
            for fault in unfired
        )
        pytest.fail(f"{_UNFIRED}: {listed}. {_UNFIRED_ADVICE}", pytrace=False)


def _is_strict(item: pytest.Item) -> bool:
    """Say whether a fault that never fired fails a test: one that passed, and did not opt out."""
    marker = item.get_closest_marker(MARK)
    wanted = marker.kwargs.get("unfired_faults", "fail") if marker else "fail"
    if wanted not in ("fail", "ignore"):
        raise pytest.UsageError(f"unfired_faults is 'fail' or 'ignore', not {wanted!r}")
    return wanted == "fail" and not item.stash.get(_FAILED, False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Note what a test that passed relied on, while its account is still there."""
    yield
    handles = item.stash.get(_HANDLES, [])
    if handles:
        from pytest_vimmerse.assumptions import note_assumptions  # noqa: PLC0415 - see above

        marker = item.get_closest_marker(MARK)
        note_assumptions(
            item, handles, marker.kwargs.get("assumptions", "count") if marker else "count"
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell, under a test that failed, what happened to its account."""
    report = yield
    if report.failed and report.when == "call":
        item.stash[_FAILED] = True
        for handle in item.stash.get(_HANDLES, []):
            report.sections.append((_STORY_TITLE, _story(handle)))
    return report


def _story(handle: Vimmerse) -> str:
    try:
        return handle.story(STORY_LINES)
    except Exception as error:  # noqa: BLE001 - a report must not fail, whatever is the matter
        return f"the mock does not tell: {error}"


@pytest.fixture(scope="session")
def vimmerse_session_target(
    pytestconfig: pytest.Config, vimmerse_listener: Listener
) -> Iterator[Target]:
    """What the contract suite is run against (`vimmerse_contracts.Target`)."""
    from pytest_vimmerse.targets import open_target  # noqa: PLC0415 - see the module's docstring

    guard: Guard | None = pytestconfig.pluginmanager.get_plugin(GUARD)
    brought = pytestconfig.hook.pytest_vimmerse_target(config=pytestconfig)
    if brought is not None:
        _require_limit(brought, guard)
        yield brought
        return
    with open_target(pytestconfig, vimmerse_listener, guard.remote if guard else None) as target:
        yield target


def _require_limit(target: Target, guard: Guard | None) -> None:
    from vimmerse_contracts.suite.target import Capability  # noqa: PLC0415 - see the module's docstring

    if Capability.PLAY_MONEY not in target.capabilities and (guard is None or not guard.ledger):
        from pytest_vimmerse.guard import needs_limit  # noqa: PLC0415 - see above

        pytest.exit(needs_limit(target.name), returncode=2)


@pytest.fixture(scope="session")
def vimmerse_budget(pytestconfig: pytest.Config, vimmerse_session_target: Target) -> Budget | None:
    """What the suite pays from, where a limit is given (`runs.spending.Purse`)."""
    guard: Guard | None = pytestconfig.pluginmanager.get_plugin(GUARD)
    return guard.budget(vimmerse_session_target) if guard else None


@pytest.fixture
def vimmerse_target(request: pytest.FixtureRequest, vimmerse_session_target: Target) -> Target:
    """The target, for a test whose needs it meets; otherwise the test is not run, and says why."""
    from vimmerse_contracts.suite.target import not_run  # noqa: PLC0415 - see the module's docstring

    marker = request.node.get_closest_marker(NEEDS)
    reason = not_run(marker.args if marker else (), vimmerse_session_target.capabilities)
    if reason:
        pytest.skip(reason)
    evidence: EvidencePlugin | None = request.config.pluginmanager.get_plugin(EVIDENCE)
    return evidence.witness(vimmerse_session_target) if evidence else vimmerse_session_target
