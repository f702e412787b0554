"""Waiting where a service asks for it: 429, and on reads 503, with `Retry-After`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import requests

from vimmerse_contracts.network import retry_after

POLL_SECONDS: Final = 30.0
"""How often the reference tells its users to poll (P26)."""

_MOST_SECONDS: Final = 600.0
_TOO_MANY: Final = 429
_UNAVAILABLE: Final = 503


def patiently(
    send: Callable[[], requests.Response], pause: Callable[[float], None]
) -> requests.Response:
    """Send until the service does not ask to come again later, for ten minutes at most.

    429 is a refusal, so anything is sent again; 503 is not, so only what reads is.
    """
    waited = 0.0
    while True:
        response = send()
        asked = retry_after(response.headers)
        seconds = POLL_SECONDS if asked is None else asked
        if not _asks_for_patience(response) or waited + seconds > _MOST_SECONDS:
            return response
        pause(seconds)
        waited += seconds


def _asks_for_patience(response: requests.Response) -> bool:
    if response.status_code == _TOO_MANY:
        return True
    reads = response.request.method == "GET"
    return reads and response.status_code == _UNAVAILABLE and "Retry-After" in response.headers
