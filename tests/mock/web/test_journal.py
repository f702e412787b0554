"""The journal: what it keeps of every request, what it never keeps, and how a test asks it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from support.serving import Serve
from vimmerse_contracts.operations import OPERATIONS
from vimmerse_contracts.secrecy import REDACTED
from vimmerse_mock.account.account import Account, RemoteMock, open_account
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.errors import StoreConflictError, StoreFullError, StoreUnavailableError
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.credits import Reason
from vimmerse_mock.model.exchange import BODY_CHARACTERS, JOURNAL_BYTES, Exchange, LazyExchange
from vimmerse_mock.server import MockServer
from vimmerse_mock.stores import UNAUTHENTICATED, Store, open_store
from vimmerse_mock.stores.memory import MemoryStore

SECRET = "key-that-nobody-may-see"
KEY = {"X-Api-Key": SECRET}
FORM = {"image_urls": "http://images.example/1.jpg"}
KEEP = 5


def opened(mock: Mock) -> Account:
    """An account with a manual clock and the secret key."""
    return mock.open_account(
        "http://mock", Opening(api_key=SECRET, customer_id="me", clock="manual")
    )


def kept(mock: Mock) -> str:
    """Everything that the journals have, as text."""
    store = mock.courier.store
    return repr((store.journal("me"), store.journal(UNAUTHENTICATED)))


class TestJournal:
    """What holds on every store."""

    @pytest.fixture
    def mock(self, store: Store) -> Iterator[Mock]:
        """A mock that keeps the last hundred requests of each account."""
        mock = create_mock(store=store, journal=100)
        yield mock
        mock.close()

    @pytest.fixture
    def account(self, mock: Mock) -> Account:
        """The account."""
        return opened(mock)

    @pytest.fixture
    def api(self, mock: Mock, account: Account) -> FlaskClient:  # noqa: ARG002 - the account must be there
        """Calls the mock's WSGI application."""
        return mock.app.test_client(use_cookies=False)

    def test_a_request_is_kept_with_all_that_it_caused(
        self, api: FlaskClient, account: Account
    ) -> None:
        """Operation, instant, form, answer, state and charges."""
        account.clock.advance(7)
        answer = api.post("/batch?x=1", headers=KEY, data={**FORM, "title": "Grüße"})
        (shown,) = account.journal.requests()
        assert (shown.operation, shown.method, shown.path) == ("create_batch", "POST", "/batch?x=1")
        assert (shown.status, shown.answer) == (200, answer.get_data(as_text=True))
        assert shown.at == account.clock.now()
        assert shown.form == {"image_urls": (FORM["image_urls"],), "title": ("Grüße",)}
        assert shown.headers["x-api-key"] == REDACTED
        assert shown.answer_headers["Content-Type"] == answer.headers["Content-Type"]
        assert (shown.batch_status, shown.progress) == ("processing", 0)
        (charge,) = shown.charges
        assert (charge.amount, charge.reason, charge.batch_id) == (
            -5,
            Reason.CREATE,
            shown.batch_id,
        )
        assert shown.batch_id == account.batches[0].id

    def test_every_operation_is_known_by_its_id(self, api: FlaskClient, account: Account) -> None:
        """What needs no key is an account's if its key was sent all the same."""
        for operation in OPERATIONS:
            path = operation.path.format(batch_id="00000000-0000-4000-8000-000000000000")
            api.open(path, method=operation.method, headers=KEY, data=FORM)
        assert [each.operation for each in account.journal.requests()] == [
            each.id for each in OPERATIONS
        ]

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [("POST", "/bacth", 404), ("GET", "/batch/1/edti", 404), ("DELETE", "/batch", 405)],
    )
    def test_a_typo_stands_out_and_is_answered_as_the_api_does(
        self, api: FlaskClient, account: Account, method: str, path: str, status: int
    ) -> None:
        """The answer is the API's JSON; the journal has it without an operation."""
        answer = api.open(path, method=method, headers=KEY)
        assert (answer.status_code, answer.mimetype) == (status, "application/json")
        (shown,) = account.journal.requests(operation="")
        assert (shown.method, shown.path, shown.status) == (method, path, status)

    def test_what_comes_without_a_known_key_is_a_unauthenticated(
        self, api: FlaskClient, mock: Mock, account: Account
    ) -> None:
        """No key, a wrong one, a typo without a key; what asks for no key is nobody's."""
        api.post("/batch", data=FORM)
        api.post("/batch", headers={"X-Api-Key": "wrong"}, data=FORM)
        api.get("/bacth")
        api.get("/health")
        api.get("/openapi.json")
        foreign = mock.courier.store.journal(UNAUTHENTICATED)
        assert [(each.path, each.status) for each in foreign] == [
            ("/batch", 401),
            ("/batch", 401),
            ("/bacth", 404),
        ]
        assert account.journal.requests() == ()

    def test_a_file_that_is_fetched_by_its_link_is_its_owners(
        self, api: FlaskClient, account: Account
    ) -> None:
        """The link carries no key, and names the customer; the video is not in the journal."""
        created = api.post("/batch", headers=KEY, data=FORM).get_json()["data"]
        account.clock.run_until(created["id"])
        read = api.get(f"/batch/{created['id']}", headers=KEY).get_json()["data"]
        video = api.get(read["video_url"])
        assert video.status_code == 200
        video.close()
        (shown,) = account.journal.requests(operation="file")
        assert shown.answer == "[video/mp4]"

    @pytest.mark.parametrize(
        "send",
        [
            lambda api: api.get(f"/batch/{SECRET}", headers=KEY),
            lambda api: api.get(f"/bacth/{SECRET}?a={SECRET}&{SECRET}=1", headers=KEY),
            lambda api: api.get("/batch/1", headers={**KEY, "X-Note": f"key {SECRET}!"}),
            lambda api: api.get("/batch/1", headers={**KEY, "Referer": f"http://x/?k={SECRET}"}),
            lambda api: api.post("/batch", headers=KEY, data={**FORM, "title": f"<{SECRET}>"}),
            lambda api: api.post("/batch", headers=KEY, data={**FORM, SECRET: "1"}),
            lambda api: api.get(f"/batch?api_key={SECRET}"),
            lambda api: api.get(f"/batch?x=1&X-Api-Key={SECRET}&y=2"),
            lambda api: api.get(f"/batch?token={SECRET}"),
            lambda api: api.post("/batch", headers={**KEY, "Authorization": f"Bearer {SECRET}"}),
            lambda api: api.post("/batch", headers={"Authorization": f"Bearer {SECRET}"}),
            lambda api: api.post("/batch", headers={"Cookie": f"session={SECRET}"}),
            lambda api: api.post("/batch", headers={"Proxy-Authorization": SECRET}),
            lambda api: api.post("/batch", headers={"Api-Key": SECRET}),
            lambda api: api.post("/batch", headers={**KEY, "X-Auth-Token": SECRET}),
            lambda api: api.post("/batch", headers={"X-Whatever": SECRET}),
            lambda api: api.post(f"/batch?accessToken={SECRET}&x={SECRET[:12]}"),
            lambda api: api.get(f"/batch?key=1&u=http%3A%2F%2Fme%3A{SECRET}%40host%2F"),
            lambda api: api.post(
                "/batch", headers=KEY, data={**FORM, "webhook_url": f"http://me:{SECRET}@host/"}
            ),
            lambda api: api.post("/batch", headers=KEY, data={**FORM, "password": "x" + SECRET}),
            lambda api: api.post(
                "/batch", headers=KEY, data={"image_files": (BytesIO(b"x"), f"{SECRET}.png")}
            ),
        ],
    )
    def test_no_key_is_kept_wherever_it_was_sent(
        self, api: FlaskClient, mock: Mock, send: Callable[[FlaskClient], TestResponse]
    ) -> None:
        """Header, path, query, form, file name: what authorises is redacted, the rest stays."""
        send(api)
        shown = kept(mock)
        assert "path=" in shown
        assert REDACTED in shown
        assert SECRET not in shown

    def test_a_key_that_a_url_must_quote_is_found_there(self, mock: Mock) -> None:
        """Quoted in a query it is redacted as well."""
        mock.open_account("http://mock", Opening(api_key="a&b/c=d", customer_id="me"))
        api = mock.app.test_client()
        api.get("/batch/1?q=a%26b%2Fc%3Dd", headers={"X-Api-Key": "a&b/c=d"})
        (shown,) = mock.courier.store.journal("me")
        assert shown.path == f"/batch/1?q={REDACTED}"

    def test_uploads_are_kept_by_name(self, api: FlaskClient, account: Account, png: bytes) -> None:
        """Their bytes are not."""
        files = [(BytesIO(png), "one.png"), (BytesIO(png), "zwei ü.png")]
        assert api.post("/batch", headers=KEY, data={"image_files": files}).status_code == 200
        (shown,) = account.journal.requests()
        assert shown.form == {"image_files": ("file 'one.png'", "file 'zwei ü.png'")}

    def test_bodies_are_bounded(self, api: FlaskClient, account: Account) -> None:
        """Of a long value, a long answer and many fields the beginning is kept."""
        urls = [f"http://images.example/{'x' * 200}/{i}.jpg" for i in range(90)]
        form = {"image_urls": urls, "note": "t" * 9_000, **{f"f{i}": "1" for i in range(90)}}
        answer = api.post("/batch", headers={**KEY, "X-Long": "l" * 9_000}, data=form)
        assert len(answer.data) > BODY_CHARACTERS
        (shown,) = account.journal.requests()
        assert len(shown.answer) == BODY_CHARACTERS
        assert len(shown.headers["x-long"]) == BODY_CHARACTERS
        assert len(shown.form["image_urls"]) == len(shown.form) == 64
        assert len(shown.form["note"][0]) == BODY_CHARACTERS
        api.get("/" + "p" * 9_000, headers=KEY)
        assert len(account.journal.requests()[-1].path) == BODY_CHARACTERS

    def test_requests_at_once_are_all_kept(self, mock: Mock, account: Account) -> None:
        """Of eighty requests by eight threads none is missed and none is mixed up."""

        def ask(number: int) -> int:
            api = mock.app.test_client()
            data = {**FORM, "title": f"title {number}"}
            return api.post(f"/batch?n={number}", headers=KEY, data=data).status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(ask, range(80))) == {200}
        shown = {each.path: each.form["title"] for each in account.journal.requests()}
        assert shown == {f"/batch?n={n}": (f"title {n}",) for n in range(80)}
        assert sum(c.amount for e in account.journal.requests() for c in e.charges) == -5 * 80


