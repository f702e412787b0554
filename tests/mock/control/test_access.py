"""Who may use the control plane."""

from __future__ import annotations

import hmac
import http.client
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from support.serving import PROGRAM, Serve
from support.waiting import await_condition
from vimmerse_contracts.vocabulary import CONTROL_HEADER, CONTROL_ROOT
from vimmerse_mock.account.account import RemoteMock
from vimmerse_mock.app import create_mock
from vimmerse_mock.control import access
from vimmerse_mock.delivery import Allowlist
from vimmerse_mock.errors import ServeError, TokenMissingError
from vimmerse_mock.model.account import Opening
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
    own = {"Origin": f"http://{host}{port}", "Sec-Fetch-Site": "same-origin"}
    assert ask(server, {"Host": host + port, **own})[0] == 200


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
        "http://127.0.0.1:3000",
        "http://localhost",
        "https://127.0.0.1",
        "http://127.0.0.1.",
    ],
)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_what_a_web_page_posts_is_refused(server: MockServer, origin: str, kind: str) -> None:
    """A cross-site post that needs no permission from the browser opens no account."""
    before = server.mock.courier.store.customers()
    headers = {"Host": "127.0.0.1", "Origin": origin, "Content-Type": kind, CONTROL_HEADER: "1"}
    path = f"{CONTROL_ROOT}/accounts"
    assert ask(server, headers, "POST", b"{}", path) == (403, "ForeignOriginError")
    assert server.mock.courier.store.customers() == before


