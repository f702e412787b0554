"""What an answer that is no success means, and what went wrong where there is no answer."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import requests

from vimmerse_client.errors import excerpt

_TEXT_BYTES: Final = 64 * 1024


def text_of(response: requests.Response) -> str:
    """Return the beginning of an answer as text; `.text` would take long to guess an encoding."""
    return response.content[:_TEXT_BYTES].decode(errors="replace")


def message_in(body: object) -> str:
    """Find the server's word: `message` (P26), or `detail`, where FastAPI itself answers."""
    if isinstance(body, dict):
        for key in ("message", "detail"):
            if isinstance(body.get(key), str):
                return str(body[key])
    return body if isinstance(body, str) else excerpt(json.dumps(body))


def may_have_arrived(error: requests.RequestException) -> bool:
    """Say whether the service may have got the request; False only where that is impossible."""
    never_sent = (ConnectionRefusedError, socket.gaierror, requests.ConnectTimeout)
    return not any(isinstance(cause, never_sent) for cause in _causes(error))


def reason(error: requests.RequestException) -> str:
    """Say in a few words why there is no answer."""
    host = urlsplit(error.request.url or "").netloc if error.request is not None else "the service"
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection to {host} in time"
    if isinstance(error, requests.ReadTimeout):
        return f"{host} did not answer in time"
    *_, root = _causes(error)
    return f"the connection to {host} failed ({str(root) or type(root).__name__})"


def next_step(method: str, *, arrived: bool) -> str:
    """Say what to do about a request that got no answer; `arrived`: it may have got there."""
    if not arrived:
        return "nothing was sent: check the base URL and the network"
    if method == "GET":
        return "check the network and try again"
    return (
        "the request may have been carried out, so it was not sent again: look before you repeat "
        "it, since that could spend twice"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
