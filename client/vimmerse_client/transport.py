"""The way to the service: the key, the timeouts, the retries, the proxies, and what went wrong.

Only GET is retried. A POST or PUT that got no answer may have been carried out and paid for, so
sending it again is the caller's decision.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import requests
from requests.auth import AuthBase

from vimmerse_client.errors import (
    ConfigurationError,
    RateLimited,
    ServerError,
    TransportError,
    UnexpectedResponse,
    error_class,
    excerpt,
)
from vimmerse_client.images import Part
from vimmerse_contracts.fields import url_problem
from vimmerse_contracts.network import is_loopback, retry_after
from vimmerse_contracts.operations import Operation
from vimmerse_contracts.secrecy import Secrets
from vimmerse_contracts.vocabulary import API_KEY_HEADER, WHY_HEADER

T = TypeVar("T")
Timeout = float | tuple[float, float]
"""Seconds to connect and to read, or one number for both."""
Sleep = Callable[[float], object]
Now = Callable[[], float]

DOWNLOAD: Final = "download"

_CHUNK_BYTES: Final = 64 * 1024
_TEXT_BYTES: Final = 64 * 1024
_MOST_REDIRECTS: Final = 10
_LOG: Final = logging.getLogger(__name__)


class OutOfTime(Exception):  # noqa: N818 - internal: `wait` turns it into WaitTimeout
    """There is no time left before the deadline for another attempt."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a GET is retried on connection errors, 429 and 5xx.

    `attempts` counts the first one too. Between two attempts lie `backoff` seconds, then twice that
    and so on, at most `longest`; or what the server asks for in `Retry-After`. If it asks for more
    than `longest`, its error is raised at once: coming back early would not honour it.
    """

    attempts: int = 4
    backoff: float = 0.5
    longest: float = 120.0

    def __post_init__(self) -> None:
        """Refuse a policy that could not send anything, or go back in time."""
        if self.attempts < 1 or self.backoff < 0 or self.longest < 0:
            raise ConfigurationError(f"{self}: expected attempts >= 1 and no negative seconds")

    def pause(self, attempt: int, asked: float | None) -> float:
        """Return the seconds to wait after this attempt (the first is 1)."""
        if asked is not None:
            return asked
        return min(self.backoff * 2.0 ** (attempt - 1), self.longest)


class Key(AuthBase):
    """Sends the API key. An object, so that no traceback shows the key among a frame's locals.

    Raises:
        ConfigurationError: there is no key, or no header can carry it.
    """

    def __init__(self, key: str) -> None:
        if not key:
            raise ConfigurationError("no API key: pass api_key, or set VIMMERSE_API_KEY")
        # requests' own complaint about such a header would quote it.
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ConfigurationError(
                "the API key has a space, a line break or another character that no header can "
                "carry; copy it again (it is not shown here)"
            )
        self._key = key
        self._secrets = Secrets([key])

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the key into the request."""
        request.headers[API_KEY_HEADER] = self._key
        return request

    def redact(self, value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
        """Replace the key in what a server says: some echo what they were sent."""
        return self._secrets.hide_in(value)


class NoKey(AuthBase):
    """Sends no credentials, not even those of a .netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Leave the request as it is."""
        return request


class Transport:
    """Sends requests to one base URL with one key, and turns failures into the client's errors.

    `sleep` and `now` (monotonic seconds) are what time is to it; tests inject theirs. A session
    that is handed in is left open by `close`, and keeps its own adapters.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout: Timeout,
        retry: RetryPolicy | None,
        session: requests.Session | None,
        sleep: Sleep,
        now: Now,
    ) -> None:
        self.base_url = _checked_base_url(base_url)
        self.sleep, self.now = sleep, now
        self.key = Key(api_key)
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        if not (connect > 0 and read > 0):
            raise ConfigurationError(f"timeout {timeout!r}: expected seconds greater than 0")
        self._timeout = connect, read
        self._retry = retry or RetryPolicy()
        self._owns_session = session is None
        self._session = session or requests.Session()

    def __repr__(self) -> str:
        return f"Transport(base_url={self.base_url!r})"

    def close(self) -> None:
        """Close the connections, unless the session was handed in."""
        if self._owns_session:
            self._session.close()

    def call(
        self,
        operation: Operation,
        batch_id: str = "",
        *,
        form: Sequence[tuple[str, str]] = (),
        files: Sequence[tuple[str, Part]] = (),
        deadline: float | None = None,
    ) -> Any:  # noqa: ANN401 - whatever JSON can hold
        """Carry out an operation and return its JSON, None for an empty body.

        `deadline` is an instant of `now`: no attempt outlasts it by more than a second, and none
        is repeated after it.

        Raises:
            ApiError, TransportError, UnexpectedResponse: see each.
            OutOfTime: an attempt failed and the deadline leaves no time for another.
        """
        if "{batch_id}" in operation.path and batch_id in {"", ".", ".."}:  # another address
            raise ConfigurationError(f"batch id {batch_id!r}: expected the id of a batch, a UUID")
        url = self.base_url + operation.path.format(batch_id=quote(batch_id, safe=""))

        def once() -> Any:  # noqa: ANN401 - as call
            auth = self.key if operation.needs_key else NoKey()
            with self._explained(operation.id, operation.method):
                response = self._send(
                    operation.method, url, auth, self._within(deadline), data=form, files=files
                )
                return self._json(operation.id, response)

        return self._retried(once, deadline) if operation.method == "GET" else once()

    def download(self, url: str, write: Callable[[Iterable[bytes]], T]) -> T:
        """Fetch a URL without the key, following redirects, and hand its chunks to `write`.

        `write` is called again where an attempt broke off.

        Raises:
            ApiError, TransportError, UnexpectedResponse: see each.
        """

        def once() -> T:
            with self._explained(DOWNLOAD, "GET"), self._follow(url) as response:
                self._raise_for_refusal(DOWNLOAD, response)
                return write(response.iter_content(_CHUNK_BYTES))

        return self._retried(once, None)

    def _send(
        self,
        method: str,
        url: str,
        auth: AuthBase,
        timeout: tuple[float, float],
        **body: Any,  # noqa: ANN401 - requests' own keyword arguments
    ) -> requests.Response:
        parts = urlsplit(url)
        host = parts.hostname or ""
        # Loopback goes through no proxy; requests takes the most specific entry first.
        proxies = {f"{parts.scheme}://{host}": ""} if is_loopback(host) else {}
        response = self._session.request(
            method, url, auth=auth, timeout=timeout, allow_redirects=False, proxies=proxies, **body
        )
        _LOG.debug("%s %s: %d", method, parts.path, response.status_code)
        return response

    def _follow(self, url: str) -> requests.Response:
        for _ in range(_MOST_REDIRECTS):
            response = self._send("GET", url, NoKey(), self._timeout, stream=True)
            if not response.is_redirect:
                return response
            url = urljoin(url, response.headers["Location"])
            response.close()
        expected = f"a file after at most {_MOST_REDIRECTS - 1} redirects"
        raise UnexpectedResponse(DOWNLOAD, response.status_code, expected, "yet another redirect")

    def _retried(self, once: Callable[[], T], deadline: float | None) -> T:
        attempt = 1
        while True:
            try:
                return once()
            except (TransportError, RateLimited, ServerError) as error:
                is_last = attempt >= self._retry.attempts
                pause = self._retry.pause(attempt, error.retry_after)
                if deadline is not None and self.now() + (0.0 if is_last else pause) >= deadline:
                    raise OutOfTime from error
                if is_last or pause > self._retry.longest:
                    raise
                counts = attempt, self._retry.attempts
                _LOG.info("attempt %d of %d, again in %g s: %s", *counts, pause, error)
            self.sleep(pause)
            attempt += 1

    def _within(self, deadline: float | None) -> tuple[float, float]:
        if deadline is None:
            return self._timeout
        # At the deadline there is still one reading to be had, if it comes quickly.
        left = max(deadline - self.now(), 1.0)
        connect, read = self._timeout
        return min(connect, left), min(read, left)

    def _json(self, operation: str, response: requests.Response) -> Any:  # noqa: ANN401 - as call
        self._raise_for_refusal(operation, response)
        if not response.content:
            return None
        try:
            return json.loads(response.content)
        except ValueError:
            got = self._excerpt(response)
        # Raised out here, for the frames of the decoder hold the text as it came.
        raise UnexpectedResponse(operation, response.status_code, "JSON", got)

    def _excerpt(self, response: requests.Response) -> str:
        # `.text` would take long to guess an encoding.
        text = response.content[:_TEXT_BYTES].decode(errors="replace")
        # First redact, then shorten: half a key is no longer recognised, but still a secret.
        return excerpt(self.key.redact(text))

    def _raise_for_refusal(self, operation: str, response: requests.Response) -> None:
        status = response.status_code
        if status >= 400:
            try:
                body = self.key.redact(json.loads(response.content))
            except ValueError:
                body = self._excerpt(response)
            asked, why = retry_after(response.headers), response.headers.get(WHY_HEADER, "")
            raise error_class(status)(
                status, _message_in(body), body, operation, asked, self.key.redact(why)
            )
        if status >= 300:
            location = excerpt(self.key.redact(response.headers.get("Location", "")))
            got = f"a redirect to {location}"
            raise UnexpectedResponse(operation, status, "an answer at this address", got)

    @contextmanager
    def _explained(self, operation: str, method: str) -> Iterator[None]:
        try:
            yield
        except requests.RequestException as error:
            # Sure not to have arrived only where no connection came about.
            never_sent = (ConnectionRefusedError, socket.gaierror, requests.ConnectTimeout)
            arrived = not any(isinstance(cause, never_sent) for cause in _causes(error))
            if not arrived:
                advice = "nothing was sent: check the base URL and the network"
            elif method == "GET":
                advice = "check the network and try again"
            else:
                advice = (
                    "the request may have been carried out, so it was not sent again: look before "
                    "you repeat it, since that could spend twice"
                )
            said = f"{excerpt(self.key.redact(_reason(error)))}; {advice}"
            # Not `from error`: the frames of http.client hold the bytes sent, and so the key.
            raise TransportError(operation, said, arrived) from None


def _checked_base_url(base_url: str) -> str:
    expected = "expected an address like 'https://api.vimmerse.net' (VIMMERSE_BASE_URL)"
    if url_problem(base_url) is not None:
        raise ConfigurationError(f"base URL {excerpt(base_url)!r}: {expected}")
    parts = urlsplit(base_url)
    if parts.query or parts.fragment or parts.username is not None:
        raise ConfigurationError(f"base URL: {expected}, without user, query or fragment")
    return base_url.rstrip("/")


def _message_in(body: object) -> str:
    """Return the server's word: `message` (P26), or `detail`, where FastAPI itself answers."""
    if isinstance(body, dict):
        for key in ("message", "detail"):
            if isinstance(body.get(key), str):
                return str(body[key])
    return body if isinstance(body, str) else excerpt(json.dumps(body))


def _reason(error: requests.RequestException) -> str:
    """Return in a few words why there is no answer."""
    host = urlsplit(error.request.url or "").netloc if error.request is not None else "the service"
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection to {host} in time"
    if isinstance(error, requests.ReadTimeout):
        return f"{host} did not answer in time"
    *_, root = _causes(error)
    return f"the connection to {host} failed ({str(root) or type(root).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
