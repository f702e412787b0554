"""A WSGI application served by waitress from a thread of this process."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

from vimmerse_mock.addresses import resolved, url_of

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from waitress.server import BaseWSGIServer  # imported when a server starts

_THREADS = 8
"""Enough that a webhook receiver may call back while others wait."""


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
        server.trigger.pull_trigger(lambda: _close_all(server))
        thread.join()
        server.trigger.close()
        self._server = self._thread = None


def _close_all(server: BaseWSGIServer) -> None:
    """End the server's loop, from within: it runs as long as its map has anything open.

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
