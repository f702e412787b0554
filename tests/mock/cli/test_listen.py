"""`vimmerse-mock listen`, as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from vimmerse_mock.model.clock import wall_clock
from vimmerse_mock.receiving.inbox import Inbox

PROGRAM = Path(sys.executable).with_name("vimmerse-mock")
BODY = {"customer_id": "c", "batch_id": "b", "status": "success"}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass(frozen=True)
class Listening:
    """A running `listen`."""

    process: subprocess.Popen[str]
    url: str

    def post(self, path: str = "/hook", **options: Any) -> requests.Response:
        """Send a webhook."""
        with requests.Session() as session:
            session.trust_env = False
            return session.post(self.url + path, **{"json": BODY, "timeout": 60, **options})

    def ended(self, by: signal.Signals = signal.SIGTERM) -> str:
        """End it, and return what it printed."""
        self.process.send_signal(by)
        printed, _ = self.process.communicate()
        assert self.process.returncode == 0
        return printed


@contextmanager
def listening(*options: str, **environment: str) -> Iterator[Listening]:
    """Run `listen` on a free port until the block ends."""
    process = subprocess.Popen(
        [PROGRAM, "listen", *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        (url,) = re.findall(r"http://127\.0\.0\.1:\d+", said.partition(",")[0])
        yield Listening(process, url)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def line_with(listening: Listening, text: str) -> str:
    """Read what it prints, as it prints it, until a line has a text in it."""
    assert listening.process.stdout is not None
    for line in listening.process.stdout:
        if text in line:
            return line
    raise AssertionError(f"it ended without saying {text!r}")


def test_a_webhook_is_printed_as_it_arrives() -> None:
    """In a pipe too, at once: its path, its answer, its body; in plain text."""
    with listening() as listen:
        assert listen.post("/hook?a=1").status_code == 200
        assert re.match(r"1\. \d\d:\d\d:\d\d UTC  POST /hook\?a=1 -> 200", line_with(listen, "1."))
        assert line_with(listen, "batch_id") == '     "batch_id": "b",\n'
        assert "\x1b" not in listen.ended()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(by: signal.Signals) -> None:
    """By Ctrl-C or SIGTERM, with exit code 0 and no traceback; nobody listens any more."""
    with listening() as listen:
        assert "Traceback" not in listen.ended(by)
        with pytest.raises(requests.ConnectionError):
            listen.post()


def test_it_answers_as_asked() -> None:
    """Then 200."""
    with listening("--answer", "500,503") as listen:
        assert [listen.post().status_code for _ in range(3)] == [500, 503, 200]
        assert listen.ended().count("-> 503") == 1


def test_it_forwards_and_answers_what_is_answered_there(inbox: Inbox) -> None:
    """Bytes and headers as they came, past any proxy; what --answer says comes first."""
    inbox.answer_with(418)
    with listening(
        *("--forward-to", f"{inbox.url}?via=listen", "--answer", "500"),
        HTTP_PROXY="http://127.0.0.1:9",
        http_proxy="http://127.0.0.1:9",
        ALL_PROXY="http://127.0.0.1:9",
    ) as listen:
        raw: dict[str, Any] = {
            "data": b'{"odd" :  1}',
            "headers": {"Webhook-Id": "m"},
            "json": None,
        }
        assert [listen.post(**raw).status_code for _ in range(3)] == [500, 418, 200]
        assert "not the documented webhook" in listen.ended()
    assert [webhook.query for webhook in inbox.received] == ["via=listen"] * 2
    assert inbox.received[0].headers["Webhook-Id"] == "m"
    assert inbox.received[0].body == {"odd": 1}


def test_nobody_to_forward_to_is_a_bad_gateway() -> None:
    """It says so to the sender and on the screen, and goes on."""
    with listening("--forward-to", "http://127.0.0.1:9/hook") as listen:
        assert listen.post().status_code == 502
        assert "http://127.0.0.1:9/hook gave no answer (ConnectionError)" in listen.ended()


def test_signatures_are_judged() -> None:
    """Right, wrong, of another time, or not there, while the old secret still counts."""
    from vimmerse_contracts.signatures import secret_key, sign

    now = wall_clock() // 1_000_000

    def signed(at: int, body: bytes = b"{}") -> dict[str, Any]:
        headers = {
            "Webhook-Id": "m",
            "Webhook-Timestamp": str(at),
            "Webhook-Signature": sign(secret_key(SECRET), "m", str(at), b"{}"),
        }
        return {"headers": headers, "data": body, "json": None}

    with listening("--secret", "whsec_bmV3", "--secret", SECRET) as listen:
        for post in (signed(now), signed(now, b"{ }"), signed(now - 1000), {}):
            listen.post(**post)
        printed = listen.ended()
        verdicts = re.findall(r"^   (signature .*|not signed)$", printed, re.MULTILINE)
        assert [verdict.split(",")[0].split(":")[0] for verdict in verdicts] == [
            "signature valid",
            "signature INVALID",
            "signature valid",
            "not signed",
        ]
        assert SECRET not in printed


def test_what_is_sent_cannot_steer_the_terminal_or_show_a_password() -> None:
    """Control characters are replaced, and a login is not shown."""
    with listening() as listen:
        listen.post("/%1b[31m", data=b"\x1b[2J no JSON", json=None, auth=("me", "secret-password"))
        printed = listen.ended()
    assert "\x1b" not in printed
    assert "Authorization: [redacted]" in printed
    assert "[2J no JSON" in printed


def test_only_posts_are_webhooks_and_large_ones_are_refused() -> None:
    """A browser gets 405; a megabyte and more is 413."""
    with listening() as listen:
        assert requests.get(listen.url, timeout=60).status_code == 405
        assert listen.post(data=b"x" * 1_100_000, json=None).status_code == 413
        assert "GET / -> 405" in listen.ended()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--answer", "500,twice"], "is not like 500,500,200: statuses from 200 to 599"),
        (["--answer", "99"], "is not like 500,500,200"),
        (["--forward-to", "localhost:5000"], "is not like http://127.0.0.1:5000/hook"),
        (["--secret", "geheim!"], "--secret: a signing secret is"),
        (["--host", "host.invalid"], "choose another --port"),
    ],
)
def test_a_wrong_option_is_a_sentence(options: list[str], sentence: str) -> None:
    """On stderr, with exit code 2."""
    ran = subprocess.run([PROGRAM, "listen", *options], check=False, capture_output=True, text=True)
    assert ran.returncode == 2
    assert sentence in ran.stderr
    assert "geheim" not in ran.stderr


def test_a_taken_port_is_a_sentence() -> None:
    """With what to do."""
    with listening() as listen:
        port = listen.url.rpartition(":")[2]
        ran = subprocess.run(
            [PROGRAM, "listen", "--port", port],
            check=False,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 2
        assert f"cannot listen on 127.0.0.1:{port}" in ran.stderr