@pytest.mark.parametrize("site", ["cross-site", "same-site", "CROSS-SITE", "nonsense"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_a_browser_says_another_page_asked_for_is_refused(
    server: MockServer, method: str, site: str
) -> None:
    """Also where it sends no `Origin`: for an image, a link or a form that reads."""
    headers = {"Host": "127.0.0.1", "Sec-Fetch-Site": site, CONTROL_HEADER: "1"}
    refused = ask(server, headers, method, b"{}", f"{CONTROL_ROOT}/accounts")
    assert refused == (403, "ForeignOriginError")


def test_who_types_the_address_into_a_browser_may_read(server: MockServer) -> None:
    """That is no page of another origin."""
    assert ask(server, {"Host": "127.0.0.1", "Sec-Fetch-Site": "none"})[0] == 200


@pytest.mark.parametrize(
    "header",
    ["Forwarded", "Via", "X-Real-IP", "X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Host"],
)
def test_what_a_proxy_passes_on_is_nobodys_of_this_machine(server: MockServer, header: str) -> None:
    """Though it comes from the loopback, with a Host that the proxy wrote."""
    headers = {"Host": urlsplit(server.url).netloc, header: "for=10.0.0.1"}
    assert ask(server, headers) == (403, "ForeignOriginError")


def test_a_proxy_that_says_nothing_of_itself_speaks_http_1_0(server: MockServer) -> None:
    """As nginx does by `proxy_pass` alone, with a Host that is the mock's own."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), 60) as connection:
        connection.sendall(
            f"GET {CONTROL_ROOT}/accounts HTTP/1.0\r\nHost: {address.netloc}\r\n\r\n".encode()
        )
        assert connection.recv(12).endswith(b" 403")


@pytest.mark.parametrize(
    "kind",
    ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_changes_something_needs_a_header_that_no_webhook_and_no_form_has(
    server: MockServer, kind: str, method: str
) -> None:
    """No content type stands for it; with it, or with the token, the operation is looked for."""
    path = f"{CONTROL_ROOT}/accounts/nobody/clock/next"
    plain = {"Host": "127.0.0.1", "Content-Type": kind, "Authorization": "Basic YTpi"}
    assert ask(server, plain, method, b"{}", path) == (403, "ForeignOriginError")
    token = {"Authorization": f"Bearer {server.admin_token}"}
    for headers in ({CONTROL_HEADER: "1"}, token):
        assert ask(server, {**plain, **headers}, method, b"{}", path)[0] in (404, 405)


def test_a_server_that_others_reach_asks_for_a_token_that_is_made_up() -> None:
    """Also this machine's programs; as an attribute the token is there, and it is no other's."""
    with MockServer(host="0.0.0.0") as open_server:  # noqa: S104 - what is tested
        port = open_server.url.rpartition(":")[2]
        url = f"http://127.0.0.1:{port}"
        with pytest.raises(TokenMissingError):
            RemoteMock(url).open_account()
        assert RemoteMock(url, open_server.admin_token).open_account().credits == 100_000
        assert open_server.account.credits == 100_000
        with MockServer(host="0.0.0.0") as other:  # noqa: S104 - as above
            assert open_server.admin_token != other.admin_token


def test_a_mock_that_calls_what_is_nearby_is_not_served_to_others() -> None:
    """One that names its receivers is."""
    with pytest.raises(ServeError, match="allowlist=Allowlist"):
        MockServer(create_mock(), host="0.0.0.0")  # noqa: S104 - what is tested
    mock = create_mock(allowlist=Allowlist(("hooks.example.com",), local=False))
    MockServer(mock, host="0.0.0.0").stop()  # noqa: S104 - as above


@pytest.mark.parametrize(
    ("served", "status"),
    [
        ({}, 200),
        ({"REMOTE_ADDR": "192.168.0.7"}, 403),
        ({"REMOTE_ADDR": ""}, 403),
        ({"SERVER_NAME": "0.0.0.0"}, 401),  # noqa: S104 - what is tested
        ({"SERVER_NAME": "mock.example"}, 401),
        ({"HTTP_HOST": "mock.example"}, 403),
        ({"HTTP_X_FORWARDED_FOR": "10.0.0.1"}, 403),
        ({"SERVER_PROTOCOL": "HTTP/1.0"}, 403),
    ],
)
def test_the_rule_is_the_same_under_any_wsgi_server(served: dict[str, str], status: int) -> None:
    """It goes by the peer, the address that listens, and the Host; the mock's token opens it."""
    mock = create_mock()
    api = mock.app.test_client()
    environ = {"SERVER_NAME": "127.0.0.1", "HTTP_HOST": "127.0.0.1", **served}
    ours = {"SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", **environ}
    assert api.get(CONTROL_ROOT, environ_overrides=ours).status_code == status
    bearer = {"Authorization": f"Bearer {mock.admin_token}"}
    assert api.get(CONTROL_ROOT, environ_overrides=ours, headers=bearer).status_code == 200
    mock.close()


def test_behind_a_proxy_elsewhere_serve_asks_for_a_token(tmp_path: Path) -> None:
    """Its public URL says so, whatever it listens on."""
    with Serve(tmp_path, "--public-url", "https://mock.example") as serve:
        assert requests.get(serve.await_url() + CONTROL_ROOT, timeout=60).status_code == 401


def test_a_token_comes_from_a_file_and_stands_on_no_command_line(tmp_path: Path) -> None:
    """Of `serve` and of the commands; on a command line it works, with a warning."""
    file, empty = tmp_path / "token", tmp_path / "empty"
    file.write_text(f"{TOKEN}\n")
    empty.touch()

    def list_webhooks(*options: str | Path) -> tuple[int, str]:
        command = [PROGRAM, "webhooks", "list", "--admin-url", url, *options]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        return ran.returncode, ran.stderr

    with Serve(tmp_path, "--admin-token-file", str(file)) as serve:
        url = serve.await_url()
        code, said = list_webhooks("--admin-token-file", file)
        assert (code, "process list" in said) == (0, False)
        code, said = list_webhooks("--admin-token", TOKEN)
        assert (code, "process list" in said) == (0, True)
        code, said = list_webhooks("--admin-token-file", empty)
        assert (code, "is empty" in said) == (2, True)
        assert list_webhooks()[0] == 2
    assert TOKEN not in (tmp_path / "serve.log").read_text()


def test_a_webhook_into_the_control_plane_changes_nothing(server: MockServer) -> None:
    """An API key alone turns no other account's secret and moves no other account's clock."""
    victim, other = (server.open_account(Opening(clock="manual")) for _ in range(2))
    secret, then = victim.rotate_webhook_secret(), victim.clock.now()
    for path in ("webhook_settings/secrets", "clock/next"):
        url = f"{server.url}{CONTROL_ROOT}/accounts/{victim.customer_id}/{path}"
        form = {"image_urls": "http://images.example/1.jpg", "webhook_url": url}
        created = requests.post(
            f"{server.url}/batch", headers={"X-Api-Key": other.key}, data=form, timeout=60
        )
        assert created.status_code == 200
    other.clock.advance(3600)
    assert all(a.error.startswith("RefusedReceiver") for w in other.outbox for a in w.attempts)
    assert (victim.webhook_settings.secrets, victim.clock.now()) == ((secret,), then)


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
    assert TOKEN not in f"{kept} {caplog.text} {access.Access.by(TOKEN)!r}"


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
def test_a_mock_beyond_the_loopback_asks_for_a_token(
    tmp_path: Path, options: tuple[str, ...], expected: str
) -> None:
    """One that is made up is printed, once; one that was given is not; none and another are 401."""
    said = tmp_path / "serve.log"
    with Serve(tmp_path, *options) as serve:
        url = serve.await_url()
        await_condition(lambda: "token: " in said.read_text(), "the token is printed")
        printed = re.search(r"token: (\S+)", said.read_text())
        assert printed is not None
        token = expected or printed[1]
        assert len(token) >= 20
        where = url + CONTROL_ROOT
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer guessed"}, 401),
            ({"Authorization": f"Bearer {token}"}, 200),
        ):
            assert requests.get(where, headers=headers, timeout=60).status_code == status
    assert said.read_text().count(token) == (0 if expected else 1)
