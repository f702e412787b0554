from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import wraps
from io import BytesIO
from pathlib import Path

import pytest
import requests
import responses

from vimmerse_client import Client, NotFound
from vimmerse_mock.interception import Others, intercept
from vimmerse_mock.model.account import SAMPLE_ACCOUNT
from vimmerse_mock.receiving.inbox import Inbox
from vimmerse_mock.server import MockServer

API = "https://api.vimmerse.net"
KEY = {"X-Api-Key": "YOUR_API_KEY"}
FORM = {"image_urls": ["http://images.example/1.jpg"]}
MANUAL = replace(SAMPLE_ACCOUNT, clock="manual")


def create(**fields: str) -> requests.Response:
    """Create a batch with plain requests."""
    return requests.post(f"{API}/batch", headers=KEY, data=FORM | fields, timeout=60)


@pytest.mark.parametrize("url", ["https://api.vimmerse.net", "http://api.vimmerse.net"])
def test_requests_to_the_real_hosts_are_answered_in_process(url: str) -> None:
    """Both schemes work, and JSON comes back as from the real service."""
    with intercept():
        answer = requests.post(f"{url}/batch", headers=KEY, data=FORM, timeout=60)
    assert answer.json()["data"]["status"] == "processing"
    assert answer.headers["Content-Type"] == "application/json"


@intercept()
def test_it_is_a_decorator_too() -> None:
    """A decorated function's requests are answered."""
    assert create().status_code == 200


def test_each_use_has_a_mock_of_its_own() -> None:
    """A batch of one call of a decorated function is unknown to the next."""

    @intercept()
    def create_or_read(batch_id: str = "") -> requests.Response:
        if not batch_id:
            return create()
        return requests.get(f"{API}/batch/{batch_id}", headers=KEY, timeout=60)

    batch_id = create_or_read().json()["data"]["id"]
    assert create_or_read(batch_id).status_code == 404


