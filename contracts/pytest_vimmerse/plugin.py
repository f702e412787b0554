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
    from pytest_vimmerse.evidence import EvidencePlugin
    from pytest_vimmerse.handle import Vimmerse
    from vimmerse_contracts.target import Target
    from vimmerse_mock.account import Accounts
    from vimmerse_mock.listener import Listener

NEEDS = "vimmerse_needs"
EVIDENCE = "vimmerse_evidence"
MARK = "vimmerse"
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
    """Add the options that point the contract suite."""
    group = parser.getgroup("vimmerse", "Vimmerse batch API")
    group.addoption(
        "--vimmerse-target",
        default="mock",
        metavar="mock|intercept|URL",
        help="what the contract suite is run against: a mock in a thread, in process, or a URL",
    )
    group.addoption(
        "--vimmerse-key",
        default=None,
        metavar="KEY",
        help="API key for a URL (default: VIMMERSE_API_KEY, or the samples' YOUR_API_KEY)",
    )
    group.addoption(
        "--vimmerse-other-key",
        default=None,
        metavar="KEY",
        help="API key of a second customer of a URL; without it some tests are skipped",
    )
    group.addoption(
        "--vimmerse-broke-key",
        default=None,
        metavar="KEY",
        help="API key of a customer of a URL who can pay for one cheapest batch (1 s of one image)",
    )
    group.addoption(
        "--vimmerse-evidence",
        default=None,
        metavar="FILE",
        help="write the contract suite's exchanges and verdicts to this file, without secrets",
    )


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Let other plugins bring a target."""
    from pytest_vimmerse import hooks  # noqa: PLC0415 - cheap, but keeps the hooks in one place

    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and begin to record where that is asked for."""
    config.addinivalue_line(
        "markers",
        f"{MARK}(unfired_faults='fail'): what the fixture `vimmerse` asks of a test; 'ignore' lets "
        "faults that never fired pass",
    )
    config.addinivalue_line(
        "markers", f"{NEEDS}(*capabilities): skip unless the contract suite's target has these"
    )
    path: str | None = config.getoption("--vimmerse-evidence")
    if path and not (config.option.collectonly or config.option.help):
        from pytest_vimmerse.evidence import open_evidence  # noqa: PLC0415 - only who records pays

        config.pluginmanager.register(open_evidence(config, path), EVIDENCE)


@pytest.fixture(scope="session")
def vimmerse_server() -> Iterator[Accounts]:
    """A mock for the whole run: the one that `VIMMERSE_ADMIN_URL` names, else one of its own."""
    if os.environ.get(MOCK_URL):
        from vimmerse_mock.account import RemoteMock  # noqa: PLC0415 - see the module's docstring

        remote = RemoteMock(os.environ[MOCK_URL], os.environ.get(TOKEN, ""))
        yield remote
        remote.close()
        return
    from vimmerse_mock.app import create_mock  # noqa: PLC0415 - see the module's docstring
    from vimmerse_mock.delivery import HttpSender  # noqa: PLC0415 - as above
    from vimmerse_mock.in_process import InProcessSender  # noqa: PLC0415 - as above
    from vimmerse_mock.server import MockServer  # noqa: PLC0415 - as above

    with MockServer(create_mock(sender=InProcessSender(HttpSender()))) as server:
        yield server


@pytest.fixture(scope="session")
def vimmerse_listener() -> Iterator[Listener]:
    """A listener for webhooks; `vimmerse.webhooks` is an inbox of it."""
    from vimmerse_mock.listener import Listener  # noqa: PLC0415 - see the module's docstring

    listener = Listener()
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
        listed = "; ".join(map(str, unfired))
        pytest.fail(f"{_UNFIRED}: {listed}. {_UNFIRED_ADVICE}", pytrace=False)


def _is_strict(item: pytest.Item) -> bool:
    """Say whether a fault that never fired fails a test: one that passed, and did not opt out."""
    marker = item.get_closest_marker(MARK)
    wanted = marker.kwargs.get("unfired_faults", "fail") if marker else "fail"
    if wanted not in ("fail", "ignore"):
        raise pytest.UsageError(f"unfired_faults is 'fail' or 'ignore', not {wanted!r}")
    return wanted == "fail" and not item.stash.get(_FAILED, False)


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
    """What the contract suite is run against (`vimmerse_contracts.target.Target`)."""
    from pytest_vimmerse.targets import open_target  # noqa: PLC0415 - see the module's docstring

    brought = pytestconfig.hook.pytest_vimmerse_target(config=pytestconfig)
    if brought is not None:
        yield brought
        return
    with open_target(pytestconfig, vimmerse_listener) as target:
        yield target


@pytest.fixture
def vimmerse_target(request: pytest.FixtureRequest, vimmerse_session_target: Target) -> Target:
    """The target, for a test whose needs it meets; otherwise the test is skipped by name."""
    marker = request.node.get_closest_marker(NEEDS)
    needed = set(marker.args) if marker else set()
    lacking = sorted(needed - vimmerse_session_target.capabilities)
    if lacking:
        pytest.skip(f"target {vimmerse_session_target.name} lacks: {', '.join(lacking)}")
    evidence: EvidencePlugin | None = request.config.pluginmanager.get_plugin(EVIDENCE)
    return evidence.witness(vimmerse_session_target) if evidence else vimmerse_session_target
