"""What a terminal is sent: nothing that steers it, and everything that it has no letter for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from vimmerse_mock.cli import main
from vimmerse_mock.cli.options import escaped, pairs
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.bounds import CREDITS
from vimmerse_mock.receiving.answers import Answer
from vimmerse_mock.receiving.inbox import Inbox
from vimmerse_mock.server import MockServer

PROGRAM = Path(sys.executable).with_name("vimmerse-mock")
STEERING = "\x1b]0;pwned\x07\x9b31m\x7f"


def test_what_would_steer_a_terminal_is_shown_escaped() -> None:
    """As in JSON, so that output for programs stays JSON; lines stay lines."""
    assert escaped(f"a\nb {STEERING} \u6d77") == (
        "a\nb \\u001b]0;pwned\\u0007\\u009b31m\\u007f \u6d77"
    )


def test_what_a_receiver_answers_does_not_steer_the_terminal(inbox: Inbox) -> None:
    """`webhooks show` shows it escaped, as lines and as JSON."""
    inbox.answer_with(Answer(500, body=STEERING.encode()))
    with MockServer(opening=Opening("mine", "me", clock="manual")) as server:
        form = {"image_urls": "http://images.example/1.jpg", "webhook_url": inbox.url}
        requests.post(f"{server.url}/batch", headers={"X-Api-Key": "mine"}, data=form, timeout=60)
        server.account.clock.advance("10s")
        (webhook,) = server.account.outbox
        for options in ([], ["--json"]):
            words = ["webhooks", "show", webhook.id, "--admin-url", server.url, *options]
            shown = CliRunner().invoke(main, words, catch_exceptions=False).output
            assert "pwned" in shown
            assert not set(STEERING) & {"\x1b", "\x07", "\x9b", "\x7f"} & set(shown)


def test_a_letter_that_the_output_has_no_code_for_is_escaped() -> None:
    """`listen` into a file of another encoding prints, and answers all the same."""
    env = {**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}
    with subprocess.Popen([PROGRAM, "listen"], env=env, stdout=subprocess.PIPE) as listening:
        assert listening.stdout is not None
        url = listening.stdout.readline().decode().split(" at ")[1].split()[0]
        body = '{"customer_id": "\u6d77", "batch_id": "b", "status": "success"}'.encode()
        assert requests.post(url, data=body, timeout=60).status_code == 200
        listening.send_signal(signal.SIGTERM)
        assert b"\\u6d77" in listening.stdout.read()
    assert listening.returncode == 0


@pytest.mark.parametrize(
    "text", ["k:", ":5", "k:-1", "k:\uff15", f"k:{10**16}", "k:" + "9" * 5_000]
)
def test_a_pair_has_a_number_within_bounds(text: str) -> None:
    """Of digits that are digits everywhere, and not too many."""
    read = pairs("KEY:CREDITS", ":", CREDITS)
    with pytest.raises(Exception, match="with 0 to 1,000,000,000,000,000 credits"):
        read.convert(text, None, None)
    assert read.convert("k:5", None, None) == ("k", 5)
