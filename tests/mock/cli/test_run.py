"""`vimmerse-mock run`: real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.waiting import await_condition

RUN = [str(Path(sys.executable).with_name("vimmerse-mock")), "run", "--"]
SHOW = "import json, os; print(json.dumps({k: v for k, v in os.environ.items()}))"
ASK = """
import os, requests
session = requests.Session()
answer = session.post(
    os.environ["VIMMERSE_BASE_URL"] + "/batch",
    headers={"X-Api-Key": os.environ["VIMMERSE_API_KEY"]},
    data={"image_urls": ["http://images.example/1.jpg"]},
)
print(answer.status_code)
"""
PNG = 'b"\\x89PNG\\r\\n\\x1a\\n"'


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command beside a mock."""
    return subprocess.run(
        [*RUN, *words],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_finds_the_mock_by_its_variables() -> None:
    """Address, key and control plane are set, and the mock answers before the command runs."""
    variables = json.loads(run(sys.executable, "-c", SHOW).stdout)
    assert variables["VIMMERSE_BASE_URL"].startswith("http://127.0.0.1:")
    assert variables["VIMMERSE_ADMIN_URL"] == variables["VIMMERSE_BASE_URL"]
    assert variables["VIMMERSE_API_KEY"] == "YOUR_API_KEY"
    assert run(sys.executable, "-c", ASK).stdout == "200\n"


def test_a_proxy_does_not_come_between() -> None:
    """A client that heeds HTTP_PROXY reaches the mock all the same."""
    ran = run(sys.executable, "-c", ASK, HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="example.com")
    assert ran.stdout == "200\n"


@pytest.mark.parametrize("code", [0, 1, 7])
def test_the_exit_code_is_passed_on(code: int) -> None:
    """What the command ends with is what `run` ends with."""
    assert run(sys.executable, "-c", f"raise SystemExit({code})").returncode == code


def test_a_command_that_is_not_there_ends_as_in_a_shell() -> None:
    """A typo is 127 and one sentence."""
    ran = run("no-such-command")
    assert (ran.returncode, ran.stderr) == (
        127,
        "vimmerse-mock: there is no command 'no-such-command'\n",
    )


def test_a_mock_that_does_not_start_is_reported_at_once() -> None:
    """Wrong settings end with exit code 2 and what they are, and the command is not run."""
    ran = run(sys.executable, "-c", "print('ran')", VIMMERSE_MOCK_SPEED="fast")
    assert ran.returncode == 2
    assert "'fast' is not a valid float" in ran.stderr
    assert "did not start" in ran.stderr
    assert "ran" not in ran.stdout


def test_a_stop_is_handed_on_and_nothing_is_left(tmp_path: Path) -> None:
    """SIGTERM ends the command, then the mock; the exit code says by which signal."""
    note = tmp_path / "note"
    code = (
        "import os, pathlib, signal; "
        f"pathlib.Path({str(note)!r}).write_text(os.environ['VIMMERSE_BASE_URL'] + '\\n'); "
        "signal.pause()"
    )
    with subprocess.Popen([*RUN, sys.executable, "-c", code]) as process:
        await_condition(lambda: note.exists() and note.read_text().endswith("\n"), "it runs")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGTERM
    ask = f"import requests; requests.get({note.read_text().strip()!r} + '/health', timeout=60)"
    asked = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False)
    assert "ConnectionError" in asked.stderr


def test_fixtures_of_parallel_tests_share_the_mock(tmp_path: Path) -> None:
    """Under pytest -n 2, every test has an account of its own on the one mock that runs."""
    (tmp_path / "test_it.py").write_text(
        f"""
import os, pytest

@pytest.mark.parametrize("number", range(1, 9))
def test_alone(vimmerse, number):
    assert vimmerse.url == os.environ["VIMMERSE_BASE_URL"]
    for _ in range(number):
        batch = vimmerse.client.create([{PNG}], webhook_url=vimmerse.webhooks.url)
    assert vimmerse.client.wait(batch.id).succeeded
    assert len(vimmerse.webhooks.received) == number
    assert vimmerse.credits == 100_000 - 5 * number
    vimmerse.journal.assert_requested(operation="create_batch", status=200, times=number)
"""
    )
    without = ("cacheprovider", "schemathesis", "hypothesispytest")
    options = ("-q", "-n", "2", *(f"-pno:{plugin}" for plugin in without))
    ran = run(sys.executable, "-m", "pytest", *options, str(tmp_path))
    assert "8 passed" in ran.stdout, ran.stdout + ran.stderr
    assert ran.returncode == 0
