from __future__ import annotations

import gzip
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

from vimmerse_mock.receiving.forwarding import Forwarder
from vimmerse_mock.serving.thread import WsgiThread
from vimmerse_mock.wsgi import call_wsgi

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

BODY = gzip.compress(b'{"status": "success"}')


@pytest.mark.parametrize("answered", ["gzip", "identity"])
def test_a_compressed_body_is_forwarded_as_what_it_is(answered: str) -> None:
    """Bytes and Content-Encoding go together on the way there; the answer comes back decoded."""
    seen: list[tuple[str, bytes]] = []

    def receive(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        seen.append((environ["HTTP_CONTENT_ENCODING"], environ["wsgi.input"].read()))
        body = gzip.compress(b"taken") if answered == "gzip" else b"taken"
        start("200 OK", [("Content-Encoding", answered), ("Content-Length", str(len(body)))])
        return [body]

    thread = WsgiThread(receive)
    thread.start()
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    status, back, body = call_wsgi(Forwarder(thread.url), "POST", "http://x/", headers, BODY)
    thread.stop()
    assert seen == [("gzip", BODY)]
    assert (status, body) == (200, b"taken")
    assert "content-encoding" not in {name.lower() for name, _ in back}
