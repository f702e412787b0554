"""WSGI: call an application, serve one in a thread, and name addresses."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from io import BytesIO
from threading import Thread
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from werkzeug.test import run_wsgi_app

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    from waitress.server import BaseWSGIServer  # imported when a server starts

_PORTS: Final = {"http": 80, "https": 443}
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_THREADS: Final = 8
"""Enough that a webhook receiver may call back while others wait."""


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
    environ.update(extra)
    chunks, status, answered = run_wsgi_app(app, environ, buffered=True)
    return int(status.split(" ", 1)[0]), list(answered), b"".join(chunks)


class WsgiThread:
    """Serves an application; `port` 0 takes a free one."""

    def __init__(self, app: WSGIApplication, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app, self._host, self._port = app, host, port
        self._server: BaseWSGIServer | None = None
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """The base URL.

        Raises:
            RuntimeError: nothing is being served.
        """
        if self._server is None:
            raise RuntimeError("the server is not running: call start(), or use it in a with block")
        return url_of(self._server.effective_host, int(self._server.effective_port))

    def start(self) -> None:
        """Begin to serve; starting twice is no error.

        Raises:
            OSError: the port is taken, or the host is not this machine's.
        """
        if self._server is not None:
            return
        import waitress.server  # noqa: PLC0415 - only who serves pays for it

        self._server = waitress.server.create_server(
            self._app,
            host=resolved(self._host),
            port=self._port,
            threads=_THREADS,
            ident="vimmerse-mock",
            clear_untrusted_proxy_headers=True,
        )
        self._thread = Thread(target=self._server.run, name="vimmerse-mock", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer what is under way, then stop; stopping twice is no error."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        server.task_dispatcher.shutdown()
        server.trigger.pull_trigger(lambda: _end_loop(server))
        thread.join()
        server.trigger.close()
        self._server = self._thread = None


def _end_loop(server: BaseWSGIServer) -> None:
    """End the server's loop from within, by closing all that it has: it runs as long as that.

    The trigger is only taken off the map, and closed after the loop: whoever pulled it may still
    be at it. The server's own `close` would close it as well.
    """
    from waitress.wasyncore import dispatcher  # noqa: PLC0415 - only who serves pays for it

    for number, channel in list(server._map.items()):  # noqa: SLF001 - waitress offers no other way
        if channel is server.trigger:
            del server._map[number]  # noqa: SLF001 - as above
        elif channel is server:
            dispatcher.close(channel)
        else:
            channel.close()
