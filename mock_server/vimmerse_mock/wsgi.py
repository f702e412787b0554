"""WSGI: the environ of a request, calling an application with it, and names of addresses."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable, Mapping
from io import BytesIO
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from werkzeug.test import run_wsgi_app

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication, WSGIEnvironment

_PORTS: Final = {"http": 80, "https": 443}
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def resolved(host: str) -> str:
    """Return one numeric address of a host, an IPv4 one where there is any.

    Raises:
        OSError: the host has no address, or no name.
    """
    if not host:
        raise OSError("no host is given")
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    family, _, _, _, address = min(found, key=lambda each: each[0] is not socket.AF_INET)
    return str(address[0]) if family in (socket.AF_INET, socket.AF_INET6) else host


def url_of(host: str, port: int) -> str:
    """Write the URL of an address; a numeric IPv6 address goes into brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def environ_of(
    method: str,
    url: str,
    headers: Iterable[tuple[str, str]],
    body: IO[bytes],
    length: int,
    peer: str = "127.0.0.1",
    protocol: str = "HTTP/1.1",
) -> WSGIEnvironment:
    """Make the environ of a request; nothing of this process's own environment is in it.

    A header whose name has an underscore is left out: `X_Api_Key` is not `X-Api-Key`.
    """
    parts = urlsplit(url)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(parts.path or "/", "latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname or "",
        "SERVER_PORT": str(parts.port or _PORTS[parts.scheme]),
        "SERVER_PROTOCOL": protocol,
        "REMOTE_ADDR": peer,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers:
        key = "HTTP_" + name.upper().replace("-", "_")
        if "_" in name:
            continue
        environ[key] = f"{environ[key]}, {value}" if key in environ else value
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    environ["CONTENT_LENGTH"] = str(length)
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ


def call_wsgi(
    app: WSGIApplication,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    extra: Mapping[str, Any] = _NOTHING,
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Send a request to an application; return status, headers and body.

    `extra` goes into the environ as it is.
    """
    environ = environ_of(method, url, headers.items(), BytesIO(body), len(body))
    environ.setdefault("HTTP_HOST", urlsplit(url).netloc)
    return run(app, environ | dict(extra))


def run(app: WSGIApplication, environ: WSGIEnvironment) -> tuple[int, list[tuple[str, str]], bytes]:
    """Call an application; return status, headers and body."""
    chunks, status, answered = run_wsgi_app(app, environ, buffered=True)
    return int(status.split(" ", 1)[0]), list(answered), b"".join(chunks)
