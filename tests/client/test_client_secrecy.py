from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from support.sockets import reserved_port
from vimmerse_client import Client, ConfigurationError, VimmerseError
from vimmerse_client.errors import EXCERPT_CHARACTERS

if TYPE_CHECKING:
    from client.conftest import FakeApi

Script = Callable[["FakeApi", str], None]


def _echo_json(api: FakeApi, key: str) -> None:
    api.json({"message": f"unknown key {key}", key: [key]}, 401)


def _echo_text(api: FakeApi, key: str) -> None:
    api.raw(f"<html>{key}</html>".encode(), 500)


def _echo_at_the_cut(api: FakeApi, key: str) -> None:
    api.raw(b"x" * (EXCERPT_CHARACTERS - len(key) // 2) + key.encode(), 403)


def _echo_problem(api: FakeApi, key: str) -> None:
    api.json({"detail": [{"loc": [key], "msg": key, "type": "x"}]}, 422)


def _echo_success(api: FakeApi, key: str) -> None:
    api.raw(key.encode())


def _echo_shape(api: FakeApi, key: str) -> None:
    api.json({"data": {"created_at": key}})


def _echo_redirect(api: FakeApi, key: str) -> None:
    api.raw(b"", 302, {"Location": f"https://elsewhere.example/?key={key}"})


def _drop(api: FakeApi, _key: str) -> None:
    api.drop()


SCRIPTS: list[Script] = [
    _echo_json,
    _echo_text,
    _echo_at_the_cut,
    _echo_problem,
    _echo_success,
    _echo_shape,
    _echo_redirect,
    _drop,
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_key_shows_in_no_error_and_no_log(
    api: FakeApi, client: Client, key: str, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """Even a server that echoes the key gets it into no exception, traceback or log record."""
    caplog.set_level(logging.DEBUG)
    script(api, key)
    with pytest.raises(VimmerseError) as caught:
        client.get("id")
    assert api.seen[0].headers["X-Api-Key"] == key
    shown = [repr(caught.value), str(caught.value), str(vars(caught.value)), caplog.text]
    shown += traceback.format_exception(caught.value)
    assert "get_batch" in "".join(shown)
    assert key[: len(key) // 3] not in "".join(shown)


@pytest.mark.parametrize("script", [_echo_json, _echo_text, _echo_success, _drop])
def test_key_shows_in_no_local_variable(
    api: FakeApi, client: Client, key: str, script: Script
) -> None:
    """Tools that show the variables of a traceback's frames do not get to see the key either."""
    script(api, key)
    with pytest.raises(VimmerseError) as caught:
        client.get("id")
    error = caught.value
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next  # this test's own frame knows the key
    shown = "".join(
        traceback.TracebackException.from_exception(error, capture_locals=True).format()
    )
    assert "base_url" in shown
    assert key not in shown


def test_logs_show_the_retries_but_not_the_key(
    api: FakeApi, client: Client, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A retry is not silent: it is logged, as is every answer."""
    caplog.set_level(logging.DEBUG)
    api.json({"message": key}, 503)
    api.batch()
    client.get("id")
    assert "attempt 1 of 3, again in 0.5 s: get_batch was answered with 503" in caplog.text
    assert "GET /batch/id: 200" in caplog.text
    assert "urllib3" in caplog.text
    assert key not in caplog.text


def test_key_shows_in_no_repr(client: Client, key: str) -> None:
    """Neither the client nor anything that it is made of shows the key."""
    assert repr(client) == f"Client(base_url={client.base_url!r})"
    transport = client._transport
    shown = f"{client} {transport!r} {vars(client)} {vars(transport)} {vars(transport)!r}"
    assert key not in shown


@pytest.mark.parametrize("wrong", ["s3cret\n", " s3cret", "s3\r\nX-Evil: 1", "s3crét", "s3\x00t"])
def test_unusable_keys_are_refused_unseen(wrong: str) -> None:
    """A key that no header can carry is refused without being shown."""
    with pytest.raises(ConfigurationError, match="it is not shown here") as caught:
        Client(wrong)
    assert wrong.strip() not in str(caught.value)


def test_downloads_go_without_the_key(api: FakeApi, client: Client, tmp_path: Path) -> None:
    """The key goes to the API only, not to wherever a video is kept."""
    api.raw(b"video")
    client.download(f"{api.url}/v.mp4", tmp_path / "v.mp4")
    assert api.seen[0].headers["X-Api-Key"] is None


def test_netrc_is_not_sent_in_place_of_the_key(
    api: FakeApi, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password that happens to be in a .netrc goes nowhere."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password s3cret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    api.batch()
    client.get("id")
    client.health()
    requests.get(api.url, timeout=60).close()
    sent = [request.headers["Authorization"] for request in api.seen]
    assert sent[:2] == [None, None]
    assert sent[2], "without the client, requests does send it"


def test_a_login_in_a_link_shows_in_no_error(client: Client, tmp_path: Path) -> None:
    """A video may be kept behind one."""
    with (
        reserved_port() as port,
        pytest.raises(VimmerseError, match=f"127.0.0.1:{port} failed") as caught,
    ):
        client.download(f"http://me:s3cret@127.0.0.1:{port}/v.mp4", tmp_path / "v.mp4")
    assert "s3cret" not in str(caught.value)
