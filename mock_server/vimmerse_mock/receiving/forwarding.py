"""Handing a received request on to another address, as it came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import requests
from werkzeug.http import is_hop_by_hop_header

from vimmerse_contracts.network import is_loopback_url
from vimmerse_contracts.vocabulary import WEBHOOK_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

KEPT_BODY: Final = 64 * 1024
"""Bytes of an answer that are passed back."""

_NOT_PASSED: Final = frozenset(
    {"host", "content-length", "content-encoding", "proxy-connection", "expect"}
)
"""Besides the hop-by-hop headers."""


class Forwarder:
    """A WSGI application that answers what the address that it forwards to answers.

    An address that cannot be reached, or does not answer in time, is 502 with the reason.
    """

    def __init__(self, url: str, timeout: float = WEBHOOK_TIMEOUT_SECONDS) -> None:
        self._url = url
        self._timeout = timeout

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Forward a request."""
        content = environ["wsgi.input"].read()
        try:
            status, headers, body = self._post(_passed(_headers(environ)), content)
        except (requests.RequestException, OSError, ValueError) as error:
            status, headers = "502 Bad Gateway", {"Content-Type": "text/plain; charset=utf-8"}
            body = f"{self._url} gave no answer ({type(error).__name__})".encode()
        start_response(status, list(headers.items()))
        return [body]

    def _post(
        self, headers: Mapping[str, str], content: bytes
    ) -> tuple[str, dict[str, str], bytes]:
        with requests.Session() as session:
            session.trust_env = not is_loopback_url(self._url)
            with session.post(
                self._url,
                data=content,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as answer:
                body = next(answer.iter_content(KEPT_BODY), b"")
                status = f"{answer.status_code} {answer.reason or 'Unknown'}"
                return status, _passed(answer.headers), body


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    return {
        name.removeprefix("HTTP_").replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name == "CONTENT_TYPE"
    }


def _passed(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in headers.items()
        if name.lower() not in _NOT_PASSED and not is_hop_by_hop_header(name)
    }
