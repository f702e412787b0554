"""`vimmerse-mock trigger`, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vimmerse_mock.receiving.inbox import Inbox

PROGRAM = Path(sys.executable).with_name("vimmerse-mock")


def trigger(*words: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run([PROGRAM, "trigger", *words], check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("scenario", "images", "status"),
    [("success", "1", "success"), ("fail", "2", "fail"), ("partial", "2", "success")],
)
def test_a_whole_batch_is_run_to_that_end(
    inbox: Inbox, scenario: str, images: str, status: str
) -> None:
    """At once, and the receiver hears of it as from a batch that took its time."""
    ran = trigger(scenario, "--webhook-url", inbox.url, "--images", images, "--customer-id", "me")
    assert ran.returncode == 0, ran.stderr
    event = inbox.expect(status=status, customer_id="me", within=0)
    assert f"batch {event.batch_id} of {images} images is processing" in ran.stdout
    assert "  answered 200\ndelivered after 1 attempt\n" in ran.stdout


def test_attempts_are_printed_as_they_are_made(inbox: Inbox) -> None:
    """With each answer; the waiting between them is skipped."""
    inbox.answer_with(500, 404)
    ran = trigger("success", "--webhook-url", inbox.url)
    assert ran.returncode == 0
    answers = [line for line in ran.stdout.splitlines() if line.startswith("  answered")]
    assert answers == ["  answered 500", "  answered 404", "  answered 200"]
    assert ran.stdout.endswith("delivered after 3 attempts over 70 s of its clock\n")


def test_nobody_there_is_exit_code_1() -> None:
    """With what went wrong at each attempt, and what is expected of a receiver."""
    ran = trigger("fail", "--webhook-url", "http://127.0.0.1:9/hook")
    assert ran.returncode == 1
    assert ran.stdout.count("no answer: ConnectionRefusedError") == 5
    assert "exhausted after 5 attempts over 2170 s of its clock" in ran.stderr
    assert "2xx within 10 seconds" in ran.stderr


def test_an_unknown_scenario_is_refused_with_those_there_are() -> None:
    """Exit code 2, and their names."""
    ran = trigger("succes", "--webhook-url", "http://127.0.0.1:9/")
    assert ran.returncode == 2
    assert all(f"'{name}'" in ran.stderr for name in ("success", "partial", "fail"))


def test_a_url_is_needed_and_has_to_be_one() -> None:
    """Exit code 2, and what it is like."""
    assert trigger("success").returncode == 2
    ran = trigger("success", "--webhook-url", "localhost:5000")
    assert ran.returncode == 2
    assert "is not like http://127.0.0.1:5000/hook" in ran.stderr


def test_what_never_ends_is_a_sentence() -> None:
    """A batch that is stuck has no webhook: exit code 1, and why."""
    ran = trigger("stuck", "--webhook-url", "http://127.0.0.1:9/")
    assert ran.returncode == 1
    assert ran.stderr == "nothing was sent: a batch that is stuck never ends\n"
