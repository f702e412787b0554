"""Breaking an answer off: before it, or in its middle, by breaking the connection."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from threading import Lock
from typing import Final

import flask

from vimmerse_mock.model.faults import FaultKind
from vimmerse_mock.web.connection import Connection, Finder, Named, NoConnectionError, Search

__all__ = ["NoConnectionError", "break_off"]

_LOG = logging.getLogger("vimmerse_mock.web")
_UNSEEN: Final = (b"." * 401, b"." * 283)
"""Two pieces of an answer that never leaves this machine."""
_MIDWAY: Final = frozenset({FaultKind.RESET_MIDWAY, FaultKind.TRUNCATE})
_RESET: Final = frozenset({FaultKind.RESET, FaultKind.RESET_MIDWAY, FaultKind.LOST})


def break_off(kind: FaultKind, answer: flask.Response, turn: Lock) -> flask.Response:
    """Break the connection by which an answer would go; one search at a time has its `turn`.

    Raises:
        NoConnectionError: it cannot be found.
    """
    environ = flask.request.environ
    if "REMOTE_ADDR" not in environ or "SERVER_PORT" not in environ:
        raise NoConnectionError("the request came over no connection")
    is_named = "REMOTE_PORT" in environ
    body = answer.get_data()
    first, second = _halved(body) if kind in _MIDWAY else _UNSEEN
    unsent = _head(answer) + first + second if is_named and kind in _MIDWAY else b""
    finder: Finder = Named(environ) if is_named else Search(environ, turn)
    way = _Way(finder, finder.pieces(first, second), unsent, kind)
    answer.headers["Content-Length"] = str(max(len(body), len(first + second) + 1))
    return flask.Response(way, answer.status, answer.headers, direct_passthrough=True)


class _Way:
    """The body of an answer whose connection is broken on the way: its last piece is the break.

    `unsent` is what the server has not written, and the client shall get all the same.
    """

    def __init__(
        self, finder: Finder, pieces: Iterator[bytes], unsent: bytes, kind: FaultKind
    ) -> None:
        self._finder, self._pieces, self._unsent, self._kind = finder, pieces, unsent, kind
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
        """Let go of what the search holds, if nobody saw it through."""
        if not self._is_over:
            self._is_over = True
            self._finder.end()

    __del__ = close

    def _break(self) -> None:
        try:
            with self._finder.found() as connection:
                connection.send(self._unsent)
                _end(connection, self._kind)
        except NoConnectionError as error:
            _LOG.warning("the fault '%s' could not be had: %s", self._kind.value, error)
        finally:
            self.close()


def _end(connection: Connection, kind: FaultKind) -> None:
    """End a connection, once what should arrive has arrived."""
    if kind in _MIDWAY:
        connection.flush()
    if kind in _RESET:
        connection.reset()


def _halved(body: bytes) -> tuple[bytes, bytes]:
    """Take the first half of a body, in two pieces that differ in length."""
    half = body[: len(body) // 2]
    cut = len(half) // 2 + 1
    return half[:cut], half[cut:]


def _head(answer: flask.Response) -> bytes:
    lines = [f"HTTP/1.1 {answer.status}", *(f"{n}: {v}" for n, v in answer.headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")
