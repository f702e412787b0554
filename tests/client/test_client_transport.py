from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import responses

from support.sockets import reserved_port
from vimmerse_client import (
    Client,
    ConfigurationError,
    RateLimited,
    RetryPolicy,
    ServerError,
    TransportError,
)

if TYPE_CHECKING:
    from client.conftest import FakeApi, FakeTime

SPENDING: list[Callable[[Client], object]] = [
    lambda client: client.create([b"image"]),
    lambda client: client.update("id", prompt="again"),
    lambda client: client.concat("id"),
]
REAL = "https://api.vimmerse.net/batch/id"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_get_is_retried(api: FakeApi, client: Client, clock: FakeTime, status: int) -> None:
    """A GET that gets 429 or 5xx is sent again, with a growing pause."""
    api.json({"message": "BUSY"}, status)
    api.json({"message": "BUSY"}, status)
    api.batch()
    client.get("id")
    assert len(api.seen) == 3
    assert clock.slept == [0.5, 1.0]


def test_get_is_retried_when_the_connection_breaks(
    api: FakeApi, client: Client, clock: FakeTime
) -> None:
    """A GET whose connection is closed without an answer is sent again."""
    api.drop()
    api.batch()
    client.get("id")
    assert len(api.seen) == 2
    assert clock.slept == [0.5]


def test_get_gives_up_after_its_attempts(api: FakeApi, client: Client, clock: FakeTime) -> None:
    """The last error is raised, without another pause."""
    api.json({"message": "BUSY"}, 503)
    with pytest.raises(ServerError, match="503 BUSY"):
        client.get("id")
    assert len(api.seen) == 3
    assert clock.slept == [0.5, 1.0]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 422])
def test_get_is_not_retried_when_it_is_wrong(api: FakeApi, client: Client, status: int) -> None:
    """Sending the same wrong request again would change nothing."""
    api.json({"message": "NO"}, status)
    with pytest.raises(Exception, match=str(status)):
        client.get("id")
    assert len(api.seen) == 1


@pytest.mark.parametrize("spend", SPENDING)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_could_spend_twice_is_sent_once(
    api: FakeApi, client: Client, clock: FakeTime, spend: Callable[[Client], object], status: int
) -> None:
    """POST and PUT are not retried, not even where the server asks for it."""
    api.json({"message": "BUSY"}, status, headers={"Retry-After": "0"})
    with pytest.raises((ServerError, RateLimited)):
        spend(client)
    assert len(api.seen) == 1
    assert clock.slept == []


@pytest.mark.parametrize("spend", SPENDING)
def test_broken_connections_do_not_spend_twice(
    api: FakeApi, client: Client, spend: Callable[[Client], object]
) -> None:
    """POST and PUT without an answer are not retried, and the error says what is unknown."""
    api.drop()
    with pytest.raises(TransportError, match="may have been carried out") as caught:
        spend(client)
    assert caught.value.may_have_arrived
    assert len(api.seen) == 1


def test_refused_connection_says_that_nothing_was_sent(clock: FakeTime) -> None:
    """Where nobody listens, a creation has surely not been carried out."""
    with (
        reserved_port() as port,
        Client("key", f"http://127.0.0.1:{port}", sleep=clock.sleep) as client,
    ):
        with pytest.raises(TransportError, match=f"127.0.0.1:{port} failed .*refused") as caught:
            client.create([b"image"])
        assert not caught.value.may_have_arrived
        assert "nothing was sent" in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0"}, 0.0),
        (
            {
                "Retry-After": "Wed, 02 Apr 2025 16:22:12 GMT",
                "Date": "Wed, 02 Apr 2025 16:21:42 GMT",
            },
            30.0,
        ),
        (
            {
                "Retry-After": "Wed, 02 Apr 2025 16:21:12 GMT",
                "Date": "Wed, 02 Apr 2025 16:21:42 GMT",
            },
            0.0,
        ),
        ({"Retry-After": "soon"}, 0.5),
        ({"Retry-After": "-3"}, 0.5),
        ({"Retry-After": "Wed, 02 Apr 2025 16:22:12 GMT"}, 0.5),
        ({}, 0.5),
    ],
)
def test_retry_after_is_honoured(
    clock: FakeTime, seed_batch: dict[str, Any], headers: dict[str, str], pause: float
) -> None:
    """Seconds and dates (counted from the server's own) are waited for; nonsense is not."""
    with (
        responses.RequestsMock() as server,
        Client("key", "https://api.vimmerse.net", sleep=clock.sleep, now=clock.now) as client,
    ):
        server.get(REAL, status=429, headers=headers)
        server.get(REAL, json={"data": seed_batch})
        client.get("id")
    assert clock.slept == [pause]


