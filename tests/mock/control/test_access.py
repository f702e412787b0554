"""Who may use the control plane."""

from __future__ import annotations

import hmac
import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from support.serving import Serve
from support.waiting import await_condition
from vimmerse_contracts.vocabulary import CONTROL_ROOT
from vimmerse_mock.account.account import RemoteMock
from vimmerse_mock.app import create_mock
from vimmerse_mock.control import access
from vimmerse_mock.errors import TokenMissingError
from vimmerse_mock.server import MockServer
from vimmerse_mock.stores import UNAUTHENTICATED

TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    """A server on the loopback without a token."""
    with MockServer() as server:
        yield server


@pytest.fixture
def guarded() -> Iterator[MockServer]:
    """A server that asks for a token."""
    with MockServer(create_mock(admin_token=TOKEN)) as server:
        yield server


def ask(
    server: MockServer,
    headers: dict[str, str],
    method: str = "GET",
    body: bytes = b"",
    path: str = CONTROL_ROOT,
) -> tuple[int, str]:
    """Send exactly these headers; return status and the word of a refusal."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    said = json.loads(answer.read())
    connection.close()
    return answer.status, said.get("error", "")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost", "[::1]", "127.1.2.3"])
@pytest.mark.parametrize("port", ["", ":80", ":8765"])
def test_names_of_the_loopback_pass(server: MockServer, host: str, port: str) -> None:
    """This machine's programs reach it by whatever name and port leads here."""
    assert ask(server, {"Host": host + port})[0] == 200
    if "[" not in host or port:
        origin = f"http://{host}{port}"
        assert ask(server, {"Host": "127.0.0.1", "Origin": origin})[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8765",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "10.0.0.1",
        "[::2]",
        "[",
        "",
    ],
)
def test_a_name_that_was_bound_to_the_loopback_is_refused(server: MockServer, host: str) -> None:
    """A web page that rebinds its own name to 127.0.0.1 is not answered."""
    assert ask(server, {"Host": host}) == (403, "ForeignOriginError")


def test_a_request_without_a_host_is_refused(server: MockServer) -> None:
    """Nothing says that it came by a name of the loopback."""
    assert ask(server, {}) == (403, "ForeignOriginError")


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://localhost.evil.example",
        "null",
        "",
        "file://",
        "localhost",
        "[",
    ],
)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_what_a_web_page_posts_is_refused(server: MockServer, origin: str, kind: str) -> None:
    """A cross-site post that needs no permission from the browser opens no account."""
    before = server.mock.courier.store.customers()
    headers = {"Host": "127.0.0.1", "Origin": origin, "Content-Type": kind}
    path = f"{CONTROL_ROOT}/accounts"
    assert ask(server, headers, "POST", b"{}", path) == (403, "ForeignOriginError")
    assert server.mock.courier.store.customers() == before


def test_a_refusal_says_what_to_do(server: MockServer) -> None:
    """Both sentences name what was wrong; neither repeats what was sent."""
    url = server.url + CONTROL_ROOT
    host = requests.get(url, headers={"Host": "evil.example"}, timeout=60).json()["message"]
    origin = requests.get(url, headers={"Origin": "http://evil.example"}, timeout=60)
    assert "--admin-token" in host
    assert "web pages of another origin" in origin.json()["message"]
    assert "evil" not in host + origin.text


def test_the_public_api_asks_for_neither(server: MockServer) -> None:
    """Any Host and Origin reach the API, whose key is its own protection."""
    headers = {"Host": "mock.example", "Origin": "http://app.example"}
    assert requests.get(f"{server.url}/health", headers=headers, timeout=60).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {TOKEN} ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer tökén",
    ],
)
def test_no_token_and_a_wrong_one_are_401(guarded: MockServer, authorization: str) -> None:
    """Every operation asks for it, also by loopback names, and the sentence says how to send it."""
    headers = {"Host": "127.0.0.1", "Authorization": authorization.strip(" ") or "none"}
    if authorization.endswith(" ") and TOKEN in authorization:
        return  # HTTP itself takes the space off
    for method, path in (("GET", ""), ("POST", "/accounts"), ("GET", "/nowhere")):
        answer = ask(guarded, headers, method, b"{}", CONTROL_ROOT + path)
        assert answer == (401, "TokenMissingError")


