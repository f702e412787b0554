"""The mock in process: `requests` to the real hosts are answered without a socket."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Callable, Generator, Iterable
from contextlib import aclosing
from functools import cached_property, wraps
from http.client import IncompleteRead
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar
from unittest.mock import patch
from urllib.parse import urlsplit

import requests
import responses
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError
from urllib3.exceptions import HTTPError

from vimmerse_contracts.vocabulary import (
    PRODUCTION_HOSTS,
    PRODUCTION_URL,
    WEBHOOK_TIMEOUT_SECONDS,
)
from vimmerse_mock.account.account import Account
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.delivery import Post, Reply
from vimmerse_mock.delivery.allowlist import require_no_control_plane
from vimmerse_mock.delivery.sending import KEPT_BODY, explain
from vimmerse_mock.model.account import SAMPLE_ACCOUNT, Opening
from vimmerse_mock.receiving.in_process import InProcessSender
from vimmerse_mock.receiving.inbox import Inbox
from vimmerse_mock.receiving.session import receiver_session
from vimmerse_mock.web.record import RECORD, RequestRecord
from vimmerse_mock.web.render import FILES_PATH
from vimmerse_mock.wsgi import call_wsgi

if TYPE_CHECKING:
    from requests import PreparedRequest

_MEDIA_HOST: Final = PRODUCTION_HOSTS[1]
_EVERYTHING: Final = re.compile("")
_LOOPBACK: Final = re.compile(r"https?://(127(\.\d+){3}|localhost|\[::1\])(:\d+)?([/?]|$)")

Others = Literal["pass", "refuse"]
F = TypeVar("F", bound=Callable[..., Any])


class Intercepted:
    """What `with intercept() as ...` returns.

    `account` is the account that the mock started with. `responses` is the active `RequestsMock`,
    to register more URLs on.
    """

    def __init__(
        self,
        mock: Mock,
        requests_mock: responses.RequestsMock,
        opening: Opening,
        sender: InProcessSender,
    ) -> None:
        self.mock = mock
        self.responses = requests_mock
        self.account = self.open_account(opening)
        self._sender = sender
        self._floor = patch.object(
            HTTPAdapter,
            "get_connection_with_tls_context",
            _floor(requests_mock, HTTPAdapter.get_connection_with_tls_context),
        )

    def start(self) -> None:
        """Begin to answer."""
        self.responses.start()
        self._floor.start()
        self.mock.dispatcher.start()

    @cached_property
    def webhooks(self) -> Inbox:
        """An inbox for webhooks, without a socket: `webhooks.url`, `webhooks.expect(...)`.

        `webhooks.deliver_to(app)` passes each webhook to a WSGI application.
        """
        return Inbox("", self.account, self._sender)

    def close(self, *, quietly: bool) -> None:
        """End it; raises what a receiver of its webhooks raised, unless `quietly`."""
        try:
            self.mock.close()
        finally:
            self._floor.stop()
            self.responses.stop()
        if "webhooks" in self.__dict__:
            self.webhooks.close()
            if not quietly:
                self.webhooks.raise_errors()

    def open_account(self, opening: Opening | None = None) -> Account:
        """Open an account.

        Raises:
            DuplicateAccountError: its key or customer id is taken.
        """
        return self.mock.open_account(PRODUCTION_URL, opening)


class intercept:  # noqa: N801 - it reads as a verb: `with intercept():`
    """Answer what `requests` sends to api.vimmerse.net and its media host, in this process.

    Use it as a context manager, which returns an `Intercepted`, or as a decorator of a function:
    also of an `async def`, or of a fixture that yields. Each use has a mock of its own, which
    starts with the account of `opening`.

    Requests to other hosts go out, or fail with `others="refuse"` as if there were no network.
    Requests to the loopback always go out, so that webhooks reach a real listener. A `responses`
    mock that is already active still answers for other hosts. One that is started inside, such as
    moto's, answers for its own URLs, and what it passes on to the real hosts is answered here.
    Interceptions may be nested. They change `requests` for the whole process, so two threads must
    not use them at the same time.
    """

    def __init__(self, *, others: Others = "pass", opening: Opening = SAMPLE_ACCOUNT) -> None:
        if others not in ("pass", "refuse"):
            raise ValueError(f"others is 'pass' or 'refuse', not {others!r}")
        self._others = others
        self._opening = opening
        self._intercepted: Intercepted | None = None

    def __call__(self, function: F) -> F:
        """Decorate a function: each call of it has a mock of its own.

        Raises:
            TypeError: it is no function, such as a class or a fixture that is made already.
        """
        if not (inspect.isfunction(function) or inspect.ismethod(function)):
            raise TypeError(
                f"intercept() decorates functions, and {function!r} is a "
                f"{type(function).__name__}: decorate each test function (below decorators such "
                "as @pytest.fixture), or write `with intercept():` in a fixture"
            )

        def again() -> intercept:
            return type(self)(others=self._others, opening=self._opening)

        wrap = next(wrap for is_kind, wrap in _WRAPPERS if is_kind(function))
        return wraps(function)(wrap(function, again))  # type: ignore[return-value] # same calls

    def __enter__(self) -> Intercepted:
        if self._intercepted is not None:
            raise RuntimeError("this intercept() is already active: create another one")
        sender = InProcessSender(RequestsSender())
        mock = create_mock(files_url=f"https://{_MEDIA_HOST}", sender=sender)
        requests_mock = responses.RequestsMock(
            assert_all_requests_are_fired=False, real_adapter_send=HTTPAdapter.send
        )
        requests_mock.add_passthru(_EVERYTHING if self._others == "pass" else _LOOPBACK)
        requests_mock.add(_ProductionHosts(mock))
        self._intercepted = Intercepted(mock, requests_mock, self._opening, sender)
        self._intercepted.start()
        return self._intercepted

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        intercepted, self._intercepted = self._intercepted, None
        if intercepted is not None:
            intercepted.close(quietly=error is not None)


def _coroutine(function: Callable[..., Any], enter: Callable[[], intercept]) -> Callable[..., Any]:
    async def inside(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the function's
        with enter():
            return await function(*args, **kwargs)

    return inside


def _async_generator(
    function: Callable[..., Any], enter: Callable[[], intercept]
) -> Callable[..., Any]:
    async def inside(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - as the function's
        with enter():
            async with aclosing(function(*args, **kwargs)) as values:
                async for value in values:
                    yield value

    return inside


def _generator(function: Callable[..., Any], enter: Callable[[], intercept]) -> Callable[..., Any]:
    def inside(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:  # noqa: ANN401 - as the function's
        with enter():
            return (yield from function(*args, **kwargs))

    return inside


def _plain(function: Callable[..., Any], enter: Callable[[], intercept]) -> Callable[..., Any]:
    def inside(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the function's
        with enter():
            result = function(*args, **kwargs)
            if not inspect.iscoroutine(result):
                return result
            result.close()
            raise TypeError(
                f"{function.__qualname__} returned a coroutine, whose body would run outside: "
                "apply intercept() directly to the `async def`"
            )

    return inside


_WRAPPERS: Final = (
    (inspect.iscoroutinefunction, _coroutine),
    (inspect.isasyncgenfunction, _async_generator),
    (inspect.isgeneratorfunction, _generator),
    (callable, _plain),
)
"""What runs the body of a function inside, whenever that body runs, by the kind of function."""


class RequestsSender:
    """Posts webhooks with `requests`, so that URLs registered on a `responses` mock get them."""

    def send(self, post: Post) -> Reply:
        """POST a webhook, and read the beginning of the answer."""
        try:
            require_no_control_plane(urlsplit(post.url))
            with receiver_session() as session:
                session.trust_env = False
                answer = session.post(
                    post.url,
                    data=post.body,
                    headers=dict(post.headers),
                    timeout=WEBHOOK_TIMEOUT_SECONDS,
                    allow_redirects=False,
                    stream=True,
                )
                with answer:
                    body = answer.raw.read(KEPT_BODY, decode_content=True)
        except (requests.RequestException, HTTPError, ValueError, OSError) as error:
            return Reply(None, explain(error))
        return Reply(answer.status_code, "", tuple(answer.headers.items()), body)


class _ProductionHosts(responses.CallbackResponse):
    """Matches every request to the real hosts, and lets the mock answer."""

    def __init__(self, mock: Mock) -> None:
        super().__init__("ANY", _EVERYTHING, callback=self._call, content_type=None)
        self._app = mock.app

    def matches(self, request: PreparedRequest) -> tuple[bool, str]:
        """Whether a request is for the real hosts, and if not, why."""
        ours = urlsplit(request.url or "").hostname in PRODUCTION_HOSTS
        return ours, "" if ours else f"the host is not one of {', '.join(PRODUCTION_HOSTS)}"

    def _call(self, request: PreparedRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        url, method = urlsplit(request.url or ""), request.method or "GET"
        if url.hostname == _MEDIA_HOST:  # its files have a folder of their own on the mock
            url = url._replace(path=FILES_PATH + (url.path or "/"))
        headers = {name: _text(value) for name, value in request.headers.items()}
        record, body = RequestRecord(pauses=[]), _body(request.body)
        answer = call_wsgi(self._app, method, url.geturl(), headers, body, {RECORD: record})
        _raise_failure(record, request)
        return answer


def _floor(
    requests_mock: responses.RequestsMock, connect: Callable[..., Any]
) -> Callable[..., Any]:
    """Return what answers where `requests` would connect.

    A `responses` mock that is started later (moto has one of its own) takes the place of ours, and
    what it passes on goes by the adapter's own `send`, which ends here.
    """

    def get_connection(
        adapter: HTTPAdapter, request: PreparedRequest, *args: object, **kwargs: object
    ) -> object:
        if _passes(requests_mock, request):
            return connect(adapter, request, *args, **kwargs)
        settings = getattr(request, "req_kwargs", {})
        return _Connected(requests_mock.unbound_on_send()(adapter, request, **settings))

    return get_connection


def _passes(requests_mock: responses.RequestsMock, request: PreparedRequest) -> bool:
    for each in requests_mock.registered():
        if each.matches(request)[0]:
            return bool(each.passthrough)
    url = request.url or ""
    return any(
        url.startswith(each) if isinstance(each, str) else each.match(url)
        for each in requests_mock.passthru_prefixes
    )


class _Connected:
    """What `requests` takes for a connection whose answer is there already."""

    def __init__(self, answer: requests.Response) -> None:
        self._answer = answer

    def urlopen(self, **_kwargs: object) -> object:
        """Return the answer."""
        return self._answer.raw


def _raise_failure(record: RequestRecord, request: PreparedRequest) -> None:
    """Raise what `requests` raises of the same fault over a socket.

    Nobody waits: seconds within the request's timeout pass at once.
    """
    timeout = getattr(request, "req_kwargs", {}).get("timeout")
    patience = timeout[1] if isinstance(timeout, tuple) else timeout
    for seconds in record.pauses or ():
        if patience is not None and seconds > patience:
            raise requests.ReadTimeout(f"no answer within {seconds} s", request=request)
    if record.broken is None:
        return
    reset = ConnectionResetError(104, "Connection reset by peer")
    if not record.broken.midway:
        raise requests.ConnectionError("Connection aborted.", reset, request=request)
    if record.broken.reset:
        raise ChunkedEncodingError("Connection broken", reset, request=request)
    cut = IncompleteRead(b"")
    raise ChunkedEncodingError(f"Connection broken: {cut!r}", cut, request=request)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _body(body: Any) -> bytes:  # noqa: ANN401 - requests takes bytes, text, files and iterables
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes):
        return body
    chunks: Iterable[bytes | str] = body
    return b"".join(chunk.encode() if isinstance(chunk, str) else chunk for chunk in chunks)