def test_retry_after_beyond_patience_is_handed_to_the_caller(
    api: FakeApi, client: Client, clock: FakeTime
) -> None:
    """Rather than coming back too early, the client says when it may."""
    api.json({"message": "SLOW"}, 429, headers={"Retry-After": "3600"})
    with pytest.raises(RateLimited, match="at least 3600 s") as caught:
        client.get("id")
    assert caught.value.retry_after == 3600
    assert len(api.seen) == 1
    assert clock.slept == []


def test_backoff_is_bounded() -> None:
    """Pauses double until the longest one."""
    policy = RetryPolicy(attempts=9, backoff=1.0, longest=5.0)
    assert [policy.pause(n, None) for n in (1, 2, 3, 4, 1000)] == [1.0, 2.0, 4.0, 5.0, 5.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"attempts": 10**6},
        {"backoff": -1.0},
        {"longest": -1.0},
        {"longest": float("nan")},
    ],
)
def test_impossible_policies_are_refused(wrong: dict[str, Any]) -> None:
    """A policy that never sends, or goes back in time, is an error of its own."""
    with pytest.raises(ConfigurationError, match="expected attempts >= 1"):
        RetryPolicy(**wrong)


class RecordingSession(requests.Session):
    """Remembers the arguments of every request that it passes on."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[dict[str, Any]] = []

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Remember and pass on."""
        self.calls.append(kwargs)
        return super().request(*args, **kwargs)


@pytest.mark.parametrize(
    ("given", "used"), [(None, (5.0, 60.0)), (30.0, (30.0, 30.0)), ((40.0, 50.0), (40.0, 50.0))]
)
def test_every_call_has_a_timeout(
    api: FakeApi, tmp_path: Path, given: Any, used: tuple[float, float]
) -> None:
    """Every method of the client sends its requests with a timeout to connect and to read."""
    api.batch(status="success", video_url=f"{api.url}/v.mp4")
    options = {} if given is None else {"timeout": given}
    with RecordingSession() as session, Client("k", api.url, session=session, **options) as client:
        client.health()
        client.create([b"image"])
        client.update("id")
        client.concat("id")
        batch = client.get("id")
        client.download(batch, tmp_path / "v.mp4")
    assert len(session.calls) == 6
    assert {call["timeout"] for call in session.calls} == {used}


def test_silent_servers_time_out() -> None:
    """A server that accepts and never answers ends in an error that says so."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            Client("key", url, timeout=(30.0, 0.05)) as client,
            pytest.raises(TransportError, match="did not answer in time") as caught,
        ):
            client.create([b"image"])
    assert caught.value.may_have_arrived


@pytest.mark.parametrize("timeout", [0, -1.0, (5.0, 0.0), float("nan"), float("inf"), "5", None])
def test_timeouts_that_are_none_are_refused(timeout: Any) -> None:
    """Nobody switches the timeout off by accident."""
    with pytest.raises(ConfigurationError, match="expected seconds greater than 0"):
        Client("key", timeout=timeout)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_loopback_never_goes_through_a_proxy(
    api: FakeApi, client: Client, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A proxy of the environment does not come between a test and its own server."""
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    api.batch()
    assert client.get("id").title == "New Batch Example"


def test_loopback_beats_the_proxy_of_a_session(api: FakeApi) -> None:
    """Not even a session with a proxy of its own takes loopback there."""
    api.batch()
    with requests.Session() as session:
        session.proxies = {"http": "http://127.0.0.1:1", "all": "http://127.0.0.1:1"}
        assert Client("key", api.url, session=session).get("id").title == "New Batch Example"


