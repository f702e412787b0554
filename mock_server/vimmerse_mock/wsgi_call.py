"""Calling a WSGI application in process, as a server would."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from io import BytesIO
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from werkzeug.test import run_wsgi_app

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication, WSGIEnvironment

_PORTS: Final = {"http": 80, "https": 443}
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def call_wsgi(
    app: WSGIApplication,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    marks: Mapping[str, Any] = _NOTHING,
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Send a request to an application; return status, headers and body.

    `marks` are put into the environ as they are.
    """
    environ = environ_of(method, url, headers, body)
    environ.update(marks)
    chunks, status, answered = run_wsgi_app(app, environ, buffered=True)
    return int(status.split(" ", 1)[0]), list(answered), b"".join(chunks)


def environ_of(method: str, url: str, headers: Mapping[str, str], body: bytes) -> WSGIEnvironment:
    """Make the environ of a request."""
    parts = urlsplit(url)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(parts.path or "/", "latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname,
        "SERVER_PORT": str(parts.port or _PORTS[parts.scheme]),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": parts.netloc,
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_CONTENT_LENGTH", None)
    return environ