def test_the_token_opens_it_from_anywhere(guarded: MockServer) -> None:
    """Whoever has the token needs no name of the loopback."""
    headers = {"Host": "mock.example", "Origin": "http://a", "Authorization": f"Bearer {TOKEN}"}
    assert ask(guarded, headers)[0] == 200


def test_this_process_needs_no_token(guarded: MockServer) -> None:
    """The facade in process works; the one over HTTP needs the token, and says so."""
    assert guarded.account.credits == 100_000
    assert RemoteMock(guarded.url, TOKEN).open_account().credits == 100_000
    with pytest.raises(TokenMissingError, match=r"needs its token.*VIMMERSE_ADMIN_TOKEN"):
        RemoteMock(guarded.url).open_account()


@pytest.mark.parametrize(
    "name", ["vimmerse.in_process", "Vimmerse-In-Process", "vimmerse_in_process"]
)
def test_the_mark_of_this_process_cannot_be_sent(guarded: MockServer, name: str) -> None:
    """No header becomes the mark by which calls within the process are known."""
    headers = {"Host": "127.0.0.1", name: "True"}
    assert ask(guarded, headers)[0] in (400, 401)


def test_the_token_is_in_no_journal_and_no_log(
    guarded: MockServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Not from the control plane, nor from a request to the API that has it by mistake."""
    caplog.set_level("DEBUG")
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    for path in (f"{CONTROL_ROOT}/", "/batch", f"{CONTROL_ROOT}x"):
        requests.post(guarded.url + path, headers=bearer, timeout=60)
        both = {**bearer, "X-Api-Key": guarded.account.key}
        requests.post(guarded.url + path, headers=both, timeout=60)
    store = guarded.mock.courier.store
    kept = [*store.journal(UNAUTHENTICATED), *store.journal(guarded.account.customer_id)]
    assert len(kept) == 4
    assert TOKEN not in f"{kept} {caplog.text} {access.Access(TOKEN)!r}"


def test_the_token_is_compared_in_constant_time(
    guarded: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison is the one that tells nothing by its duration."""
    compared: list[bytes] = []

    def compare(given: bytes, token: bytes) -> bool:
        compared.append(given)
        return hmac.compare_digest(given, token)

    monkeypatch.setattr(access, "hmac", type("Watched", (), {"compare_digest": compare}))
    ask(guarded, {"Host": "127.0.0.1", "Authorization": "Bearer wrong"})
    assert compared == [b"wrong"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [(("--host", "0.0.0.0"), ""), (("--host", "0.0.0.0", "--admin-token", TOKEN), TOKEN)],  # noqa: S104 - beyond the loopback is what is tested
    ids=["made up", "given"],
)
def test_a_mock_beyond_the_loopback_asks_for_the_token_that_it_prints(
    tmp_path: Path, options: tuple[str, ...], expected: str
) -> None:
    """The printed token works, none and another are 401, and the process says it nowhere else."""
    said = tmp_path / "serve.log"
    with Serve(tmp_path, *options) as serve:
        url = serve.await_url()
        await_condition(lambda: "token: " in said.read_text(), "the token is printed")
        printed = re.search(r"token: (\S+)", said.read_text())
        assert printed is not None
        assert not expected or printed[1] == expected
        assert len(printed[1]) >= 20
        where = url + CONTROL_ROOT
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer guessed"}, 401),
            ({"Authorization": f"Bearer {printed[1]}"}, 200),
        ):
            assert requests.get(where, headers=headers, timeout=60).status_code == status
    assert said.read_text().count(printed[1]) == 1
