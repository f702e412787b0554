from __future__ import annotations

from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

from support.serving import Serve
from support.waiting import pause

FORM = b"image_urls=http%3A%2F%2Fimages.example%2F1.jpg"


def test_a_connection_outlives_an_early_refusal(tmp_path: Path) -> None:
    """Refused before its form has arrived, a client can still send the next request."""
    with Serve(tmp_path) as serve:
        address = serve.await_url().removeprefix("http://")
        with closing(HTTPConnection(address, timeout=60)) as connection:
            connection.putrequest("POST", "/batch")
            connection.putheader("X-Api-Key", "wrong")
            connection.putheader("Content-Type", "application/x-www-form-urlencoded")
            connection.putheader("Content-Length", str(len(FORM)))
            connection.endheaders()
            pause(0.2)  # the refusal must be decided, which nothing outside can see
            connection.send(FORM)
            with connection.getresponse() as refusal:
                assert refusal.status == 401
                assert refusal.read() == b'{"message":"UNAUTHORIZED"}'
            same = connection.sock
            connection.request("GET", "/health")
            assert connection.getresponse().status == 200
            assert connection.sock is same
