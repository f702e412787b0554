"""Snapshots, spoiled field by field: refused with a sentence, or an account that works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.frozen_time import FrozenTime
from support.hostile import HOSTILE, places, spoil
from support.moves import Hand, Receivers, in_process, make_mock
from vimmerse_contracts.vocabulary import CONTROL_HEADER
from vimmerse_mock.app import Mock
from vimmerse_mock.control import messages as r
from vimmerse_mock.model.account import Opening
from vimmerse_mock.stores import Store

ADMIN: Final = "/__admin/accounts/me"
OURS: Final = {CONTROL_HEADER: "1"}
PLACES_PER_RUN: Final = 60
READS: Final = (
    ADMIN,
    f"{ADMIN}/ledger",
    f"{ADMIN}/clock",
    f"{ADMIN}/faults",
    f"{ADMIN}/batches",
    f"{ADMIN}/webhooks",
    f"{ADMIN}/next_webhooks",
    f"{ADMIN}/webhook_settings",
    f"{ADMIN}/journal",
    f"{ADMIN}/story",
    f"{ADMIN}/export",
    "/__admin/accounts",
)


def _file() -> dict[str, Any]:
    """A sound file of an account to which everything has happened."""
    receivers = Receivers()
    mock = make_mock(FrozenTime(), receivers)
    opening = Opening("mine", "me", credits=300, clock="manual", seed="s")
    account = mock.open_account("http://mock", opening)
    hand = Hand(account, in_process(mock), receivers)
    account.plan_webhooks("500, swap, early, wrong status, delay 1s..2s")
    account.limit(requests_per_minute=1_000, concurrent_batches=10)
    hand.do(("create", 2, True, "Auto"))
    hand.do(("advance", 60))
    hand.do(("concat", 0))
    account.next_batch("partial", queue="2s", refuse_medias=[1])
    hand.do(("create", 2, True, "Wan"))
    hand.do(("next_batch", "stuck"))
    account.plan_next_webhooks("drop")
    account.rotate_webhook_secret()
    account.faults.status(503, headers={"Retry-After": "1"}, operation="create_batch", nth=9)
    file: dict[str, Any] = json.loads(r.ENCODER.encode(account.export()))
    return file


FILE: Final = _file()


def spoiled(path: tuple[str | int, ...], value: Any) -> bytes:
    """Write the file with another value in one place."""
    return json.dumps(spoil(FILE, path, value)).encode()


def use(mock: Mock) -> None:
    """Read everything of the account, move its clock, create, update and pay: nothing is a 500."""
    api = mock.app.test_client()
    headers = {**OURS, "X-Api-Key": mock.service.store.account("me").api_key}
    form = {"image_urls": "http://images.example/1.jpg", "webhook_url": "http://me.example/"}
    batch_ids = [batch.id for batch in mock.service.store.batches("me")]
    requests: list[tuple[str, str, Any]] = [
        *(("GET", path, None) for path in READS),
        *(("GET", f"/batch/{batch_id}", None) for batch_id in batch_ids),
        ("POST", f"{ADMIN}/credits", b'{"amount": 1}'),
        ("POST", "/batch", form),
        ("POST", f"{ADMIN}/clock/next", b""),
        ("POST", f"{ADMIN}/clock/advance", b'{"by": "10d"}'),
        *(("PUT", f"/batch/{batch_id}/edit", {"prompt": "More"}) for batch_id in batch_ids),
        *(("POST", f"/batch/{batch_id}/concat", None) for batch_id in batch_ids),
        ("POST", f"{ADMIN}/clock/advance", b'{"by": "100d"}'),
        *(("GET", path, None) for path in READS),
        ("DELETE", ADMIN, None),
    ]
    for method, path, data in requests:
        answer = api.open(path, method=method, headers=headers, data=data)
        assert answer.status_code not in (401, 403, 500), (method, path, answer.data)


def try_one(mock: Mock, path: tuple[str | int, ...], value: Any) -> None:
    """Import a spoiled file; what was taken works."""
    api = mock.app.test_client()
    answer = api.post("/__admin/import", headers=OURS, data=spoiled(path, value))
    assert answer.status_code in (201, 400), (path, value, answer.data)
    if answer.status_code == 201:
        if any(each["customer_id"] == "me" for each in answer.get_json()["accounts"]):
            use(mock)
        for customer_id in mock.service.store.customers():
            mock.service.store.remove_account(customer_id)


@pytest.fixture
def hostile_mock(store: Store) -> Iterator[Mock]:
    """A mock on each of the stores."""
    mock = make_mock(FrozenTime(), Receivers(), store)
    yield mock
    mock.dispatcher.stop()


def test_a_sound_file_can_be_used(hostile_mock: Mock) -> None:
    """What is spoiled here is sound before."""
    try_one(hostile_mock, ("version",), 1)
    assert hostile_mock.app.test_client().get(ADMIN).status_code == 404


@settings(max_examples=PLACES_PER_RUN, deadline=None, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from(list(places(FILE))), value=st.sampled_from(HOSTILE))
def test_no_field_of_a_snapshot_makes_a_later_answer_fail(
    hostile_mock: Mock, path: tuple[str | int, ...], value: Any
) -> None:
    """Whatever stands in a field: the file is refused, or nothing that is done later is a 500."""
    try_one(hostile_mock, path, value)
