from __future__ import annotations

import pytest

from contracts.broken_mocks import BROKEN_MOCKS, BrokenMock
from contracts.suite_runs import names, run_suite
from contracts.test_suite_covers_rules import RULES, TESTS, UNTESTABLE
from pytest_vimmerse.targets import MockTarget
from vimmerse_contracts.suite.rules import rules_of
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.receiving.inbox import Listener
from vimmerse_mock.server import MockServer


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
    """At least thirty broken mocks, each with a name of its own, prove that the suite bites."""
    assert len({broken.name for broken in BROKEN_MOCKS}) == len(BROKEN_MOCKS) >= 30


@pytest.mark.parametrize("broken", BROKEN_MOCKS, ids=lambda broken: broken.name.replace(" ", "-"))
def test_a_broken_mock_is_caught_by_a_test_of_the_rule_it_breaks(broken: BrokenMock) -> None:
    """The test that catches a broken mock names the rule that the mock breaks."""
    assert broken.breaks in rules_of(TESTS[broken.caught_by])


def test_every_rule_that_can_be_held_is_broken_by_a_mock() -> None:
    """Each rule that the suite holds a target to has a broken mock."""
    held = RULES - set(UNTESTABLE)
    assert held - {broken.breaks for broken in BROKEN_MOCKS} == set()
