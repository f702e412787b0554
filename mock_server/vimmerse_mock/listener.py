"""A real HTTP listener for webhooks, with an inbox of its own for each test."""

from __future__ import annotations

import json
from collections.abc import Iterable
from threading import Condition
from typing import TYPE_CHECKING
from uuid import uuid4

from vimmerse_contracts.target import ReceivedWebhook
from vimmerse_mock.wsgi_thread import WsgiThread

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


class Inbox:
    """What was delivered to one URL."""

    def __init__(self, url: str, arrival: Condition) -> None:
        self.url = url
        self._arrival = arrival
        self._received: list[ReceivedWebhook] = []

    @property
    def received(self) -> tuple[ReceivedWebhook, ...]:
        """Everything so far, oldest first."""
        return tuple(self._received)

    def wait_for(self, count: int, within: float = 5.0) -> tuple[ReceivedWebhook, ...]:
        """Wait until at least `count` have arrived, for at most `within` real seconds.

        Raises:
            AssertionError: fewer arrived; it says which.
        """
        with self._arrival:
            if self._arrival.wait_for(lambda: len(self._received) >= count, within):
                return self.received
        raise AssertionError(
            f"expected {count} webhooks at {self.url} within {within} s, "
            f"got {len(self._received)}: {[webhook.body for webhook in self._received]}"
        )

    def take(self, webhook: ReceivedWebhook) -> None:
        """Put a webhook in."""
        with self._arrival:
            self._received.append(webhook)
            self._arrival.notify_all()


class Listener:
    """Listens on the loopback, and answers 200 to what it has an inbox for.

    `port` 0 takes a free one.
    """

    def __init__(self, port: int = 0) -> None:
        self._thread = WsgiThread(self._app, port=port)
        self._arrival = Condition()
        self._inboxes: dict[str, Inbox] = {}

    def start(self) -> None:
        """Begin to listen; starting twice is no error."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._thread.stop()

    def open_inbox(self) -> Inbox:
        """Open an inbox with a URL that nothing was delivered to yet; starts to listen."""
        self.start()
        path = f"/{uuid4()}"
        self._inboxes[path] = Inbox(self._thread.url + path, self._arrival)
        return self._inboxes[path]

    def close_inbox(self, inbox: Inbox) -> None:
        """Forget an inbox."""
        self._inboxes.pop(inbox.url.removeprefix(self._thread.url), None)

    def _app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        inbox = self._inboxes.get(environ["PATH_INFO"])
        body = environ["wsgi.input"].read()
        if inbox is None:
            start_response("404 Not Found", [("Content-Length", "0")])
            return []
        inbox.take(ReceivedWebhook(_headers(environ), _parsed(body)))
        start_response("200 OK", [("Content-Length", "0")])
        return []


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    named = {
        name.removeprefix("HTTP_"): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name == "CONTENT_TYPE"
    }
    return {name.replace("_", "-").title(): value for name, value in named.items()}


def _parsed(body: bytes) -> object:
    """Return the JSON value, or the text where it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
