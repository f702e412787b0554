"""The way to the service: the key, the deadlines, the retries, the proxies, and what went wrong.

Only GET is retried. A POST or PUT that got no answer may have been carried out and paid for, so
sending it again is the caller's decision.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import chain
from typing import Any, Final, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, NewConnectionError, ReadTimeoutError

from vimmerse_client.bodies import BodyTooLarge, UnreadableBody, read_pieces
from vimmerse_client.deadline import Deadline, DeadlineAdapter
from vimmerse_client.errors import (
    ConfigurationError,
    RateLimited,
    ServerError,
    TransportError,
    UnexpectedResponse,
    VimmerseError,
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
"""Seconds to connect, and to have the answer from then on; or one number for both."""
Sleep = Callable[[float], object]
Now = Callable[[], float]

DOWNLOAD: Final = "download"

MOST_ANSWER_BYTES: Final = 4 * 1024**2
"""The longest answer of the API that is read: a Batch of more than ten thousand medias."""

_LONGEST_SECONDS: Final = 366 * 24 * 3600
_MOST_ATTEMPTS: Final = 1000
_DEEPEST_JSON: Final = 100
_TEXT_BYTES: Final = 64 * 1024
_MOST_REDIRECTS: Final = 10
_ID: Final = re.compile(rb'"id"\s*:\s*"([\w-]{1,100})"')
_NEVER_SENT: Final = (
    ConnectionRefusedError,
    NewConnectionError,
    socket.gaierror,
    ssl.SSLCertVerificationError,
    requests.ConnectTimeout,
    requests.exceptions.InvalidURL,
    requests.exceptions.ProxyError,  # no connection to the proxy, or none from there
)
"""What is raised only before a request is sent, in whichever adapter."""
_LOG: Final = logging.getLogger(__name__)


def are_seconds(*numbers: float) -> bool:
    """Whether these are spans that somebody can wait for: no more than a year, not negative."""
    return all(isinstance(n, int | float) and 0 <= n <= _LONGEST_SECONDS for n in numbers)


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
        if not (are_seconds(self.backoff, self.longest) and 1 <= self.attempts <= _MOST_ATTEMPTS):
            raise ConfigurationError(
                f"{self}: expected attempts >= 1, at most {_MOST_ATTEMPTS}, and no negative seconds"
            )

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
        if not isinstance(key, str) or not key:
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
        if not (are_seconds(connect, read) and connect > 0 and read > 0):
            raise ConfigurationError(f"timeout {timeout!r}: expected seconds greater than 0")
        self._timeout = connect, read
        self._retry = retry or RetryPolicy()
        self._owns_session = session is None
        self._session = session or _Session()

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
            ApiError, TransportError, UnexpectedResponse: see each. Where the id of the batch is
                known, they carry it.
            OutOfTime: an attempt failed and the deadline leaves no time for another.
        """
        if "{batch_id}" in operation.path and batch_id in {"", ".", ".."}:  # another address
            raise ConfigurationError(f"batch id {batch_id!r}: expected the id of a batch, a UUID")
        url = self.base_url + operation.path.format(batch_id=quote(batch_id, safe=""))
        auth = self.key if operation.needs_key else NoKey()

        def once() -> Any:  # noqa: ANN401 - as call
            exchange = self._exchange(operation.id, operation.method, deadline)
            exchange.deadline.extend(sum(len(content) for _, (_, content, _) in files))
            try:
                with self._send(exchange, url, auth, data=form, files=files) as response:
                    answer = self._answer(exchange, response)
                self._raise_for_refusal(answer)
                return self._json(answer)
            except VimmerseError as error:
                error.batch_id = error.batch_id or batch_id or None
                raise

        return self._retried(once, deadline) if operation.method == "GET" else once()

    def download(self, url: str, most: int, write: Callable[[Iterable[bytes]], T]) -> T:
        """Fetch a URL without the key, following redirects, and hand its pieces to `write`.

        `write` is called again where an attempt broke off.

        Raises:
            ApiError, TransportError, UnexpectedResponse: see each.
        """

        def once() -> T:
            exchange = self._exchange(DOWNLOAD, "GET", None)
            with self._follow(exchange, url) as response:
                if response.status_code >= 300:
                    self._raise_for_refusal(self._answer(exchange, response))
                return write(self._pieces(exchange, response, most))

        return self._retried(once, None)

    def _exchange(self, operation: str, method: str, until: float | None) -> _Exchange:
        connect, read = self._timeout
        seconds = connect + read
        if until is not None:
            # At the deadline there is still one reading to be had, if it comes quickly.
            left = max(until - self.now(), 1.0)
            connect, read, seconds = min(connect, left), min(read, left), min(seconds, left)
        return _Exchange(operation, method, (connect, read), Deadline(self.now, seconds))

    def _send(
        self,
        exchange: _Exchange,
        url: str,
        auth: AuthBase,
        **body: Any,  # noqa: ANN401 - requests' own keyword arguments
    ) -> requests.Response:
        parts = urlsplit(url)
        host = parts.hostname or ""
        # Loopback goes through no proxy; requests takes the most specific entry first.
        proxies = {f"{parts.scheme}://{host}": ""} if is_loopback(host) else {}
        with self._explained(exchange, url), exchange.deadline.applied():
            response = self._session.request(
                exchange.method,
                url,
                auth=auth,
                headers={"Accept-Encoding": "identity"},
                timeout=exchange.timeout,
                allow_redirects=False,
                proxies=proxies,
                stream=True,
                **body,
            )
        exchange.deadline.nothing_sent = False
        _LOG.debug("%s %s: %d", exchange.method, parts.path, response.status_code)
        return response

    def _follow(self, exchange: _Exchange, url: str) -> requests.Response:
        for _ in range(_MOST_REDIRECTS):
            response = self._send(exchange, url, NoKey())
            if not response.is_redirect:
                return response
            response.close()
            location = response.headers["Location"]
            try:
                url = urljoin(url, location)
            except ValueError:
                url = location
            if url_problem(url) is not None:
                got = f"a redirect to {excerpt(location)}"
                raise UnexpectedResponse(DOWNLOAD, response.status_code, "an http(s) URL", got)
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

    def _answer(self, exchange: _Exchange, response: requests.Response) -> _Answer:
        """Read the body. Of a refusal it is as much as came: the status says what counts."""
        status, content = response.status_code, bytearray()
        try:
            for piece in self._pieces(exchange, response, MOST_ANSWER_BYTES):
                content += piece
        except (TransportError, UnexpectedResponse) as error:
            if status < 400:
                error.batch_id = self._id_within(content)
                content.clear()
                raise
        return _Answer(exchange.operation, status, response.headers, bytes(content))

    def _pieces(
        self, exchange: _Exchange, response: requests.Response, most: int
    ) -> Iterator[bytes]:
        status = response.status_code
        try:
            with self._explained(exchange, response.url or ""):
                for piece in read_pieces(response, most):
                    if exchange.operation == DOWNLOAD:
                        exchange.deadline.extend(len(piece))
                    exchange.deadline.left()
                    yield piece
                    del piece  # or a traceback with locals would show what came
        except BodyTooLarge:
            error = UnexpectedResponse(
                exchange.operation, status, f"at most {most} bytes", "more than that"
            )
        except UnreadableBody as unreadable:
            got = excerpt(str(unreadable))
            error = UnexpectedResponse(exchange.operation, status, "a body that can be read", got)
        else:
            return
        raise error

    def _json(self, answer: _Answer) -> Any:  # noqa: ANN401 - as call
        if not answer.content:
            return None
        try:
            return _load(answer.content)
        except ValueError:
            got = self._excerpt(answer.content)
        error = UnexpectedResponse(answer.operation, answer.status, "JSON", got)
        error.batch_id = self._id_within(answer.content)
        # Raised out here, for the frames of the decoder hold the text as it came.
        raise error

    def _raise_for_refusal(self, answer: _Answer) -> None:
        status = answer.status
        if status >= 400:
            try:
                body = self.key.redact(_load(answer.content))
            except ValueError:
                body = self._excerpt(answer.content)
            asked, why = retry_after(answer.headers), answer.headers.get(WHY_HEADER, "")
            raise error_class(status)(
                status, _message_in(body), body, answer.operation, asked, self.key.redact(why)
            )
        if status >= 300:
            location = excerpt(self.key.redact(answer.headers.get("Location", "")))
            got = f"a redirect to {location}"
            raise UnexpectedResponse(answer.operation, status, "an answer at this address", got)

    def _id_within(self, content: bytes | bytearray) -> str | None:
        """Return the first id in an answer that cannot be read: it may have been paid for."""
        found = _ID.search(content)
        return str(self.key.redact(found[1].decode())) if found else None

    def _excerpt(self, content: bytes) -> str:
        text = content[:_TEXT_BYTES].decode(errors="replace")
        # First redact, then shorten: half a key is no longer recognised, but still a secret.
        return excerpt(self.key.redact(text))

    @contextmanager
    def _explained(self, exchange: _Exchange, url: str) -> Iterator[None]:
        """Turn whatever the libraries below raise into a `TransportError`."""
        try:
            yield
        except (OSError, ValueError, ArithmeticError, HTTPError, HTTPException) as error:
            arrived = not (
                exchange.deadline.nothing_sent
                or any(isinstance(cause, _NEVER_SENT) for cause in _causes(error))
            )
            if not arrived:
                advice = "nothing was sent: check the base URL and the network"
            elif exchange.method == "GET":
                advice = "check the network and try again"
            else:
                advice = (
                    "the request may have been carried out, so it was not sent again: look before "
                    "you repeat it, since that could spend twice"
                )
            said = f"{excerpt(self.key.redact(_reason(error, url)))}; {advice}"
            # Not `from error`: the frames of http.client hold the bytes sent, and so the key.
            raise TransportError(exchange.operation, said, arrived) from None


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One attempt at an operation: the timeouts of its steps, and the deadline of the whole."""

    operation: str
    method: str
    timeout: tuple[float, float]
    deadline: Deadline


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back. Its repr leaves the content out: a server may echo the key."""

    operation: str
    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


