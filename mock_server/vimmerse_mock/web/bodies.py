"""What is left of a request's body when it is answered early."""

from __future__ import annotations

from typing import Final

import flask

from vimmerse_mock.marks import BROKEN

_PIECE_BYTES: Final = 65_536
_WAITRESS: Final = "waitress.client_disconnected"


def finish_reading(response: flask.Response, limit: int) -> flask.Response:
    """Read what was answered without being read, up to `limit` bytes.

    Whoever is refused for the key, or for a store that is away, may still be sending. granian would
    close such a connection after the answer without a word, and the client's next request with it.
    waitress reads every request to its end by itself, and lets nobody speak of connections.
    """
    environ, left = flask.request.environ, limit
    if not environ.get("wsgi.input_terminated") or BROKEN in environ or _WAITRESS in environ:
        return response  # without an end of its own to read to, or without a connection
    body = environ["wsgi.input"]
    while left > 0 and (piece := body.read(min(left, _PIECE_BYTES))):
        left -= len(piece)
    if left <= 0:
        response.headers["Connection"] = "close"
    return response
