"""Handing a received request on to another address, as it came."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import requests
from werkzeug.datastructures import EnvironHeaders
from werkzeug.http import is_hop_by_hop_header

from vimmerse_contracts.network import is_loopback_url
from vimmerse_contracts.secrecy import without_credentials
from vimmerse_contracts.vocabulary import WEBHOOK_TIMEOUT_SECONDS
from vimmerse_mock.receiving.session import receiver_session

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

KEPT_BODY: Final = 64 * 1024
"""Bytes of an answer that are passed back."""

_NOT_PASSED: Final = frozenset({"host", "content-length", "proxy-connection", "expect"})
"""Headers that requests, or the server, writes anew; besides those of one connection."""
_NOT_PASSED_BACK: Final = _NOT_PASSED | {"content-encoding"}
"""The body of an answer is decoded, and of a long one the beginning is passed back."""


class Forwarder:
    """A WSGI application that forwards each request to a URL, and passes its answer back.

    An address that cannot be reached, or does not answer in time, is 502 with the reason.
    """

    def __init__(self, url: str, timeout: float = WEBHOOK_TIMEOUT_SECONDS) -> None:
        self._url = url
        self._timeout = timeout

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Forward a request."""
        try:
            with receiver_session() as session:
                session.trust_env = not is_loopback_url(self._url)
                with session.post(
                    self._url,
                    data=environ["wsgi.input"].read(),
                    headers=_passed(EnvironHeaders(environ)),
                    timeout=self._timeout,
                    allow_redirects=False,
                    stream=True,
                ) as answer:
                    body = next(answer.iter_content(KEPT_BODY), b"")
        except (requests.RequestException, OSError, ValueError) as error:
            headers = {"Content-Type": "text/plain; charset=utf-8"}
            start_response("502 Bad Gateway", list(headers.items()))
            where = without_credentials(self._url)
            return [f"{where} gave no answer ({type(error).__name__})".encode()]
        status = f"{answer.status_code} {answer.reason or 'Unknown'}"
        start_response(status, list(_passed(answer.headers.items(), _NOT_PASSED_BACK).items()))
        return [body]


def _passed(
    headers: Iterable[tuple[str, str]], without: frozenset[str] = _NOT_PASSED
) -> dict[str, str]:
    return {
        name: value
        for name, value in headers
        if name.lower() not in without and not is_hop_by_hop_header(name)
    }
