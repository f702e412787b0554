"""`vimmerse-mock run -- COMMAND`: a mock for as long as a command runs."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from types import FrameType
from typing import Final

import click

from vimmerse_contracts.vocabulary import SAMPLE_API_KEY
from vimmerse_mock.cli.options import fail

_LOOK_AGAIN_SECONDS: Final = 0.01
_TOKEN: Final = "VIMMERSE_MOCK_ADMIN_TOKEN"  # noqa: S105 - the name of a variable
_STOP_SECONDS: Final = 20
_NOT_FOUND: Final = 127
_NOT_EXECUTABLE: Final = 126
_BY_SIGNAL: Final = 128
"""Exit codes of shells for a command that is missing, cannot be run, or died of a signal."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True, metavar="-- COMMAND...", type=click.UNPROCESSED)
def command(words: tuple[str, ...]) -> None:
    """Run a command, such as your tests, with its own mock; exit with the command's exit code.

    The mock listens on a free port of the loopback. The command gets its address and key in
    VIMMERSE_BASE_URL, VIMMERSE_API_KEY and VIMMERSE_ADMIN_URL, and the pytest fixtures use them.
    Set options of the mock by the same VIMMERSE_MOCK_... variables as for serve.
    """
    token = os.environ.get(_TOKEN) or secrets.token_urlsafe(24)
    with TemporaryDirectory(prefix="vimmerse-mock-") as folder:
        ready = Path(folder) / "address"
        serve = [sys.executable, "-m", "vimmerse_mock.cli", "serve", "--host=127.0.0.1", "--port=0"]
        mock = subprocess.Popen(  # noqa: S603 - this project's own command
            [*serve, f"--ready-file={ready}"],
            env={**os.environ, _TOKEN: token, f"{_TOKEN}_FILE": ""},
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is the command's, and the mock's end ours
        )
        try:
            while not ready.exists():
                if mock.poll() is not None:
                    fail("the mock did not start; see its message above")
                Event().wait(_LOOK_AGAIN_SECONDS)
            code = _run(words, _variables(ready.read_text().strip(), token))
        finally:
            mock.terminate()
            try:
                mock.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(mock.pid, signal.SIGKILL)
                mock.wait()
    sys.exit(code)


def _variables(url: str, token: str) -> dict[str, str]:
    """Return how a command finds the mock, past any proxy."""
    found = {
        "VIMMERSE_BASE_URL": url,
        "VIMMERSE_API_KEY": os.environ.get("VIMMERSE_MOCK_API_KEY") or SAMPLE_API_KEY,
        "VIMMERSE_ADMIN_URL": url,
        "VIMMERSE_ADMIN_TOKEN": token,
    }
    for name in ("NO_PROXY", "no_proxy"):
        others = os.environ.get(name, "")
        found[name] = f"{others},127.0.0.1" if others else "127.0.0.1"
    return {**os.environ, **found}


def _run(words: tuple[str, ...], variables: Mapping[str, str]) -> int:
    """Run the command to its end, handing SIGTERM and SIGINT on; return its exit code."""
    try:
        child = subprocess.Popen(words, env=variables)  # noqa: S603 - the user's own command
    except FileNotFoundError:
        click.echo(f"vimmerse-mock: there is no command {words[0]!r}", err=True)
        return _NOT_FOUND
    except OSError as error:
        click.echo(f"vimmerse-mock: cannot run {words[0]!r}: {error.strerror}", err=True)
        return _NOT_EXECUTABLE

    def hand_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    signal.signal(signal.SIGTERM, hand_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the command as well
    code = child.wait()
    return code if code >= 0 else _BY_SIGNAL - code
