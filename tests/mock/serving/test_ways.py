"""However the mock is served, odd requests are answered alike; the environment is no request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Final

import pytest
import requests

from support.serving import Serve
from vimmerse_contracts.vocabulary import PRODUCTION_URL
from vimmerse_mock.interception import intercept
from vimmerse_mock.model.account import SAMPLE_ACCOUNT, Opening
from vimmerse_mock.server import MockServer

KEY: Final = SAMPLE_ACCOUNT.api_key
OPENING: Final = Opening(
    api_key=KEY, customer_id=SAMPLE_ACCOUNT.customer_id, seed="odd", clock="manual"
)
ENVIRONMENT: Final = {
    "HTTP_X_API_KEY": KEY,
    "HTTP_AUTHORIZATION": "Bearer token",
    "HTTP_RANGE": "bytes=0-9",
    "HTTP_HOST": "elsewhere.example",
    "HTTP_TRANSFER_ENCODING": "chunked",
    "CONTENT_TYPE": "application/json",
    "CONTENT_LENGTH": "7",
    "REQUEST_METHOD": "DELETE",
    "PATH_INFO": "/elsewhere",
    "QUERY_STRING": "title=environment",
    "REMOTE_ADDR": "192.0.2.1",
    "SCRIPT_NAME": "/prefix",
    "HTTPS": "on",
}
FORM: Final = "application/x-www-form-urlencoded"
ONE: Final = b"image_urls=http%3A%2F%2Fimages.example%2F1.jpg"
PATHS: Final = (
    *("/health", "/health/", "//health", "/HEALTH", "/health?a=b", "/", "/nothing"),
    *("/batch", "/batch/", "/batch//", "/batch?title=query", "/batch/{id}", "/batch/{id}/"),
    *("/batch/{id}?x=%00", "/batch/not-a-uuid", "/batch/%7B{id}%7D", "/batch/{id}/edit"),
    *("/batch/{id}/concat", "/batch/{id}/concat/", "/batch/%00", "/batch/%ff%fe", "/openapi.json"),
)
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
HEADERS: Final[tuple[Mapping[str, str], ...]] = (
    *({}, {"X_Api_Key": KEY}, {"X-Api_Key": KEY}, {"x-api-key": KEY}, {"X-API-KEY": KEY}),
    *({"X-Api-Key": f"{KEY} "}, {"X-Api-Key": ""}, {"X-Api-Key": f"{KEY}, {KEY}"}),
    *({"X-Api-Key": KEY.lower()}, {"X-Api-Key": "\u00e9\u00df"}, {"Api-Key": KEY}),
    *({"Authorization": f"Bearer {KEY}"}, {"Authorization": KEY}, {"Cookie": f"X-Api-Key={KEY}"}),
    *({"X-Api-Key": KEY, "Range": "bytes=0-1"}, {"X-Api-Key": KEY, "Accept": "text/html"}),
    *({"X-Api-Key": KEY, "X-HTTP-Method-Override": "DELETE"},),
    *({"X-Api-Key": KEY, "If-None-Match": "*"}, {"X-Api-Key": KEY, "Accept-Encoding": "gzip"}),
    *({"X-Api-Key": KEY, "Forwarded": "host=a.example"}, {"X-Api-Key": KEY, "Origin": "null"}),
)
BODIES: Final[tuple[tuple[str, bytes], ...]] = (
    *((FORM, b""), (FORM, ONE), (FORM, ONE + b"&duration=1_0"), (FORM, ONE + b"&loop=%EF%BC%91")),
    *((FORM, ONE + b"&title=%00%ff"), (FORM, ONE + b"&title=a&title=b"), (FORM, b"&&=&" + ONE)),
    *((FORM, b"\xff\x00\xfe"), ("text/plain", ONE), ("", ONE), ("application/json", b"{}")),
    *((f"{FORM}; charset=latin-1", ONE + b"&title=\xe9"), (FORM.upper(), ONE)),
    *(("multipart/form-data", ONE), ("multipart/form-data; boundary=b", b"--b--\r\n")),
    *(("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n"),),
    *(("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name="),),
)
Request = tuple[str, str, Mapping[str, str], bytes]


def odd_requests() -> Iterator[Request]:
    """Yield some two hundred requests: method, path, headers, body."""
    for method, path in product(METHODS, PATHS):
        yield method, path, {"X-Api-Key": KEY, "Content-Type": FORM}, b""
    for headers in HEADERS:
        yield "GET", "/batch/{id}", headers, b""
        yield "POST", "/batch", {"Content-Type": FORM, **headers}, ONE
    for kind, body in BODIES:
        yield "POST", "/batch", {"X-Api-Key": KEY, "Content-Type": kind}, body
        yield "PUT", "/batch/{id}/edit", {"X-Api-Key": KEY, "Content-Type": kind}, body


def answers(base: str) -> list[str]:
    """Send them all to a fresh mock, and describe each with its answer."""
    with requests.Session() as session:
        session.trust_env = False
        sent = {"X-Api-Key": KEY, "Content-Type": FORM}
        made = session.post(f"{base}/batch", headers=sent, data=ONE, timeout=60)
        batch_id = made.json()["data"]["id"]
        return [
            f"{method} {path} {dict(headers)} {body!r}: {_answer(session, base, batch_id, each)}"
            for each in odd_requests()
            for method, path, headers, body in [each]
        ]


def _answer(session: requests.Session, base: str, batch_id: str, odd: Request) -> str:
    method, path, headers, body = odd
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    prepared = session.prepare_request(requests.Request(method, base, headers=sent, data=body))
    prepared.url = base + path.replace("{id}", batch_id)
    answer = session.send(prepared, timeout=60, allow_redirects=False)
    said = {name: answer.headers.get(name, "") for name in ("Content-Type", "Allow", "Location")}
    text = "" if method == "HEAD" else answer.text
    return _neutral(f"{answer.status_code} {said} {text}", base)


def _neutral(text: str, base: str) -> str:
    """Take out what may differ: addresses, and when it was."""
    text = text.replace(f"{base}/files/", "FILES/").replace("https://media.vimmerse.net/", "FILES/")
    text = text.replace(base, "BASE").replace(PRODUCTION_URL, "BASE")
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", "WHEN", text)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that would be a request, were it one."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("environment")
def test_all_ways_of_serving_answer_alike(tmp_path: Path) -> None:
    """`serve`, `MockServer` and `intercept()`, whatever their environment holds."""
    with MockServer(opening=OPENING) as server:
        expected = answers(server.url)
    with Serve(tmp_path, "--id-seed", "odd", "--clock", "manual") as serve:
        assert answers(serve.await_url()) == expected
    with intercept(opening=OPENING):
        assert answers(PRODUCTION_URL) == expected
    assert len(expected) > 200
    assert [each for each in expected if each.startswith("GET /batch/{id} {} b'': 401 ")]


@pytest.mark.usefixtures("environment")
def test_the_environment_opens_no_control_plane(tmp_path: Path) -> None:
    """A token in the environment under a header's name lets nobody in."""
    with Serve(tmp_path, VIMMERSE_MOCK_ADMIN_TOKEN="token") as serve:
        accounts = f"{serve.await_url()}/__admin/accounts"
        assert requests.get(accounts, timeout=60).status_code == 401
        sent = {"Authorization": "Bearer token"}
        assert requests.get(accounts, headers=sent, timeout=60).status_code == 200
