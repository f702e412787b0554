"""One client's connection: its requests in turn, each read whole, under deadlines and bounds."""

from __future__ import annotations

import asyncio
import io
import socket
import struct
import tempfile
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final, cast

import httptools

from vimmerse_mock.serving.messages import Answer, Headers, Request

if TYPE_CHECKING:
    from vimmerse_mock.model.faults import Break
    from vimmerse_mock.serving.front import Front

HEAD_BYTES: Final = 65_536
_SPOOL_BYTES: Final = 1_048_576
LARGE_BYTES: Final = 65_536
"""A body beyond this is asked for only if the request is not refused by its head alone."""
_FLUSH_SECONDS: Final = 0.01
_RST: Final = struct.pack("ii", 1, 0)
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_NEVER: Final = float("inf")
_OF_UPGRADES: Final = frozenset({"connection", "upgrade", "http2-settings"})


@dataclass(slots=True)
class _Message:
    """A request while it is being read."""

    target: bytes = b""
    headers: Headers = field(default_factory=list)
    head_bytes: int = 0
    request: Request | None = None
    body: IO[bytes] | None = None
    size: int = 0
    keeps_alive: bool = False
    is_asked_about: bool = False
    is_refused: bool = False
    is_complete: bool = False
    is_too_large: bool = False


