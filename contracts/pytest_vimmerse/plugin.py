"""The pytest plugin: options, markers and fixtures.

Every pytest run of everybody who has this package installed loads this module, so it imports
nothing but pytest; what a fixture needs is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_vimmerse.evidence import EvidencePlugin
    from pytest_vimmerse.handle import Vimmerse
    from vimmerse_contracts.target import Target
    from vimmerse_mock.listener import Listener
    from vimmerse_mock.server import MockServer

NEEDS = "vimmerse_needs"
EVIDENCE = "vimmerse_evidence"


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
    """Declare the marker, and begin to record where that is asked for."""
    config.addinivalue_line(
        "markers", f"{NEEDS}(*capabilities): skip unless the contract suite's target has these"
    )
    path: str | None = config.getoption("--vimmerse-evidence")
    if path and not (config.option.collectonly or config.option.help):
        from pytest_vimmerse.evidence import open_evidence  # noqa: PLC0415 - only who records pays

        config.pluginmanager.register(open_evidence(config, path), EVIDENCE)


@pytest.fixture(scope="session")
def vimmerse_server() -> Iterator[MockServer]:
    """A mock on a free port of the loopback, for the whole run (`MockServer`)."""
    from vimmerse_mock.server import MockServer  # noqa: PLC0415 - see the module's docstring

    with MockServer() as server:
        yield server


@pytest.fixture(scope="session")
def vimmerse_listener() -> Iterator[Listener]:
    """A listener for webhooks; `vimmerse.webhooks` is an inbox of it."""
    from vimmerse_mock.listener import Listener  # noqa: PLC0415 - see the module's docstring

    listener = Listener()
    yield listener
    listener.stop()


@pytest.fixture
def vimmerse(vimmerse_server: MockServer, vimmerse_listener: Listener) -> Iterator[Vimmerse]:
    """A fresh account for this test, with a clock moved by hand, a client and a webhook inbox."""
    from pytest_vimmerse.handle import Vimmerse  # noqa: PLC0415 - see the module's docstring

    handle = Vimmerse.open(vimmerse_server, vimmerse_listener)
    yield handle
    handle.close()


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
