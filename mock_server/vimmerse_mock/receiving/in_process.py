"""Delivery within the process: webhooks that go to a WSGI application without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from uuid import uuid4

from vimmerse_mock.delivery import Post, Reply, Sender
from vimmerse_mock.delivery.sending import KEPT_BODY
from vimmerse_mock.wsgi import call_wsgi

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

_DOMAIN: Final = "in-process.test"
"""A domain that no name server knows (RFC 2606): outside this process nothing is there."""


class InProcessSender:
    """Delivers to the applications that are mounted on it; everything else to another sender."""

    def __init__(self, otherwise: Sender) -> None:
        self._otherwise = otherwise
        self._apps: dict[str, WSGIApplication] = {}

    def mount(self, app: WSGIApplication) -> str:
        """Give an application a host of its own; returns its base URL."""
        host = f"{uuid4().hex[:12]}.{_DOMAIN}"
        self._apps[host] = app
        return f"http://{host}"

    def unmount(self, url: str) -> None:
        """Forget the application at a URL; one that is not there is no error."""
        self._apps.pop(urlsplit(url).hostname or "", None)

    def send(self, post: Post) -> Reply:
        """POST a webhook."""
        app = self._apps.get(urlsplit(post.url).hostname or "")
        if app is None:
            return self._otherwise.send(post)
        status, headers, body = call_wsgi(app, "POST", post.url, dict(post.headers), post.body)
        return Reply(status, "", tuple(headers), body[:KEPT_BODY])
