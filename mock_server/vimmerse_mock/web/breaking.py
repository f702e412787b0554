"""Breaking an answer off: before it, or in its middle, by breaking the connection."""

from __future__ import annotations

import array
import fcntl
import logging
import os
import socket
import struct
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Event, Lock
from types import TracebackType
from typing import Any, Final, Protocol, Self

import flask

from vimmerse_mock.model.faults import Break

_DESCRIPTORS: Final = "/dev/fd"
_ABORT: Final = struct.pack("ii", 1, 0)
"""SO_LINGER's value for a close that resets the connection."""
_MAPPED: Final = "::ffff:"
_CORK: Final[int | None] = getattr(socket, "TCP_CORK", None)
_LONGEST_HEAD: Final = 4_096
_SEARCH_SECONDS: Final = 0.15
"""Less than the 200 ms for which the kernel keeps a cork in."""
_LOOK_AGAIN_SECONDS: Final = 0.0005
_LOOKS: Final = round(_SEARCH_SECONDS / _LOOK_AGAIN_SECONDS)
_DRAIN_LOOKS: Final = 400
_TURN_SECONDS: Final = 5.0


class NoConnectionError(Exception):
    """The request came over no connection of this process, or one that cannot be found."""


class Connection:
    """A connection that was taken from the server; leaving the block closes it."""

    def __init__(self, taken: socket.socket) -> None:
        self._socket = taken
        self._socket.settimeout(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes; a client that has gone is no error."""
        with suppress(OSError):
            self._socket.sendall(data)

    def flush(self) -> None:
        """Send what waits, and wait until the client's machine has it."""
        descriptor = self._socket.fileno()
        _set_cork(descriptor, on=False)
        for _ in range(_DRAIN_LOOKS):
            if _waiting(descriptor) <= 0:
                return
            Event().wait(_LOOK_AGAIN_SECONDS)

    def reset(self) -> None:
        """Reset the connection; what still waits never leaves."""
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._socket.close()


class Finder(Protocol):
    """A way to the connection that a request came by."""

    def pieces(self, first: bytes, second: bytes) -> Iterator[bytes]:
        """Give the server what it must write of an answer, for the way to be found."""

    def found(self) -> Connection:
        """Take the connection, once the pieces were written.

        Raises:
            NoConnectionError: it was not found.
        """

    def end(self) -> None:
        """Release whatever was held meanwhile."""


class Named:
    """The way to a connection whose port the server tells: nothing need be written for it.

    Raises:
        NoConnectionError: there is no such connection in this process.
    """

    def __init__(self, environ: Mapping[str, Any]) -> None:
        peer = (environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"]))
        candidates = _connections(environ["REMOTE_ADDR"], _port(environ))
        found = next((each for each in candidates if _ends(each)[0][:2] == peer), None)
        if found is None:
            raise NoConnectionError(f"no connection with {peer[0]}:{peer[1]} in this process")
        self._descriptor = found

    def pieces(self, first: bytes, second: bytes) -> Iterator[bytes]:  # noqa: ARG002 - as the protocol
        """Give the server nothing to write."""
        return iter(())

    def found(self) -> Connection:
        """Take the connection."""
        return Connection(_exchanged(self._descriptor))

    def end(self) -> None:
        """Do nothing: nothing is held."""


class Search:
    """The search for a connection of which only the client's host is known; one at a time.

    It begins before the answer does: every connection with the host is corked. `pieces` is then the
    body of the answer. Whoever iterates it finds the connection between its two pieces, if `found`
    is asked for after the second.
    """

    def __init__(self, environ: Mapping[str, Any], turn: Lock) -> None:
        self._turn = turn
        self._found: int | None = None
        if _CORK is None:
            raise NoConnectionError("this system cannot hold back what a server writes (TCP_CORK)")
        if not turn.acquire(timeout=_TURN_SECONDS):
            raise NoConnectionError("too many connections are being broken at once")
        try:
            self._corked = _corked(environ)
        except Exception:
            turn.release()
            raise

    def pieces(self, first: bytes, second: bytes) -> Iterator[bytes]:
        """Give the server two pieces of an answer, and see where they come to wait."""
        before = self._look()
        yield first
        candidates = self._await(before, range(len(first), len(first) + _LONGEST_HEAD))
        between = {each: _waiting(each) for each in candidates}
        yield second
        (self._found,) = self._await(between, range(len(second), len(second) + 1)) or (None,)

    def found(self) -> Connection:
        """Take the connection."""
        if self._found is None:
            raise NoConnectionError("the connection was not found in time")
        return Connection(_exchanged(self._found))

    def end(self) -> None:
        """Uncork every other connection, and allow another search."""
        for descriptor in self._corked:
            if descriptor != self._found:
                _set_cork(descriptor, on=False)
        self._turn.release()

    def _look(self) -> dict[int, int]:
        return {descriptor: _waiting(descriptor) for descriptor in self._corked}

    def _await(self, before: Mapping[int, int], grown: range) -> tuple[int, ...]:
        """Wait until what waits on some connections has grown so; the second time it is one."""
        for _ in range(_LOOKS):
            if hits := tuple(d for d, had in before.items() if _waiting(d) - had in grown):
                return hits
            Event().wait(_LOOK_AGAIN_SECONDS)
        return ()


def _corked(environ: Mapping[str, Any]) -> tuple[int, ...]:
    """Cork every connection with the client's host."""
    corked = tuple(_connections(environ["REMOTE_ADDR"], _port(environ)))
    if not corked:
        raise NoConnectionError("the request came over no connection of this process")
    for descriptor in corked:
        _set_cork(descriptor, on=True)
    return corked


def _connections(host: str, port: int) -> Iterator[int]:
    """Find the descriptors of connections of a port of ours with a host."""
    for name in os.listdir(_DESCRIPTORS):  # noqa: PTH208 - names, not paths
        if name.isdecimal():
            there, here = _ends(int(name))
            if there[:1] == (host,) and here[1:2] == (port,):
                yield int(name)


def _ends(descriptor: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the addresses at both ends of a connection; nothing where there is none."""
    try:
        with _borrowed(descriptor) as connection:
            if connection.family in (socket.AF_INET, socket.AF_INET6):
                return _plain(connection.getpeername()), _plain(connection.getsockname())
    except OSError:
        pass
    return (), ()


@contextmanager
def _borrowed(descriptor: int) -> Iterator[socket.socket]:
    """Look at a descriptor as a socket, and leave it open."""
    borrowed = socket.socket(fileno=descriptor)
    try:
        yield borrowed
    finally:
        borrowed.detach()


def _exchanged(descriptor: int) -> socket.socket:
    """Put a socket that is at its end in a descriptor's place, and return what stood there."""
    taken = socket.socket(fileno=os.dup(descriptor))
    dead, other_end = socket.socketpair()
    other_end.close()
    with dead:
        dead.settimeout(0)
        os.dup2(dead.fileno(), descriptor, inheritable=False)
    return taken


def _set_cork(descriptor: int, *, on: bool) -> None:
    if _CORK is not None:
        with suppress(OSError), _borrowed(descriptor) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, _CORK, int(on))


def _waiting(descriptor: int) -> int:
    """Count the bytes that the client's machine has not acknowledged."""
    count = array.array("i", [0])
    with suppress(OSError):
        fcntl.ioctl(descriptor, termios.TIOCOUTQ, count)
    return count[0]


def _port(environ: Mapping[str, Any]) -> int:
    return int(environ["SERVER_PORT"])


def _plain(address: tuple[Any, ...]) -> tuple[Any, ...]:
    """Write an IPv4 address that IPv6 has in its clothes as itself."""
    return (str(address[0]).removeprefix(_MAPPED), *address[1:]) if address else ()


__all__ = ["NoConnectionError", "break_off"]

_LOG = logging.getLogger("vimmerse_mock.web")
_UNSEEN: Final = (b"." * 401, b"." * 283)
"""Two pieces of an answer that never leaves this machine."""


def break_off(how: Break, answer: flask.Response, turn: Lock) -> flask.Response:
    """Break the connection by which an answer would go; one search at a time has its `turn`.

    Raises:
        NoConnectionError: it cannot be found.
    """
    environ = flask.request.environ
    if "REMOTE_ADDR" not in environ or "SERVER_PORT" not in environ:
        raise NoConnectionError("the request came over no connection")
    is_named = "REMOTE_PORT" in environ
    body = answer.get_data()
    first, second = _halved(body) if how.midway else _UNSEEN
    unsent = _head(answer) + first + second if is_named and how.midway else b""
    finder: Finder = Named(environ) if is_named else Search(environ, turn)
    way = _Way(finder, finder.pieces(first, second), unsent, how)
    answer.headers["Content-Length"] = str(max(len(body), len(first + second) + 1))
    return flask.Response(way, answer.status, answer.headers, direct_passthrough=True)


class _Way:
    """The body of an answer whose connection is broken on the way: its last piece is the break.

    `unsent` is what the server has not written, and the client shall get all the same.
    """

    def __init__(self, finder: Finder, pieces: Iterator[bytes], unsent: bytes, how: Break) -> None:
        self._finder, self._pieces, self._unsent, self._how = finder, pieces, unsent, how
        self._is_over = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except StopIteration:
            self._break()
            raise

    def close(self) -> None:
        """Release what the search holds, if it was not finished."""
        if not self._is_over:
            self._is_over = True
            self._finder.end()

    __del__ = close

    def _break(self) -> None:
        try:
            with self._finder.found() as connection:
                connection.send(self._unsent)
                if self._how.midway:
                    connection.flush()
                if self._how.reset:
                    connection.reset()
        except NoConnectionError as error:
            _LOG.warning("a fault could not be had: %s", error)
        finally:
            self.close()


def _halved(body: bytes) -> tuple[bytes, bytes]:
    """Take the first half of a body, in two pieces that differ in length."""
    half = body[: len(body) // 2]
    cut = len(half) // 2 + 1
    return half[:cut], half[cut:]


def _head(answer: flask.Response) -> bytes:
    lines = [f"HTTP/1.1 {answer.status}", *(f"{n}: {v}" for n, v in answer.headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")
