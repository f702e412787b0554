"""Delivery within the process: webhooks that go to a WSGI application without a socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from uuid import uuid4

from vimmerse_mock.delivery import Reply, Sender
from vimmerse_mock.wsgi_call import call_wsgi

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

    def send(self, url: str, body: Mapping[str, str]) -> Reply:
        """POST a JSON body."""
        app = self._apps.get(urlsplit(url).hostname or "")
        if app is None:
            return self._otherwise.send(url, body)
        content = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "vimmerse-mock"}
        status, _, _ = call_wsgi(app, "POST", url, headers, content)
        return Reply(status)