class Connection(asyncio.Protocol):
    """Parses requests, hands them on one after another, and sends what is answered."""

    __slots__ = (
        "_has_ended",
        "_is_answering",
        "_is_held",
        "_is_unread",
        "_keeps_alive",
        "_message",
        "_parser",
        "_peer",
        "_queue",
        "_transport",
        "deadline",
        "front",
        "is_closing",
    )

    def __init__(self, front: Front) -> None:
        self.front = front
        self.deadline = front.now + front.patience.idle
        self.is_closing = False
        self._message = _Message(is_complete=True)
        self._queue: deque[tuple[Request | Answer, bool]] = deque()
        self._is_answering = self._has_ended = self._is_held = self._is_unread = False
        self._keeps_alive = True

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way, but for one whose answer is held back on purpose."""
        if self._is_held:
            return True
        return not self._is_answering and not self._queue and self._message.is_complete

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read."""
        self._transport = cast("asyncio.Transport", transport)
        self._peer = str((transport.get_extra_info("peername") or ("",))[0])
        self._parser: Any = httptools.HttpRequestParser(self)
        self.front.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget the connection; what is being answered is answered to nobody."""
        self.is_closing = True
        self.front.connections.discard(self)
        if self._message.body is not None and not self._message.is_complete:
            self._message.body.close()

    def eof_received(self) -> bool:
        """Keep a half-closed connection until what it asked for is answered."""
        self._has_ended, self._keeps_alive = True, False
        return self._is_answering

    def data_received(self, data: bytes) -> None:
        """Read on; a client that speaks no HTTP is told so."""
        if self.is_closing:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._message = _Message(is_complete=True)
            self._transport.pause_reading()  # the parser is of no more use
            self._refuse(400, "BAD_REQUEST")

    def pause_writing(self) -> None:
        """The client does not read: it has some time to."""
        self._is_unread = True
        self.deadline = self.front.now + self.front.patience.unread

    def resume_writing(self) -> None:
        """The client reads on."""
        self._is_unread = False
        self.deadline = _NEVER if self._is_answering else self.front.now + self.front.patience.idle

    # What the parser calls; its names say when.

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._message = _Message()
        self.deadline = self.front.now + self.front.patience.head

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._message.target += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._message.headers.append((name.decode("latin-1"), value.decode("latin-1")))
        self._count_head(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """Decide by the head whether the body is to be read."""
        message, parser = self._message, self._parser
        request = message.request = Request(
            method=parser.get_method().decode("latin-1"),
            target=message.target.decode("latin-1"),
            headers=message.headers,
            body=io.BytesIO(),
            length=0,
            peer=self._peer,
            server=self.front.url,
            protocol=f"HTTP/{parser.get_http_version()}",
        )
        self.deadline = self.front.now + self.front.patience.body
        if parser.should_upgrade():
            return
        announced, expects = _announced(message.headers)
        if announced > min(LARGE_BYTES, self.front.limit) or expects:
            message.is_too_large = announced > self.front.limit
            request.length = announced
            self._ask_first(message, request, expects=expects)

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body, up to the limit."""
        message = self._message
        if message.is_refused or message.is_too_large:
            return
        message.size += len(piece)
        if message.size > self.front.limit:
            self._refuse(413, "PAYLOAD_TOO_LARGE")
            return
        if message.body is None:
            message.body = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - closed when it is answered
        message.body.write(piece)

    def on_message_complete(self) -> None:
        """Have the request answered, unless that is decided already."""
        message = self._message
        if self._parser.should_upgrade():
            return  # see `_ignore_upgrade`, which follows
        if message.is_refused:
            self._close_when_answered()
            return
        message.is_complete = True
        message.keeps_alive = self._parser.should_keep_alive()
        if not message.is_asked_about:
            self._accept(message)

    # Answering.

    def _accept(self, message: _Message) -> None:
        """Put a request that was read whole behind those that came before it."""
        request = cast("Request", message.request)
        if message.body is not None:
            message.body.seek(0)
            request.body, request.length = message.body, message.size
        self._queue.append((request, message.keeps_alive and not self._has_ended))
        if self._is_answering:
            self._transport.pause_reading()
        else:
            self._answer_next()

    def _answer_next(self) -> None:
        request, self._keeps_alive = self._queue.popleft()
        self._is_answering = True
        self.deadline = _NEVER
        if isinstance(request, Answer):
            self._send(request)
        else:
            self.front.answer(request, partial(self._send_whole, request))

    def _send_whole(self, request: Request, answer: Answer) -> None:
        request.body.close()
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        """Send an answer, as its effects have it; called in the loop's thread."""
        if self.is_closing:
            return
        effects = answer.effects
        self._is_held = effects is not None and bool(effects.delay or effects.drip)
        if effects is not None and effects.delay:
            delay, effects.delay = effects.delay, 0.0
            self.front.loop.call_later(delay, self._send, answer)
            return
        keeps_alive = self._keeps_alive and not self.front.is_stopping
        head, body = answer.encode(keeps_alive=keeps_alive, date=self.front.date)
        if effects is None or not (effects.breaks or effects.drip):
            self._transport.write(head + body)
            self._end(keeps_alive=keeps_alive)
        elif effects.breaks is not None:
            self._break(effects.breaks, head + body[: len(body) // 2])
        else:
            self._transport.write(head)
            size = max(1, -(-len(body) // len(effects.drip)))
            pieces = [body[at : at + size] for at in range(0, len(body), size)]
            self._drip(deque(zip(effects.drip, pieces, strict=False)), keeps_alive=keeps_alive)

    def _drip(self, pieces: deque[tuple[float, bytes]], *, keeps_alive: bool) -> None:
        if not pieces:
            self._end(keeps_alive=keeps_alive)
            return
        pause, piece = pieces.popleft()

        def send() -> None:
            if not self.is_closing:
                self._transport.write(piece)
                self._drip(pieces, keeps_alive=keeps_alive)

        self.front.loop.call_later(pause, send)

    def _break(self, how: Break, half: bytes) -> None:
        """Break the connection in place of an answer, of which `half` may be sent."""
        if how.midway:
            self._transport.write(half)
        if not how.reset:
            self._close()
        elif how.midway:  # the half must have arrived: RST takes with it what is under way
            self.front.loop.call_later(_FLUSH_SECONDS, self._reset)
        else:
            self._reset()

    def _end(self, *, keeps_alive: bool) -> None:
        self._is_answering = self._is_held = False
        if self._queue:
            self._answer_next()
        elif self._message.is_refused and not self._message.is_complete:
            self.deadline = self.front.now + self.front.patience.drain  # see `_refuse`
            self._transport.resume_reading()
        elif not keeps_alive or self._has_ended:
            self._close()
        else:
            if not self._is_unread:
                self.deadline = self.front.now + self.front.patience.idle
            self._transport.resume_reading()

    # Refusing.

    def _ask_first(self, message: _Message, request: Request, *, expects: bool) -> None:
        """Ask the application by the head alone, before a large body is sent or kept."""
        message.is_asked_about = True
        self._transport.pause_reading()

        def decide(refusal: Answer | None) -> None:
            message.is_asked_about = False
            if self.is_closing:
                return
            if refusal is not None:
                self._refuse_with(message, refusal)
            elif message.is_too_large:
                self._refuse(413, "PAYLOAD_TOO_LARGE")
            elif message.is_complete:
                self._accept(message)
            else:
                if expects:
                    self._transport.write(_CONTINUE)
                self._transport.resume_reading()

        self.front.refuse(request, decide)

    def _refuse(self, status: int, code: str) -> None:
        body = f'{{"message":"{code}"}}'.encode()
        self._refuse_with(
            self._message, Answer(status, [("Content-Type", "application/json")], body)
        )

    def _refuse_with(self, message: _Message, refusal: Answer) -> None:
        """Answer before the request is whole.

        What the client still sends is read for a while, and dropped: a connection that is closed
        on unread bytes is reset, and the answer may be lost with it.
        """
        if message.is_refused:
            return
        message.is_refused = True
        if message.body is not None:
            message.body.close()
        self._queue.append((refusal, False))
        if not self._is_answering:
            self._answer_next()

    def _close_when_answered(self) -> None:
        self._message.is_complete = True
        if not self._is_answering and not self._queue:
            self._close()

    def _count_head(self, size: int) -> None:
        self._message.head_bytes += size
        if self._message.head_bytes > HEAD_BYTES:
            self._refuse(431, "REQUEST_HEADER_FIELDS_TOO_LARGE")

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Read the request again as if it offered no other protocol: the answer is HTTP/1.1."""
        message = self._message
        request = cast("Request", message.request)
        if request.method == "CONNECT":
            self._refuse(405, "METHOD_NOT_ALLOWED")
            return
        lines = [f"{request.method} {request.target} HTTP/1.1"]
        lines += [f"{n}: {v}" for n, v in message.headers if n.lower() not in _OF_UPGRADES]
        self._parser = httptools.HttpRequestParser(self)
        self.data_received("\r\n".join([*lines, "", ""]).encode("latin-1") + rest)

    # Ending.

    def _close(self) -> None:
        """Close once everything is sent."""
        self.is_closing = True
        self.deadline = self.front.now + self.front.patience.unread
        self._transport.close()

    def _reset(self) -> None:
        """Break the connection by RST."""
        self.is_closing = True
        if not self._transport.is_closing():
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
        self._transport.abort()

    def expire(self) -> None:
        """End a connection whose time is up, or that is not needed any more."""
        if self.is_closing or self._is_unread:  # what is not read would wait in the kernel
            self._reset()
        elif self.is_idle:
            self._close()
        else:
            self.is_closing = True
            self._transport.abort()


def _announced(headers: Headers) -> tuple[int, bool]:
    """Return how many bytes a body will have, and whether the client waits for a 100."""
    announced, expects = 0, False
    for name, value in headers:
        match name.lower():
            case "content-length":
                announced = int(value) if value.isdecimal() else 0
            case "transfer-encoding":
                announced = max(announced, LARGE_BYTES + 1)
            case "expect":
                expects = value.lower() == "100-continue"
    return announced, expects
