"""What is found out of a service before any test runs, and how its webhooks reach the suite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import requests

from plugin.playing import prices, real_service
from pytest_vimmerse.targets import Remote, TargetError, is_mock, require_usable
from support.sockets import reserved_port
from vimmerse_mock.app import create_mock
from vimmerse_mock.server import MockServer
from vimmerse_mock.serving.thread import WsgiThread

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

SUITE = ("-p", "no:cacheprovider", "--pyargs", "vimmerse_contracts.suite")


def remote(url: str, key: str = "", other: str = "", broke: str = "") -> Remote:
    """Name a service."""
    return Remote(url, key, other, broke, "", "", 1.0, 1.0)


@contextmanager
def answering(status: str, kind: str, body: bytes) -> Iterator[str]:
    """Serve one answer to everything."""

    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    thread = WsgiThread(app)
    thread.start()
    yield thread.url
    thread.stop()


def test_the_mock_is_known_by_its_control_plane() -> None:
    """Whether it answers freely or asks for its token, as it does behind a public address."""
    with MockServer() as open_mock, MockServer(create_mock(admin_token="secret")) as guarded:
        assert is_mock(remote(open_mock.url))
        assert is_mock(remote(guarded.url))


def test_nothing_else_is_taken_for_the_mock() -> None:
    """Neither a service without a control plane, nor one that answers anything with anything."""
    with real_service() as real:
        assert not is_mock(remote(real.url))
    for body in (b"{}", b"[]", b'{"error": "NotFound"}', b"<html>", b'{"operations": 3}'):
        with answering("200 OK", "application/json", body) as url:
            assert not is_mock(remote(url))


@pytest.mark.parametrize(
    "url", ["https://api.vimmerse.net", "https://API.vimmerse.net:443/", "http://x.vimmerse.net"]
)
def test_the_companys_hosts_are_never_the_mock(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever they would answer; they are not even asked."""
    monkeypatch.setattr(requests.Session, "get", lambda *_, **__: pytest.fail("it was asked"))
    assert not is_mock(remote(url))
    with pytest.raises(TargetError, match="needs a key: --vimmerse-key, or VIMMERSE_API_KEY"):
        require_usable(remote(url))


def test_html_is_told_from_an_api() -> None:
    """One sentence: what came, and what to look at."""
    with answering("200 OK", "text/html; charset=utf-8", b"<html>Welcome</html>") as url:
        with pytest.raises(TargetError) as refusal:
            require_usable(remote(url, "key"))
        assert str(refusal.value) == (
            f"{url} answers 200 with text/html where the API answers with JSON: is it the base URL "
            "of the API?"
        )


@pytest.mark.parametrize("wrong", [1, 2, 3])
def test_a_key_that_is_refused_is_named_by_its_option(wrong: int) -> None:
    """Each of the three keys is tried, and the one that is refused is the one that is named."""
    option = ("--vimmerse-key", "--vimmerse-other-key", "--vimmerse-broke-key")[wrong - 1]
    with real_service() as real:
        keys = [real.account.key] * 3
        keys[wrong - 1] = "wrong-secret"
        with pytest.raises(TargetError) as refusal:
            require_usable(remote(real.url, *keys))
    assert f"refuses the key of {option} with 401: correct {option}" in str(refusal.value)
    assert "wrong-secret" not in str(refusal.value)


def test_no_sentence_has_a_password_in_it() -> None:
    """A URL with a password in it is told without."""
    with pytest.raises(TargetError) as refusal:
        require_usable(remote("http://user:hunter2@127.0.0.1:9", "key"))
    assert "hunter2" not in str(refusal.value)
    assert "hunter2" not in repr(remote("http://user:hunter2@127.0.0.1:9", "key"))


def test_a_refused_key_ends_the_run_before_any_test(pytester: pytest.Pytester) -> None:
    """Exit code 2, one sentence, and nothing collected."""
    with real_service() as real:
        limit = "--vimmerse-max-credits=5"
        result = pytester.runpytest_subprocess(
            *SUITE, f"--vimmerse-target={real.url}", "--vimmerse-key=wrong", limit
        )
    assert result.ret == 2
    assert "refuses the key of --vimmerse-key with 401" in result.stderr.str()
    result.stdout.no_fnmatch_line("collected*")


@contextmanager
def relay(port: int) -> Iterator[str]:
    """Forward whatever is posted to a public URL of its own to a port of this machine."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"].removeprefix("/hook")
        requests.post(
            f"http://127.0.0.1:{port}{path}",
            data=environ["wsgi.input"].read(),
            headers={"Content-Type": environ["CONTENT_TYPE"]},
            timeout=60,
        )
        start_response("200 OK", [("Content-Length", "0")])
        return []

    thread = WsgiThread(app)
    thread.start()
    yield f"{thread.url}/hook"
    thread.stop()


def test_webhooks_come_by_a_relay(pytester: pytest.Pytester) -> None:
    """The service is given the relay's URL and the inbox's path; the relay forwards to our port."""
    with reserved_port() as port, real_service() as real, relay(port) as url:
        result = pytester.runpytest_subprocess(
            "-p",
            "no:cacheprovider",
            "--pyargs",
            "vimmerse_contracts.suite.test_webhook",
            "-k",
            "one_webhook",
            *real.options,
            *prices(),
            "--vimmerse-max-credits=5",
            f"--vimmerse-webhook-relay={url}/",
            f"--vimmerse-webhook-port={port}",
        )
        result.assert_outcomes(passed=1, deselected=8)
        assert {line.url.startswith(f"{url}/") for line in real.account.outbox} == {True}


def test_one_port_is_not_for_many_workers(pytester: pytest.Pytester) -> None:
    """A fixed port for the listener and xdist do not go together, which is said."""
    with real_service() as real:
        result = pytester.runpytest_subprocess(
            *SUITE,
            "-n",
            "2",
            *real.options,
            "--vimmerse-max-credits=5",
            "--vimmerse-webhook-port=7",
        )
    assert result.ret == 4
    assert "leave out -n" in result.stderr.str() + result.stdout.str()
