"""`MockServer` in a process of its own, for load from outside: `mock_thread.py PORT CREDITS`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from threading import Event

from vimmerse_mock.app import create_mock
from vimmerse_mock.model.account import SAMPLE_ACCOUNT
from vimmerse_mock.server import MockServer


def main(arguments: Sequence[str]) -> None:
    """Serve until killed."""
    port, credits_ = map(int, arguments)
    opening = replace(SAMPLE_ACCOUNT, credits=credits_)
    mock = create_mock()
    # Before it answers: the load comes as soon as `GET /health` is answered.
    mock.open_account(f"http://127.0.0.1:{port}", opening)
    with MockServer(mock, port=port, opening=opening):
        Event().wait()


if __name__ == "__main__":
    main(sys.argv[1:])
