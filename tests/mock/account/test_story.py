"""The story of an account: in order, without what never happened, bounded, and readable."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from support.frozen_time import FrozenTime
from vimmerse_mock.account.account import Account
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.delivery import Reply
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.story import Event, EventKind, lines_of

HOOK = "http://127.0.0.1:9/hook"


class Refusing:
    """A sender whose receiver always answers 500."""

    def send(self, *_call: object, **_named: object) -> Reply:
        """Answer."""
        return Reply(500)


@pytest.fixture
def mock(frozen_time: FrozenTime) -> Mock:
    """A mock whose webhooks are all refused."""
    return create_mock(real_time=frozen_time, sender=Refusing())


@pytest.fixture
def account(mock: Mock) -> Account:
    """An account with a manual clock."""
    return mock.open_account("http://mock", Opening(clock="manual", api_key="mine", seed="s"))


@pytest.fixture
def call(mock: Mock, account: Account) -> Callable[..., dict[str, Any]]:
    """Call the API with the account's key."""
    api: FlaskClient = mock.app.test_client()

    def call(method: str, path: str, **form: object) -> dict[str, Any]:
        answer = api.open(path, method=method, headers={"X-Api-Key": account.key}, data=form)
        data: dict[str, Any] = (answer.json or {}).get("data", {})
        return data

    return call


def lines(account: Account, kind: str) -> list[str]:
    """What happened, of one sort."""
    return [event.what for event in account.events() if event.kind == kind]


def test_causes_come_before_effects_and_everything_in_its_time(
    account: Account, call: Callable[..., dict[str, Any]]
) -> None:
    """A request, what it cost, what it began, how that went on, and who was called."""
    batch = call("POST", "/batch", image_urls="http://images.example/1.jpg", webhook_url=HOOK)
    account.clock.advance(15)
    call("GET", f"/batch/{batch['id']}")
    lines = [(e.kind.value, e.what.replace(batch["id"], "ID")) for e in account.events()]
    assert lines == [
        ("ledger", "+100000 credits (opening), 100000 left"),
        ("request", "POST /batch (create_batch): 200, processing 0 %"),
        ("ledger", "-5 credits (create), 99995 left"),
        ("transition", "processes (submission 1)"),
        ("transition", "media 1 of 1 finished"),
        ("transition", "processing -> success"),
        ("delivery", f"webhook 'success' to {HOOK}, attempt 1: 500"),
        ("delivery", f"webhook 'success' to {HOOK}, attempt 2: 500"),
        ("request", "GET /batch/ID (get_batch): 200, success 100 %"),
    ]
    instants = [event.at for event in account.events()]
    assert instants == sorted(instants)


def test_what_a_later_submission_superseded_is_not_told(
    account: Account, call: Callable[..., dict[str, Any]]
) -> None:
    """The end of a submission that was cut short by another never happened."""
    batch = call("POST", "/batch", image_urls=["http://i.example/1.jpg", "http://i.example/2.jpg"])
    account.clock.advance(4)
    call("PUT", f"/batch/{batch['id']}/edit", prompt="Another")
    account.clock.advance(60)
    call("POST", f"/batch/{batch['id']}/concat")
    account.clock.advance(60)
    assert lines(account, "transition") == [
        "processes (submission 1)",
        "media 1 of 2 finished",
        "processes (submission 2)",
        "media 1 of 2 finished",
        "media 2 of 2 finished",
        "processing -> success",
        "composes (submission 3)",
        "processing -> success",
    ]


def test_what_is_to_come_is_not_told(account: Account, call: Callable[..., dict[str, Any]]) -> None:
    """A story ends at the present."""
    call("POST", "/batch", image_urls="http://images.example/1.jpg")
    assert lines(account, "transition") == ["processes (submission 1)"]
    account.clock.advance(3)
    assert lines(account, "transition")[1:] == ["media 1 of 1 finished"]


def test_a_fault_stands_behind_the_request_that_met_it(
    account: Account, call: Callable[..., dict[str, Any]]
) -> None:
    """It names its kind and the call."""
    account.faults.status(503)
    call("POST", "/batch", image_urls="http://images.example/1.jpg")
    assert [(e.kind.value, e.what) for e in account.events()][1:] == [
        ("request", "POST /batch (create_batch): 503"),
        ("fault", "status 503, call 1 of all"),
    ]


def test_a_path_that_matches_nothing_stands_out(
    account: Account, call: Callable[..., dict[str, Any]]
) -> None:
    """A typo is shown as what it is, with the nearest operation."""
    call("GET", "/bacth/1")
    (line,) = lines(account, "request")
    assert line.startswith("GET /bacth/1 (no such operation): 404: there is no GET '/bacth/1'")
    assert "did you mean GET /batch/{batch_id}?" in line


def test_it_is_written_for_a_terminal(
    account: Account, call: Callable[..., dict[str, Any]]
) -> None:
    """Each line has seconds since the beginning, the sort, and batches by numbers, not ids."""
    for _ in range(2):
        call("POST", "/batch", image_urls="http://images.example/1.jpg")
    account.clock.advance(4)
    lines = account.story().splitlines()
    assert all(re.match(r" *\+\d+\.\d{3}s  [a-z]+ +(batch \d+)? *\S", line) for line in lines)
    assert lines[-1].split() == [
        "+4.000s",
        "transition",
        "batch",
        "2",
        "processing",
        "->",
        "success",
    ]
    assert all(len(line) < 120 for line in lines)


@pytest.mark.parametrize("most", [2, 3, 10, 99])
def test_a_long_story_keeps_its_beginning_and_its_end(most: int) -> None:
    """Of a hundred lines so many are left, and one that says how many are not."""
    events = [Event(n * 1_000_000, EventKind.REQUEST, f"number {n}") for n in range(100)]
    lines = lines_of(events, most).splitlines()
    assert len(lines) == most + 1
    assert lines[0].endswith("number 0")
    assert lines[-1].endswith("number 99")
    assert lines[most // 2].endswith(f"{100 - most} events left out")


def test_a_story_that_is_short_enough_is_whole() -> None:
    """A hundred lines of a hundred are all there, and of nothing it says so."""
    events = [Event(0, EventKind.REQUEST, "again")] * 100
    assert len(lines_of(events, 100).splitlines()) == 100
    assert lines_of([], 100) == "nothing happened"
