"""A request as it came, and an answer as it is to be sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from vimmerse_mock.model.faults import Break
from vimmerse_mock.wsgi import environ_of

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Effects:
    """What happens to an answer on its way, on purpose.

    It is held back for `delay` seconds; with `drip`, it is sent in as many pieces as that has
    pauses, each after its pause, in seconds; `breaks` is how the connection ends instead.
    """

    delay: float = 0.0
    drip: tuple[float, ...] = ()
    breaks: Break | None = None


@dataclass(slots=True)
class Request:
    """A request: `target` as it stands in the request line, `headers` in the order they came."""

    method: str
    target: str
    headers: Headers
    body: IO[bytes]
    length: int
    peer: str
    server: str
    protocol: str = "HTTP/1.1"

    @property
    def url(self) -> str:
        """Where it went, at the server's own address, whatever it calls itself."""
        if self.target.startswith("/"):
            return self.server + self.target
        absolute = urlsplit(self.target)  # as to a proxy; `*` and the like have no path
        return f"{self.server}{absolute.path if absolute.netloc else '/'}?{absolute.query}"

    def environ(self) -> WSGIEnvironment:
        """Write it for a WSGI application."""
        return environ_of(
            self.method, self.url, self.headers, self.body, self.length, self.peer, self.protocol
        )

    def header(self, name: str) -> str:
        """Return a header's value, empty if it was not sent; `name` in lower case."""
        return next((value for each, value in self.headers if each.lower() == name), "")


@dataclass(slots=True)
class Answer:
    """An answer; `errand` is whose and what work, which may block, goes before sending it."""

    status: int
    headers: Headers
    body: bytes
    effects: Effects | None = None
    errand: tuple[str, Callable[[], object]] | None = None
    is_head: bool = False

    def encode(self, *, keeps_alive: bool, date: str) -> tuple[bytes, bytes]:
        """Write head and body; the head says whether the connection goes on."""
        try:
            reason = HTTPStatus(self.status).phrase
        except ValueError:
            reason = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {reason}"]
        has_length = has_date = False
        for name, value in self.headers:
            lowered = name.lower()
            if lowered in _PER_CONNECTION:
                continue
            has_length = has_length or lowered == "content-length"
            has_date = has_date or lowered == "date"
            lines.append(f"{name}: {value}")
        if not has_length and self.status not in _WITHOUT_BODY:
            lines.append(f"Content-Length: {len(self.body)}")
        if not has_date:
            lines.append(f"Date: {date}")
        lines.append("Connection: keep-alive" if keeps_alive else "Connection: close")
        head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
        return head, b"" if self.is_head or self.status in _WITHOUT_BODY else self.body


_PER_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding"})
_WITHOUT_BODY = frozenset({204, 304})


class Application(Protocol):
    """What a front serves."""

    def refuse(self, request: Request) -> Answer | None:
        """Answer a request for which it need not read the body, which is not there yet."""

    def owner(self, request: Request) -> str | None:
        """Whose share of the pool answers it; None if answering cannot block."""

    def answer(self, request: Request) -> Answer:
        """Answer a request; it does not raise."""
