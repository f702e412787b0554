"""A front in a thread of this process."""

from __future__ import annotations

import socket
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from vimmerse_mock.serving.front import Front, Patience, run_in_loop
from vimmerse_mock.serving.messages import Answer, Application, Request
from vimmerse_mock.wsgi import resolved, run

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

BODY_BYTES: Final = 256 * 1024 * 1024
"""The largest body of a request, unless its application has a limit of its own."""


class FrontThread:
    """Serves an application; `port` 0 takes a free one."""

    def __init__(
        self,
        application: Application,
        host: str = "127.0.0.1",
        port: int = 0,
        limit: int = BODY_BYTES,
        patience: Patience | None = None,
    ) -> None:
        self._application, self._host, self._port = application, host, port
        self._limit, self._patience = limit, patience
        self._front: Front | None = None
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """The base URL.

        Raises:
            RuntimeError: nothing is being served.
        """
        if self._front is None:
            raise RuntimeError("the server is not running: call start(), or use it in a with block")
        return self._front.url

    def start(self) -> None:
        """Begin to serve; starting twice is no error.

        Raises:
            OSError: the port is taken, or the host is not this machine's.
        """
        if self._front is not None:
            return
        listening = listen(self._host, self._port)
        front, ready = Front(self._application, listening, self._limit, self._patience), Event()
        self._front = front
        self._thread = Thread(
            target=run_in_loop, args=(front, ready.set), name="vimmerse-mock", daemon=True
        )
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Answer what is under way, then stop; stopping twice is no error."""
        if self._front is None or self._thread is None:
            return
        self._front.stop()
        self._thread.join()
        self._front = self._thread = None


class WsgiThread(FrontThread):
    """Serves a WSGI application, which may block as it likes."""

    def __init__(self, app: WSGIApplication, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(WsgiApplication(app), host, port)


class WsgiApplication:
    """Any WSGI application, each request in a thread of the pool."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def refuse(self, request: Request) -> Answer | None:  # noqa: ARG002 - it takes all
        """Refuse nothing."""
        return None

    def owner(self, request: Request) -> str:
        """Give each request a thread of its own."""
        return str(id(request))

    def answer(self, request: Request) -> Answer:
        """Call the application."""
        status, headers, body = run(self._app, request.environ())
        return Answer(status, headers, body, is_head=request.method == "HEAD")


def listen(host: str, port: int) -> socket.socket:
    """Bind an address, and listen there.

    Raises:
        OSError: the port is taken, or the host is not this machine's.
    """
    address = resolved(host)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=2048)