def test_the_whole_life_of_a_batch_needs_no_socket(
    tmp_path: Path, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the network cut off, the reference client uploads, waits, and downloads the video."""

    def refuse(*_args: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    with intercept(opening=MANUAL) as vimmerse:
        client = Client("YOUR_API_KEY", API, sleep=vimmerse.account.clock.advance)
        batch = client.wait(client.create([png, BytesIO(png)]).id)
        assert (batch.status, len(batch.finished_medias)) == ("success", 2)
        assert batch.video_url is not None
        assert batch.video_url.startswith("https://media.vimmerse.net/YOUR_CUSTOMER_ID/")
        assert client.download(batch, tmp_path / "a.mp4").read_bytes()[4:8] == b"ftyp"
        with pytest.raises(NotFound):
            client.get("00000000-0000-4000-8000-000000000000")
        client.close()


def test_a_body_that_is_read_in_pieces_arrives_whole() -> None:
    """A generator as a request body is as good as bytes."""
    with intercept():
        pieces = iter([b"image_urls=http%3A%2F%2Fa%2F1.png", b"&title=in+pieces"])
        answer = requests.post(
            f"{API}/batch",
            headers={**KEY, "Content-Type": "application/x-www-form-urlencoded"},
            data=pieces,
            timeout=60,
        )
    assert answer.json()["data"]["title"] == "in pieces"


def test_other_hosts_pass_by_default() -> None:
    """A real server on this machine is reached through an interception."""
    with MockServer() as server, intercept():
        assert requests.get(f"{server.url}/health", timeout=60).json() == {"status": "ok"}


def test_other_hosts_are_refused_if_asked_for() -> None:
    """A request to anywhere else fails as if there were no network, but loopback passes."""
    with MockServer() as server, intercept(others="refuse"):
        with pytest.raises(requests.ConnectionError):
            requests.get("http://images.example/1.jpg", timeout=60)
        assert requests.get(f"{server.url}/health", timeout=60).status_code == 200


def test_others_takes_only_the_two_words() -> None:
    """Anything else is refused with what is allowed."""
    with pytest.raises(ValueError, match="'pass' or 'refuse', not 'maybe'"):
        intercept(others="maybe")  # type: ignore[arg-type] # on purpose


def test_after_it_nothing_is_intercepted() -> None:
    """Leaving the block gives requests its own way back."""
    original = requests.adapters.HTTPAdapter.send
    with intercept():
        assert requests.adapters.HTTPAdapter.send is not original
    assert requests.adapters.HTTPAdapter.send is original


def test_a_webhook_reaches_a_real_listener(inbox: Inbox) -> None:
    """A webhook from inside goes over a real socket to a listener outside."""
    with intercept(opening=MANUAL) as vimmerse:
        create(webhook_url=inbox.url)
        vimmerse.account.clock.advance(60)
    assert [webhook.body["status"] for webhook in inbox.received] == ["success"]


def test_a_webhook_reaches_a_registered_url() -> None:
    """A URL registered on the interception's own responses gets the POST."""
    with intercept(opening=MANUAL) as vimmerse:
        vimmerse.responses.add("POST", "https://me.example/hook")
        create(webhook_url="https://me.example/hook")
        vimmerse.account.clock.advance(60)
        requested = [call.request for call in vimmerse.responses.calls]
    bodies = [request.body for request in requested if request.url == "https://me.example/hook"]
    assert len(bodies) == 1
    assert '"status": "success"' in str(bodies[0])


@responses.activate
def test_an_active_responses_mock_still_answers_for_its_urls() -> None:
    """A test that uses `responses` for other services goes on to work, webhooks included."""
    responses.add("GET", "https://other.example/", body="mine")
    hook = responses.add("POST", "https://me.example/hook")
    with intercept(opening=MANUAL) as vimmerse:
        assert requests.get("https://other.example/", timeout=60).text == "mine"
        create(webhook_url="https://me.example/hook")
        vimmerse.account.clock.advance(60)
    assert hook.call_count == 1


@contextmanager
def cloud_mock() -> Iterator[responses.RequestsMock]:
    """What moto starts: a `responses` mock of its own, which passes on what is not its own."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as cloud:
        cloud.add_passthru("http")
        cloud.add("GET", "https://bucket.s3.amazonaws.com/", body="mine")
        yield cloud


@pytest.mark.parametrize("others", ["pass", "refuse"])
def test_a_mock_that_is_started_inside_lets_the_real_hosts_be_answered_here(
    others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was started last, nothing leaves this machine, and both mocks answer their own."""

    def refuse(*_args: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    with intercept(others=others) as vimmerse, cloud_mock():
        batch_id = create(title="inside").json()["data"]["id"]
        read = requests.get(f"{API}/batch/{batch_id}", headers=KEY, timeout=60)
        assert read.json()["data"]["title"] == "inside"
        assert requests.get("https://bucket.s3.amazonaws.com/", timeout=60).text == "mine"
        vimmerse.responses.add("GET", "https://me.example/", body="registered")
        assert requests.get("https://me.example/", timeout=60).text == "registered"
        assert [each.status for each in vimmerse.account.journal.requests()] == [200, 200]
    with cloud_mock(), intercept(others=others):
        assert create().status_code == 200


def test_faults_are_raised_beneath_a_mock_that_was_started_inside() -> None:
    """A reset and a time-out are the same exceptions, and an adapter's retries are carried out."""
    with intercept(opening=MANUAL) as vimmerse, cloud_mock():
        vimmerse.account.faults.reset()
        with pytest.raises(requests.ConnectionError, match="Connection aborted"):
            create()
        vimmerse.account.faults.latency("61s")
        with pytest.raises(requests.ReadTimeout):
            create()


def test_others_are_refused_beneath_a_mock_that_was_started_inside() -> None:
    """What it passes on goes no further than it would have without it."""
    with intercept(others="refuse"), cloud_mock(), MockServer() as server:
        with pytest.raises(requests.ConnectionError, match="refused by Responses"):
            requests.get("http://images.example/1.jpg", timeout=60)
        assert requests.get(f"{server.url}/health", timeout=60).status_code == 200


def test_an_async_function_is_decorated() -> None:
    """The body of an `async def` runs inside, whenever it is awaited."""

    @intercept(others="refuse")
    async def creating() -> int:
        await asyncio.sleep(0)
        return create().status_code

    assert asyncio.run(creating()) == 200


def test_a_fixture_that_yields_is_decorated() -> None:
    """From the first line of a generator to its last, the test between them included."""

    @contextmanager
    @intercept(others="refuse")
    def fixture() -> Iterator[int]:
        yield create().status_code
        assert create().status_code == 200

    @asynccontextmanager
    @intercept(others="refuse")
    async def async_fixture() -> AsyncIterator[int]:
        yield create().status_code
        assert create().status_code == 200

    async def use() -> None:
        async with async_fixture() as status:
            assert status == create().status_code == 200

    with fixture() as status:
        assert status == create().status_code == 200
    asyncio.run(use())


def test_what_cannot_be_decorated_is_refused_at_once() -> None:
    """A class, a fixture that is made already, a static method: each is refused with what helps."""

    class Tests:
        pass

    for other in (Tests, pytest.fixture(lambda: None), staticmethod(create), print):
        with pytest.raises(TypeError, match="decorate each test function"):
            intercept()(other)


def test_a_coroutine_that_would_run_outside_is_refused() -> None:
    """A decorator between it and the `async def` hides what the function is."""

    def hiding(function: Callable[[], Coroutine[None, None, None]]) -> Callable[[], object]:
        @wraps(function)
        def wrapper() -> object:
            return function()

        return wrapper

    @intercept()
    @hiding
    async def creating() -> None:
        create()

    with pytest.raises(TypeError, match="apply intercept\\(\\) directly to the `async def`"):
        creating()


def test_one_interception_is_not_entered_twice() -> None:
    """Entering what is at work already is refused, and it goes on to work."""
    once = intercept()
    with once:
        with pytest.raises(RuntimeError, match="create another"):
            once.__enter__()
        assert create().status_code == 200


def test_a_name_that_only_looks_like_loopback_does_not_pass() -> None:
    """With others refused, hosts that begin like loopback are refused too."""
    with intercept(others="refuse"):
        for host in ("127.evil.invalid", "localhost.evil.invalid", "127.0.0.1@evil.invalid"):
            with pytest.raises(requests.ConnectionError, match="refused by Responses"):
                requests.get(f"http://{host}/", timeout=60)


def test_a_key_in_bytes_and_a_body_of_strings_are_fine() -> None:
    """What `requests` sends, the interception understands."""
    with intercept():
        answer = requests.post(
            f"{API}/batch",
            headers={
                "X-Api-Key": b"YOUR_API_KEY",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            data=iter(["image_urls=", "http%3A%2F%2Fa%2F1.png"]),  # type: ignore[arg-type] # requests takes it
            timeout=60,
        )
    assert answer.status_code == 200
