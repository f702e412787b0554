"""Bodies and queries of the control plane, spoiled field by field: refused, or carried out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from support.control_bodies import BODIES
from support.frozen_time import FrozenTime
from support.hostile import HOSTILE, places, spoil
from support.moves import Receivers, make_mock
from vimmerse_contracts.vocabulary import CONTROL_HEADER
from vimmerse_mock.app import Mock
from vimmerse_mock.control.operations import OPERATIONS, Operation
from vimmerse_mock.model.account import Opening
from vimmerse_mock.stores import Store

OURS: Final = {CONTROL_HEADER: "1", "X-Api-Key": "mine"}
FORM: Final = {"image_urls": "http://images.example/1.jpg", "webhook_url": "http://me.example/"}
WITH_BODY: Final = [each for each in OPERATIONS if each.id in BODIES]
QUERIES: Final = [(each, name) for each in OPERATIONS for name in each.query]
TEXTS: Final = [value for value in HOSTILE if isinstance(value, str)]


@pytest.fixture
def mock(store: Store) -> Iterator[Mock]:
    """A mock on each of the stores, with an account that has a batch and a webhook."""
    mock = make_mock(FrozenTime(), Receivers(), store)
    mock.open_account("http://mock", Opening("mine", "me", clock="manual"))
    mock.app.test_client().post("/batch", headers=OURS, data=FORM)
    yield mock
    mock.dispatcher.stop()


def path_of(operation: Operation[Any, Any]) -> str:
    """Where an operation is, on the account."""
    return operation.path.format(customer_id="me", message_id="\x00", batch_id="x" * 40_000)


def require_sound(mock: Mock) -> None:
    """The account can be read, and its batches can be created and carried to their end."""
    api = mock.app.test_client()
    for method, path, data in [
        ("GET", "/__admin/accounts/me", None),
        ("GET", "/__admin/accounts/me/webhook_settings", None),
        ("GET", "/__admin/accounts/me/faults", None),
        ("POST", "/batch", FORM),
        ("POST", "/__admin/accounts/me/clock/next", None),
        ("GET", "/__admin/accounts/me/export", None),
    ]:
        answer = api.open(path, method=method, headers=OURS, data=data)
        assert answer.status_code not in (401, 403, 500), (method, path, answer.data)


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda each: each.id)
def test_no_field_of_a_body_makes_an_answer_fail(
    mock: Mock, operation: Operation[Any, Any]
) -> None:
    """Whatever stands in a field: it is refused with 400, or what comes later works."""
    api, body = mock.app.test_client(), BODIES[operation.id]
    named = dict.fromkeys(getattr(operation.takes, "__struct_fields__", ()), "x")
    for path in places({**named, **body}):
        statuses = set()
        for value in HOSTILE:
            sent = json.dumps(spoil({**named, **body} if len(path) > 1 else body, path, value))
            answer = api.open(path_of(operation), method=operation.method, headers=OURS, data=sent)
            assert answer.status_code in (operation.status, 400, 409), (path, value, answer.data)
            statuses.add(answer.status_code)
        if operation.status in statuses:
            require_sound(mock)


@pytest.mark.parametrize(("operation", "name"), QUERIES, ids=lambda each: getattr(each, "id", each))
def test_no_query_makes_an_answer_fail(
    mock: Mock, operation: Operation[Any, Any], name: str
) -> None:
    """Numbers, cursors and names: used, or refused."""
    api = mock.app.test_client()
    for value in [*TEXTS, "-1", "0", "1", "9" * 9, "9" * 18, "1.1", "1.2.3.4", "9.9.9.9"]:
        sent = {name: value.encode("utf-8", "surrogatepass")}
        answer = api.get(path_of(operation), headers=OURS, query_string=sent)
        assert answer.status_code in (200, 400), (name, value, answer.data)


@pytest.mark.parametrize("name", ["\0", "%00", "x" * 40_000, "\udcff", "..", "\u6d77"])
def test_no_path_makes_an_answer_fail(mock: Mock, name: str) -> None:
    """An id that there is not is not there, whatever it looks like."""
    api = mock.app.test_client()
    for path in (f"/__admin/accounts/{name}", f"/batch/{name}", f"/files/{name}/{name}/{name}"):
        answer = api.get(path.encode("utf-8", "surrogateescape").decode("latin-1"), headers=OURS)
        assert answer.status_code in (400, 404), (path, answer.data)
