from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.broken_mocks import BROKEN_MOCKS, BrokenMock
from contracts.suite_runs import names, run_suite
from pytest_vimmerse.targets import MockTarget
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.listener import Listener
from vimmerse_mock.server import MockServer


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    """Listen for the webhooks of every mock of this module."""
    opened = Listener()
    yield opened
    opened.stop()


@pytest.mark.parametrize("broken", BROKEN_MOCKS, ids=lambda broken: broken.name.replace(" ", "-"))
def test_a_broken_mock_fails_the_suite(
    broken: BrokenMock,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    listener: Listener,
) -> None:
    """A mock with one fault fails the test that holds the rule it breaks, which says so."""
    with MockServer(broken.build(monkeypatch)) as server:
        target = MockTarget(broken.name, server.open_account, listener)
        run = run_suite(pytester, target=target, only=[broken.caught_by])
    assert set(names(run.failed)) == {broken.caught_by}
    assert broken.saying in run.said
    assert "AssertionError" in run.said or "ContractViolation" in run.said


def test_the_sound_mock_passes_what_the_broken_ones_fail(
    pytester: pytest.Pytester, listener: Listener
) -> None:
    """Without a fault, every test that catches a broken mock passes."""
    caught_by = sorted({broken.caught_by for broken in BROKEN_MOCKS})
    mock: Mock = create_mock()
    with MockServer(mock) as server:
        target = MockTarget("sound", server.open_account, listener)
        run = run_suite(pytester, target=target, only=caught_by)
    assert (run.said, names(run.skipped)) == ("", {})
    assert set(names(run.passed)) == set(caught_by)


def test_there_are_more_broken_mocks_than_were_asked_for() -> None:
    """At least twelve broken mocks, each with a name of its own, prove that the suite bites."""
    assert len({broken.name for broken in BROKEN_MOCKS}) == len(BROKEN_MOCKS) >= 12
