from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from vimmerse_mock.app import create_mock
from vimmerse_mock.errors import DuplicateAccountError
from vimmerse_mock.model.account import Opening
from vimmerse_mock.server import MockServer
from vimmerse_mock.stores import open_store

KEY = {"X-Api-Key": "YOUR_API_KEY"}


def test_it_answers_on_a_free_port_of_the_loopback() -> None:
    """Two servers at once have addresses of their own, on 127.0.0.1."""
    with MockServer() as one, MockServer() as two:
        assert one.url != two.url
        for server in (one, two):
            assert server.url.startswith("http://127.0.0.1:")
            assert requests.get(f"{server.url}/health", timeout=60).status_code == 200


def test_starting_and_stopping_twice_is_no_error() -> None:
    """Both are idempotent, and a stopped server says that it is not running."""
    server = MockServer()
    assert server.start().url == server.start().url
    server.stop()
    server.stop()
    with pytest.raises(RuntimeError, match="not running: call start"):
        _ = server.url


def test_stopping_right_after_an_answer_never_fails() -> None:
    """Two hundred servers that each answer once and stop at once leave no file open."""
    with MockServer() as server:  # the first one opens what the process keeps
        requests.get(f"{server.url}/health", timeout=60)
    open_files = Path("/proc/self/fd") if Path("/proc/self/fd").exists() else Path("/dev/fd")
    before = len(list(open_files.iterdir()))
    for _ in range(200):
        with MockServer() as server:
            requests.get(f"{server.url}/health", timeout=60)
    assert len(list(open_files.iterdir())) <= before


def test_a_server_that_was_never_started_has_no_account() -> None:
    """Asking for its account says what to do."""
    with pytest.raises(RuntimeError, match="not been started"):
        _ = MockServer().account


def test_no_thread_is_left_behind() -> None:
    """After stop, what it started is gone."""
    before = set(threading.enumerate())
    with MockServer() as server:
        requests.get(f"{server.url}/health", timeout=60)
    assert {t for t in threading.enumerate() if t not in before and t.is_alive()} == set()


def test_a_stopped_server_does_not_answer() -> None:
    """Its port is closed, also to connections that were open."""
    server = MockServer().start()
    url = server.url
    with requests.Session() as session:
        session.get(f"{url}/health", timeout=60)
        server.stop()
        with pytest.raises(requests.ConnectionError):
            session.get(f"{url}/health", timeout=60)


def test_a_proxy_in_the_environment_does_not_capture_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference client reaches a mock on loopback whatever HTTP_PROXY says."""
    from vimmerse_client import Client

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with MockServer() as server, Client(server.account.key, server.url) as client:
        assert client.health() == {"status": "ok"}


def test_accounts_on_one_server_see_nothing_of_each_other() -> None:
    """A batch of one customer is 404 for another, as if it did not exist."""
    with MockServer() as server:
        mine, yours = server.open_account(), server.open_account()
        created = requests.post(
            f"{server.url}/batch",
            headers={"X-Api-Key": mine.key},
            data={"image_urls": "http://images.example/1.jpg"},
            timeout=60,
        ).json()["data"]["id"]
        answer = requests.get(
            f"{server.url}/batch/{created}", headers={"X-Api-Key": yours.key}, timeout=60
        )
        assert (answer.status_code, answer.json()) == (404, {"message": "NOT_FOUND"})
        assert yours.credits == 100_000


def test_a_key_is_taken_once() -> None:
    """Opening a second account with the same key is refused."""
    with MockServer() as server, pytest.raises(DuplicateAccountError):
        server.open_account(Opening(api_key="YOUR_API_KEY"))


def test_an_account_never_shows_its_key() -> None:
    """Neither the account's repr nor its opening's has the key in it."""
    with MockServer() as server:
        account = server.open_account(Opening(api_key="sesame"))
        state = server.mock.courier.store.account(account.customer_id)
    assert "sesame" not in f"{account!r} {Opening(api_key='sesame')!r} {state!r}"


def test_sixty_four_concurrent_creations_over_http_spend_exactly_the_credit() -> None:
    """With credit for sixteen of sixty-four, sixteen succeed and the others get 402."""
    with MockServer() as server:
        account = server.open_account(Opening(credits=16 * 5))

        def create(_number: int) -> int:
            return requests.post(
                f"{server.url}/batch",
                headers={"X-Api-Key": account.key},
                data={"image_urls": "http://images.example/1.jpg"},
                timeout=60,
            ).status_code

        with ThreadPoolExecutor(16) as pool:
            statuses = sorted(pool.map(create, range(64)))
        assert statuses == [200] * 16 + [402] * 48
        assert account.credits == sum(entry.amount for entry in account.ledger) == 0


@pytest.mark.parametrize(
    ("host", "begins"), [("localhost", "http://127."), ("::1", "http://[::1]:")]
)
def test_the_url_of_a_named_or_ipv6_host_can_be_used(host: str, begins: str) -> None:
    """A name becomes a number, and an IPv6 number goes into brackets."""
    with MockServer(host=host) as server:
        assert server.url.startswith(begins)
        assert requests.get(f"{server.url}/health", timeout=60).status_code == 200


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_that_no_clock_has_is_refused(speed: float) -> None:
    """It is refused before anything is started."""
    with pytest.raises(ValueError, match="a live clock runs at 1e-06 to"):
        Opening(speed=speed)


def test_a_server_that_cannot_open_its_account_stops_again(tmp_path: Path) -> None:
    """A start that fails leaves no thread behind."""
    url = f"sqlite:///{tmp_path / 'mock.db'}"
    with MockServer(create_mock(store=open_store(url))):
        pass
    before = set(threading.enumerate())
    opening = Opening(api_key="other", customer_id="YOUR_CUSTOMER_ID")
    with pytest.raises(DuplicateAccountError, match="with another key"):
        MockServer(create_mock(store=open_store(url)), opening=opening).start()
    assert {t for t in threading.enumerate() if t not in before and t.is_alive()} == set()
