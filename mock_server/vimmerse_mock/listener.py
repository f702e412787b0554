"""A real HTTP listener for webhooks, with an inbox of its own for each test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from vimmerse_mock.answers import Answer
from vimmerse_mock.in_process import InProcessSender
from vimmerse_mock.inbox import Inbox, Source
from vimmerse_mock.wsgi_thread import WsgiThread

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_NOBODY: Final = Answer(404)


class Listener:
    """Listens on the loopback, and receives what it has an inbox for.

    `port` 0 takes a free one.
    """

    def __init__(self, port: int = 0) -> None:
        self._thread = WsgiThread(self._app, port=port)
        self._inboxes: dict[str, Inbox] = {}

    def start(self) -> None:
        """Begin to listen; starting twice is no error."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        for inbox in self._inboxes.values():
            inbox.close()
        self._thread.stop()

    def open_inbox(
        self, source: Source | None = None, sender: InProcessSender | None = None
    ) -> Inbox:
        """Open an inbox with a URL that nothing was delivered to yet; starts to listen.

        Expectations of the inbox move the source's clock. With a sender, `deliver_to` needs no
        socket.
        """
        self.start()
        name = uuid4().hex
        self._inboxes[name] = Inbox(f"{self._thread.url}/{name}", source, sender)
        return self._inboxes[name]

    def close_inbox(self, inbox: Inbox) -> None:
        """Forget an inbox."""
        inbox.close()
        self._inboxes = {name: each for name, each in self._inboxes.items() if each is not inbox}

    def _app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        name, _, path = environ["PATH_INFO"].removeprefix("/").partition("/")
        inbox = self._inboxes.get(name)
        if inbox is None:
            environ["wsgi.input"].read()
            return _NOBODY.write(start_response)
        return inbox.app({**environ, "PATH_INFO": f"/{path}"}, start_response)