@pytest.mark.parametrize("host", ["localhost", "127.9.8.7", "[::1]", "mock.localhost"])
def test_every_name_of_loopback_is_direct(
    monkeypatch: pytest.MonkeyPatch, seed_batch: dict[str, Any], host: str
) -> None:
    """All of 127.0.0.0/8, ::1 and localhost are loopback."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert _proxy_used(f"http://{host}:8000", seed_batch) is None


def test_real_hosts_use_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, seed_batch: dict[str, Any]
) -> None:
    """Behind a company's proxy the real service can still be reached."""
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    assert _proxy_used("http://api.vimmerse.net", seed_batch) == "http://proxy.example:3128"


class ProxyProbe(requests.adapters.HTTPAdapter):
    """Notes which proxy a request would use, and answers itself."""

    def __init__(self, batch: dict[str, Any]) -> None:
        super().__init__()
        self.batch = batch
        self.proxy: str | None = "not asked"

    def send(self, request: requests.PreparedRequest, *_args: Any, **kwargs: Any) -> Any:
        """Note the proxy that requests selects."""
        url = request.url
        assert url is not None
        self.proxy = requests.utils.select_proxy(url, kwargs["proxies"]) or None
        with responses.RequestsMock() as server:
            server.get(url, json={"data": self.batch})
            return requests.get(url, timeout=60)


def _proxy_used(base_url: str, batch: dict[str, Any]) -> str | None:
    probe = ProxyProbe(batch)
    with requests.Session() as session:
        session.mount("http://", probe)
        Client("key", base_url, session=session).get("id")
    return probe.proxy


def test_sessions_that_are_handed_in_stay_open(api: FakeApi) -> None:
    """Closing the client closes its own session only."""
    api.batch()

    class Closed(requests.Session):
        closed = False

        def close(self) -> None:
            self.closed = True
            super().close()

    with Closed() as session:
        with Client("key", api.url, session=session) as client:
            client.get("id")
        assert not session.closed


def test_settings_come_from_the_environment(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments, VIMMERSE_API_KEY and VIMMERSE_BASE_URL count."""
    api.batch()
    monkeypatch.setenv("VIMMERSE_API_KEY", "from-environment")
    monkeypatch.setenv("VIMMERSE_BASE_URL", api.url)
    with Client() as client:
        client.get("id")
    assert api.seen[0].headers["X-Api-Key"] == "from-environment"


def test_arguments_win_over_the_environment(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is passed counts, whatever the environment says."""
    api.batch()
    monkeypatch.setenv("VIMMERSE_API_KEY", "from-environment")
    monkeypatch.setenv("VIMMERSE_BASE_URL", "http://127.0.0.1:1")
    with Client("from-argument", api.url) as client:
        client.get("id")
    assert api.seen[0].headers["X-Api-Key"] == "from-argument"


def test_real_service_is_the_default() -> None:
    """Without any base URL the client speaks to the real service."""
    with Client("key") as client:
        assert client.base_url == "https://api.vimmerse.net"


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        5,
        "api.vimmerse.net",
        "ftp://api.vimmerse.net",
        "http://",
        "http://a b/",
        "http://host:port",
        "http://user:pw@host",
        "http://host/?q=1",
        "http://host/#f",
    ],
)
def test_unusable_base_urls_are_refused(base_url: Any) -> None:
    """An address that can't be used is an error at once, with an example of a good one."""
    with pytest.raises(
        ConfigurationError, match=r"expected an address like 'https://api"
    ) as caught:
        Client("key", base_url)
    assert "pw" not in str(caught.value)


def test_missing_key_says_where_to_put_it() -> None:
    """Without a key nothing is sent, and the error says how to give one."""
    for key in (None, "", 5, b"key"):
        with pytest.raises(ConfigurationError, match="VIMMERSE_API_KEY"):
            Client(key)  # type: ignore[arg-type] # that is the point
