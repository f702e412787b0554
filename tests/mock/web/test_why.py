"""Each refusal says why: in a header, the journal, the story and the client's exception."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_client import BadRequest, Client
from vimmerse_contracts.vocabulary import WHY_HEADER
from vimmerse_mock import MockServer
from vimmerse_mock.account.account import Account
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.model.account import Opening
from vimmerse_mock.web.why import LONGEST

KEY = {"X-Api-Key": "key-one"}
URL = "http://images.example/1.jpg"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def api(mock: Mock) -> FlaskClient:
    """The API, in process."""
    return mock.app.test_client()


@pytest.fixture
def account(mock: Mock) -> Account:
    """An account with 4 credits."""
    return mock.open_account("http://mock", Opening("key-one", "one", credits=4))


POSTS: list[tuple[dict[str, Any], str]] = [
    (
        {"data": {"images": "x"}},
        "'images' is no field, did you mean 'image_files'? [create.no_images, documented P26]",
    ),
    ({"data": {"image_urls[]": URL}}, "'image_urls[]' is no field, did you mean 'image_urls'?"),
    ({"data": {"title": "T"}}, "neither 'image_files' nor 'image_urls'"),
    ({"json": {"image_urls": [URL]}}, "the body is 'application/json', not a form"),
    ({}, "the body is empty"),
    ({"data": b"a=1", "content_type": "multipart/form-data"}, "has no boundary"),
    ({"data": {"image_files": "text"}}, "'image_files.0': Value error, Expected UploadFile"),
    ({"data": {"image_urls": URL, "duration": "x"}}, "'duration': Input should be a valid int"),
    ({"data": {"image_urls": URL, "quantity": "4"}}, "credits, and there are 4"),
]
MISTAKES = [("POST", "/batch", sent, because) for sent, because in POSTS] + [
    ("POST", "/batches", {}, "there is no POST '/batches', did you mean POST /batch?"),
    ("GET", f"/v1/batch/{UNKNOWN}", {}, "did you mean GET /batch/{batch_id}?"),
    ("POST", f"/batch/{UNKNOWN}", {}, "takes GET, not POST"),
    ("GET", f"/batch/{UNKNOWN}", {}, "no such batch"),
    ("GET", "/batch/7", {}, "a batch id is a UUID [read.bad_id, documented P26]"),
]


@pytest.mark.parametrize(("method", "path", "sent", "because"), MISTAKES)
def test_a_refusal_says_why(
    api: FlaskClient, account: Account, method: str, path: str, sent: dict[str, Any], because: str
) -> None:
    """The header names what was sent, what was expected, and the rule with its source."""
    answer = api.open(path, method=method, headers=KEY, **sent)
    assert answer.status_code >= 400
    assert because in answer.headers[WHY_HEADER]
    assert account.journal.requests()[-1].why == answer.headers[WHY_HEADER]
    assert answer.headers[WHY_HEADER] in account.story()


@pytest.mark.parametrize(
    ("headers", "path", "because"),
    [
        ({}, "/batch", "the request has no header X-Api-Key"),
        (
            {"Authorization": "Bearer key-one"},
            "/batch",
            "'Authorization' is not read",
        ),
        ({"Api-Key": "key-one"}, "/batch", "'Api-Key' is not read"),
        ({}, "/batch?api_key=key-one", "a key in the query is not read"),
        ({"X-Api-Key": "key-two"}, "/batch", "no account has the key in X-Api-Key"),
    ],
)
def test_a_request_without_its_key_says_where_that_belongs(
    api: FlaskClient, account: Account, headers: dict[str, str], path: str, because: str
) -> None:
    """The key itself is never repeated."""
    answer = api.post(path, headers=headers, data={"image_urls": URL})
    assert because in answer.headers[WHY_HEADER]
    assert account.key not in answer.headers[WHY_HEADER]


def test_a_planned_fault_is_named(api: FlaskClient, account: Account) -> None:
    """Nobody takes a planned error for one of the mock."""
    account.faults.status(503)
    answer = api.get(f"/batch/{UNKNOWN}", headers=KEY)
    assert "a fault was planned for this call" in answer.headers[WHY_HEADER]


def test_an_ignored_field_is_mentioned(mock: Mock, api: FlaskClient) -> None:
    """A misspelt field changes nothing, and stands in the journal with the nearest known one."""
    account = mock.open_account("http://mock", Opening("key-one", "one"))
    answer = api.post("/batch", headers=KEY, data={"image_urls": URL, "webhook_ur1": "x"})
    assert answer.status_code == 200
    assert WHY_HEADER not in answer.headers
    (exchange,) = account.journal.requests()
    assert "'webhook_ur1' is no field, did you mean 'webhook_url'?" in exchange.why


def test_a_strict_account_refuses_unknown_fields(mock: Mock, api: FlaskClient) -> None:
    """The 422 names each of them, and nothing is charged."""
    account = mock.open_account("http://mock", Opening("key-one", "one", strict=True))
    before = account.credits
    answer = api.post("/batch", headers=KEY, data={"image_urls": URL, "webhook_ur1": "x"})
    assert answer.status_code == 422
    (problem,) = json.loads(answer.data)["detail"]
    assert (problem["loc"], problem["type"]) == (["body", "webhook_ur1"], "extra_forbidden")
    assert "did you mean 'webhook_url'?" in problem["msg"]
    assert account.credits == before


def test_the_header_can_be_turned_off(api: FlaskClient, mock: Mock) -> None:
    """For one account, or for a whole mock; the journal goes on saying why."""
    account = mock.open_account("http://mock", Opening("key-one", "one", why=False))
    assert WHY_HEADER not in api.post("/batch", headers=KEY).headers
    assert account.journal.requests()[-1].why
    silent = create_mock(why=False)
    assert WHY_HEADER not in silent.app.test_client().post("/batch").headers
    silent.close()


def test_the_clients_exception_says_why(live_server: MockServer) -> None:
    """What the mock knows stands where a failing test shows it."""
    account = live_server.account
    with Client(account.key, account.url) as client, pytest.raises(BadRequest) as raised:
        client.get("7")
    assert raised.value.why.startswith("a batch id is a UUID")
    assert "a batch id is a UUID" in str(raised.value)


@given(st.text(max_size=900), st.text(max_size=900))
def test_whatever_was_sent_the_header_is_one_line_of_ascii(name: str, path: str) -> None:
    """No text breaks the header, or makes it long."""
    mock = create_mock()
    mock.open_account("http://mock", Opening("key-one", "one"))
    api = mock.app.test_client()
    said = [
        api.post("/batch", headers=KEY, data={name: "x"}).headers[WHY_HEADER],
        api.get("/" + path.lstrip("/"), headers=KEY).headers.get(WHY_HEADER, ""),
    ]
    mock.close()
    for sentence in said:
        assert sentence.isascii()
        assert sentence.isprintable()
        assert len(sentence) <= LONGEST