def test_a_journal_is_bounded_on_every_store(store: Store) -> None:
    """Only the last five of each account, and of the unauthenticated, are kept, in order."""
    mock = create_mock(store=store, journal=KEEP)
    account, api = opened(mock), mock.app.test_client()
    other = mock.open_account("http://mock", Opening(api_key="other"))
    api.get("/other", headers={"X-Api-Key": "other"})
    for number in range(12):
        api.get(f"/mine/{number}", headers=KEY)
        api.get(f"/strange/{number}")
    assert [e.path for e in account.journal.requests()] == [f"/mine/{n}" for n in range(7, 12)]
    strange = [e.path for e in mock.courier.store.journal(UNAUTHENTICATED)]
    assert strange == [f"/strange/{n}" for n in range(7, 12)]
    assert len(other.journal.requests()) == 1
    mock.close()


def test_a_journal_of_length_0_keeps_nothing() -> None:
    """Nothing is written then."""
    mock = create_mock(journal=0)
    account = opened(mock)
    mock.app.test_client().post("/batch", headers=KEY, data=FORM)
    mock.app.test_client().post("/batch")
    assert account.journal.requests() == ()
    assert mock.courier.store.journal(UNAUTHENTICATED) == ()


class Refusing(MemoryStore):
    """A store that has no journal to write to."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def note(self, *_noted: object) -> None:
        """Refuse."""
        raise self.error


@pytest.mark.parametrize(
    "error",
    [StoreFullError("disk is full"), StoreUnavailableError("gone"), StoreConflictError("locked")],
)
def test_a_journal_that_cannot_be_written_breaks_no_answer(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """The request is answered as ever, and the log says what the journal misses, without keys."""
    mock = create_mock(store=Refusing(error))
    account = opened(mock)
    with caplog.at_level(logging.WARNING):
        answer = mock.app.test_client().post(f"/batch?{SECRET}", headers=KEY, data=FORM)
    assert answer.status_code == 200
    assert account.credits == 99_995
    assert "the journal misses POST /batch" in caplog.text
    assert SECRET not in caplog.text


def test_a_full_disk_breaks_no_answer_that_writes_nothing_else(tmp_path: Path) -> None:
    """On a database that takes no more, what was there can still be read."""
    file = tmp_path / "mock.db"
    mock = create_mock(store=open_store(f"sqlite:///{file}"))
    opened(mock)
    api = mock.app.test_client()
    created = api.post("/batch", headers=KEY, data=FORM).get_json()["data"]
    mock.close()
    store = open_store(f"sqlite:///{file}")
    _fill(store)
    full = create_mock(store=store)
    for _ in range(50):
        read = full.app.test_client().get(
            f"/batch/{created['id']}", headers={**KEY, "X-Padding": "p" * 4_000}
        )
        assert read.status_code == 200
    assert len(store.journal("me")) < 50
    full.close()


def _fill(store: Store) -> None:
    """Stop the database from growing: SQLite then says that the disk is full."""
    from sqlalchemy import event

    engine = store._writers  # type: ignore[attr-defined] # it is SQL's

    @event.listens_for(engine, "connect")
    def limit(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    engine.dispose()


def test_variables_of_a_served_mocks_environment_are_no_headers(tmp_path: Path) -> None:
    """What stands in the environment of a `serve` process was not sent."""
    variables = {"HTTP_SECRET": "hunter2", "HTTP_PROXY": "http://user:hunter2@proxy"}
    with Serve(tmp_path, **variables) as serve:
        account = RemoteMock(serve.await_url()).open_account()
        requests.get(f"{account.url}/batch/1", headers={"X-Api-Key": account.key}, timeout=60)
        (shown,) = account.journal.requests()
        assert "hunter2" not in repr(shown)
        assert {"host", "x-api-key", "user-agent"} <= set(shown.headers)
        assert "secret" not in shown.headers


@pytest.fixture(scope="module")
def asked() -> Iterator[Account]:
    """An account that created two batches, read one, mistyped a path, and was refused."""
    with MockServer() as server:
        account = server.open_account(Opening(api_key=SECRET, clock="manual", credits=10))
        for title in ("One", "Two"):
            _send(account, "POST", "/batch", title=title, quantity=1)
        _send(account, "POST", "/batch", title="Three")
        _send(account, "GET", f"/batch/{account.batches[0].id}?x=1")
        _send(account, "GET", "/bacth/1")
        yield account


class TestQuestions:
    """What a test asks of an account's journal."""

    def test_requests_are_found_by_any_description(self, asked: Account) -> None:
        """What is not described does not matter; what is must be so."""

        def count(**described: Any) -> int:
            return len(asked.journal.requests(**described))

        first = asked.batches[0].id
        assert count() == 5
        assert count(operation="create_batch") == 3
        assert count(operation="create_batch", status=402) == 1
        assert count(operation="") == count(status=404) == 1
        assert count(method="GET") == 2
        assert count(path=f"/batch/{first}") == 1
        assert count(batch_id=first) == 2
        assert count(form={"title": "Two"}) == 1
        assert count(form={"title": "Two", "quantity": 1}) == 1
        assert count(form={"title": "Two", "quantity": 2}) == 0
        assert count(form={}) == 5

    def test_what_was_requested_comes_back(self, asked: Account) -> None:
        """An assertion that holds returns the requests."""
        (found,) = asked.journal.assert_requested(form={"title": "One"}, times=1)
        assert found.batch_id == asked.batches[0].id
        assert len(asked.journal.assert_requested(operation="create_batch")) == 3
        asked.journal.assert_not_requested(operation="concat_batch")
        assert asked.journal.assert_requested(operation="concat_batch", times=0) == ()

    def test_what_was_not_requested_is_told_with_the_nearest_miss(self, asked: Account) -> None:
        """What was expected, how often it came, what came nearest, how it differs, and all."""
        with pytest.raises(AssertionError) as caught:
            asked.journal.assert_requested(
                operation="create_batch", status=200, form={"title": "Three", "quantity": 9}
            )
        lines = str(caught.value).splitlines()
        assert lines[0] == (
            "expected at least one request with operation='create_batch', status=200, "
            "form={'title': 'Three', 'quantity': 9}; there were 0"
        )
        assert lines[1].startswith("nearest miss: POST /batch -> ")
        assert lines[1].endswith(
            (
                "title was 'One', not 'Three'; quantity was '1', not '9'",
                "quantity was not sent, not '9'",
            )
        )
        assert "all requests of the account (5):" in lines
        assert lines[-1] == "  GET /bacth/1 -> 404 (no such operation)"

    def test_the_nearest_miss_differs_least(self, asked: Account) -> None:
        """Of all requests the one with the fewest differences is shown."""
        nearest = r"nearest miss: POST /batch -> 402 \(create_batch\): operation was 'create_batch'"
        with pytest.raises(AssertionError, match=nearest):
            asked.journal.assert_requested(
                operation="update_batch", status=402, form={"title": "Three"}
            )

    def test_a_typo_is_pointed_at(self, asked: Account) -> None:
        """Requests whose path matches no operation are told apart."""
        with pytest.raises(AssertionError) as caught:
            asked.journal.assert_requested(operation="update_batch")
        assert "of 1 the path matches no operation (a typo?):\n  GET /bacth/1" in str(caught.value)

    def test_too_many_and_unwanted_requests_are_noted(self, asked: Account) -> None:
        """Another number than expected says both numbers."""
        with pytest.raises(AssertionError, match=r"expected 1 requests with .*; there were 3"):
            asked.journal.assert_requested(operation="create_batch", times=1)
        with pytest.raises(AssertionError, match=r"expected 0 requests with .*; there were 1"):
            asked.journal.assert_not_requested(operation="get_batch")

    def test_an_account_without_requests_says_so(self, asked: Account) -> None:
        """There is no nearest miss then."""
        fresh = open_account(asked.control, asked.url, Opening())
        with pytest.raises(AssertionError) as caught:
            fresh.journal.assert_requested()
        assert str(caught.value).splitlines() == [
            "expected at least one request with any request; there were 0",
            "all requests of the account (0):",
            "  none",
        ]

    def test_no_assertion_shows_the_key(self, asked: Account) -> None:
        """Failures can be pasted anywhere."""
        with pytest.raises(AssertionError) as caught:
            asked.journal.assert_requested(path="/nowhere")
        assert SECRET not in str(caught.value)


