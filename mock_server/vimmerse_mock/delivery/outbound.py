"""Requests to the outside: where an allowlist allows, under a deadline, without a proxy."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from ipaddress import ip_address
from threading import Thread, Timer
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

from vimmerse_contracts.unfrozen import monotonic
from vimmerse_mock.delivery.allowlist import Allowlist, Endpoint, require_no_control_plane
from vimmerse_mock.delivery.sending import ascii_host
from vimmerse_mock.model.outbox import Headers

T = TypeVar("T")

_PORTS: Final = {"http": 80, "https": 443}
_INFORMATIONAL: Final = frozenset(range(100, 200)) - {http.HTTPStatus.SWITCHING_PROTOCOLS}
_SAFE: Final = "%/:?@!$&'()*+,;=-._~"


@contextmanager
def requested(
    method: str, to: str, headers: Headers, body: bytes, *, allowlist: Allowlist, deadline: float
) -> Iterator[http.client.HTTPResponse]:
    """Send a request, and give the response, of which the body is still to be read.

    A name is resolved once, and the connection goes to an address that was allowed. At the
    deadline, a monotonic instant, everything ends, whatever the other side still sends.

    Raises:
        OSError: it cannot be reached in time, or is not allowed (RefusedReceiver).
        http.client.HTTPException: what it answers is no HTTP.
        ValueError: the URL is none of HTTP.
    """
    url = urlsplit(to)
    if url.scheme not in _PORTS:
        raise ValueError(f"requests go to http and https, not to {url.scheme!r}")
    require_no_control_plane(url)
    host, port = ascii_host(url), url.port or _PORTS[url.scheme]
    resolve = partial(allowlist.endpoints, host, port)
    left = deadline - monotonic()
    endpoints = resolve() if _is_number(host) else _within(left, resolve)
    context = ssl.create_default_context() if url.scheme == "https" else None
    connection = _Connection(host, port, endpoints, deadline, context)
    ending = Timer(deadline - monotonic(), _cut, [connection])
    ending.daemon = True
    ending.start()
    try:
        target = quote(url.path or "/", safe=_SAFE)
        if url.query:
            target += f"?{quote(url.query, safe=_SAFE)}"
        connection.request(method, target, body, dict(headers))
        yield connection.getresponse()
    finally:
        ending.cancel()
        connection.close()


class FinalResponse(http.client.HTTPResponse):
    """Passes over informational answers, such as 103 Early Hints; Python does so with 100 alone."""

    def begin(self) -> None:
        """Read heads until one is that of the answer."""
        super().begin()
        while self.status in _INFORMATIONAL:
            self.headers = self.msg = None  # type: ignore[assignment] # as before the first head
            super().begin()


class _Connection(http.client.HTTPConnection):
    """A connection to where it was allowed: nothing is resolved again.

    Over TLS the certificate is verified for the name, not for the address.
    """

    response_class = FinalResponse

    def __init__(
        self,
        host: str,
        port: int,
        endpoints: Sequence[Endpoint],
        deadline: float,
        context: ssl.SSLContext | None,
    ) -> None:
        super().__init__(host, port)
        self._endpoints = endpoints
        self._deadline = deadline
        self._context = context

    def connect(self) -> None:
        """Connect to the first endpoint that takes it."""
        *others, last = self._endpoints
        for endpoint in others:
            with suppress(OSError):
                self.sock = self._connected(endpoint)
                return
        self.sock = self._connected(last)

    def _connected(self, endpoint: Endpoint) -> socket.socket:
        connected = socket.socket(endpoint.family, socket.SOCK_STREAM)
        try:
            connected.settimeout(max(0.001, self._deadline - monotonic()))
            connected.connect(endpoint.address)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                return self._context.wrap_socket(connected, server_hostname=self.host)
        except BaseException:
            connected.close()
            raise
        return connected


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _within(seconds: float, work: Callable[[], T]) -> T:
    """Do what cannot be interrupted in a thread of its own, which is left behind if it is late."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            done.set_exception(error)

    Thread(target=run, name="vimmerse-resolver", daemon=True).start()
    return done.result(seconds)


def _cut(connection: http.client.HTTPConnection) -> None:
    """End a connection whose time is up, whatever its peer still drips into it."""
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