class _Session(requests.Session):
    """A session that keeps deadlines."""

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, DeadlineAdapter())

    def get_redirect_target(self, _resp: requests.Response) -> None:
        """Take no redirect for one: requests would read its whole body, and fail at odd targets."""


def _load(content: bytes) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Parse JSON.

    Raises:
        ValueError: it is none, or too deep for what handles it later.
    """
    try:
        value = json.loads(content)
    except RecursionError:
        raise ValueError("JSON that is too deep") from None
    level = [value]
    for _ in range(_DEEPEST_JSON):
        dicts = (each.values() for each in level if isinstance(each, dict))
        lists = (each for each in level if isinstance(each, list))
        level = [inner for items in chain(dicts, lists) for inner in items]
        if not level:
            return value
    raise ValueError("JSON that is too deep")


def _checked_base_url(base_url: str) -> str:
    expected = "expected an address like 'https://api.vimmerse.net' (VIMMERSE_BASE_URL)"
    if not isinstance(base_url, str) or url_problem(base_url) is not None:
        raise ConfigurationError(f"base URL {excerpt(str(base_url))!r}: {expected}")
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


def _reason(error: Exception, url: str) -> str:
    """Return in a few words why there is no answer."""
    host = urlsplit(url).netloc.rpartition("@")[2]  # without a login
    causes = list(_causes(error))
    if any(isinstance(cause, requests.ConnectTimeout) for cause in causes):
        return f"no connection to {host} in time"
    if any(
        isinstance(cause, TimeoutError | ReadTimeoutError | requests.ReadTimeout)
        for cause in causes
    ):
        return f"{host} did not answer in time"
    root = causes[-1]
    return f"the connection to {host} failed ({str(root) or type(root).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