def _send(account: Account, method: str, path: str, **form: object) -> None:
    data = {**FORM, **form} if method == "POST" else None
    requests.request(
        method, account.url + path, headers={"X-Api-Key": account.key}, data=data, timeout=60
    )


def test_a_stored_exchange_reads_as_it_was_written() -> None:
    """An exchange of only its required fields is one without form, answer and charges."""
    exchange = Exchange(at=1, real=2, took=3, method="GET", path="/", operation="", status=404)
    assert (exchange.form, exchange.answer, exchange.charges, exchange.fault) == ({}, "", (), "")


def test_a_journal_in_memory_has_a_bound_in_bytes() -> None:
    """However many exchanges it may keep: before they take more, the oldest go."""
    store = MemoryStore()
    mock = create_mock(store=store)
    opened(mock)
    written = Exchange(at=1, real=2, took=3, method="GET", path="/", operation="", status=404)
    for customer_id in ("me", UNAUTHENTICATED):
        for number in range(10):
            exchange = replace(written, at=number)
            store.note(
                customer_id, LazyExchange(partial(replace, exchange), JOURNAL_BYTES // 4), 1_000
            )
        assert [each.at for each in store.journal(customer_id)] == [7, 8, 9]


def test_a_form_of_megabytes_takes_little_of_the_journal() -> None:
    """What is kept of it stays far below the journal's bound."""
    mock = create_mock()
    account = opened(mock)
    form = {f"field{number}": "\N{FILM FRAMES}" * 30_000 for number in range(20)}
    answer = mock.app.test_client().post("/batch", headers=KEY, data=form)
    assert answer.status_code == 400
    (came,) = mock.courier.store.journal(account.customer_id)
    assert came.size < JOURNAL_BYTES / 50
