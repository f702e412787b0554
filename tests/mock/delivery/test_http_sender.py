from __future__ import annotations

import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import trustme

from support.sockets import answering, read_request
from vimmerse_mock.delivery import Allowlist, HttpSender, Post, Reply, Sender
from vimmerse_mock.delivery.sending import KEPT_BODY, post_of
from vimmerse_mock.interception import RequestsSender
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.receiving.inbox import Listener
from vimmerse_mock.serving.thread import WsgiThread

BODY = {"customer_id": "c", "batch_id": "b", "status": "success"}


def post(url: str) -> Post:
    """A webhook to a URL."""
    return post_of(Message("msg_1", "c", "b", 1, url, "success", 0), (), 0)


@contextmanager
def served(app: Callable[[WSGIEnvironment, StartResponse], list[bytes]]) -> Iterator[str]:
    """Serve a receiver of one's own; give its URL."""
    thread = WsgiThread(app)
    thread.start()
    yield thread.url
    thread.stop()


def test_what_is_posted_arrives_as_it_was_made(listener: Listener) -> None:
    """Body and headers are those that the log has, down to the length."""
    inbox = listener.open_inbox()
    made = post(inbox.url)
    assert HttpSender().send(made).status == 200
    (webhook,) = inbox.received
    assert webhook.body == BODY
    sent = {name.title(): value for name, value in made.headers}
    assert {name: webhook.headers.get(name) for name in sent if name != "Content-Length"} == {
        name: value for name, value in sent.items() if name != "Content-Length"
    }
    assert sent["Content-Length"] == str(len(made.body))


def test_a_redirect_is_not_followed() -> None:
    """A 302 is the reply, and the place it points to is never asked."""
    asked: list[str] = []

    def redirect(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        asked.append(environ["PATH_INFO"])
        start("302 Found", [("Location", "/elsewhere"), ("Content-Length", "0")])
        return []

    with served(redirect) as url:
        reply = HttpSender().send(post(url + "/hook"))
    assert reply.status == 302
    assert ("Location", "/elsewhere") in reply.headers
    assert asked == ["/hook"]


def test_of_a_long_answer_the_beginning_is_read() -> None:
    """The first four kilobytes of a body are kept, and no more is read."""

    def talkative(_environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"x" * 10_000] * 100

    with served(talkative) as url:
        reply = HttpSender().send(post(url))
    assert reply.status == 200
    assert reply.body == b"x" * KEPT_BODY


def test_an_answer_that_breaks_off_after_its_status_counts() -> None:
    """The status was there in time, and as much of the body as came is kept."""

    def break_off(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")

    with answering(break_off) as port:
        reply = HttpSender().send(post(f"http://127.0.0.1:{port}/"))
    assert (reply.status, reply.body, reply.error) == (200, b"abc", "")


@pytest.mark.parametrize("sender", [HttpSender(), RequestsSender()])
def test_informational_answers_are_passed_over(sender: Sender) -> None:
    """100, 102 and 103 come before the answer, as often as a receiver likes; 101 is an answer."""

    def hinting(connection: socket.socket) -> None:
        read_request(connection)
        hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
        connection.sendall(hint + hint + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def switching(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")

    with answering(hinting) as port:
        reply = sender.send(post(f"http://127.0.0.1:{port}/"))
    assert (reply.status, reply.body, reply.error) == (200, b"ok", "")
    with answering(switching) as port:
        assert sender.send(post(f"http://127.0.0.1:{port}/")).status == 101


def test_a_refused_connection_is_a_reply_with_its_reason() -> None:
    """Nobody listening is no exception."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        reply = HttpSender().send(post(f"http://127.0.0.1:{unused.getsockname()[1]}/"))
    assert reply.status is None
    assert "ConnectionRefusedError" in reply.error


def test_a_proxy_never_gets_between_the_mock_and_loopback(
    monkeypatch: pytest.MonkeyPatch, listener: Listener
) -> None:
    """With HTTP_PROXY set to nowhere, a listener on loopback is still reached."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    inbox = listener.open_inbox()
    assert HttpSender().send(post(inbox.url)).status == 200
    assert inbox.received[0].body == BODY


def test_a_receiver_that_drips_does_not_get_more_than_its_time() -> None:
    """The timeout is for the whole answer: a byte now and then does not prolong it."""
    stop = Event()

    def drip(connection: socket.socket) -> None:
        while not stop.wait(0.05):
            connection.sendall(b"H")

    with answering(drip) as port:
        reply = HttpSender(timeout=0.3).send(post(f"http://127.0.0.1:{port}/"))
        stop.set()
    assert reply == Reply(None, "TimeoutError: no answer within 0.3 s")


def test_a_name_that_takes_too_long_to_resolve_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Looking up a name counts into the time that an attempt has."""
    stop = Event()

    def hang(*_args: object, **_kwargs: object) -> list[object]:
        stop.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    reply = HttpSender(timeout=0.2).send(post("http://receiver.example/"))
    stop.set()
    assert reply == Reply(None, "TimeoutError: no answer within 0.2 s")


def test_a_login_in_the_url_is_sent_as_one(listener: Listener) -> None:
    """`http://user:password@host/` becomes basic authentication, and netrc is not asked."""
    inbox = listener.open_inbox()
    HttpSender().send(post(inbox.url.replace("http://", "http://me:p%40ss@")))
    HttpSender().send(post(inbox.url))
    first, second = inbox.received
    assert first.headers["Authorization"] == "Basic " + b64encode(b"me:p@ss").decode()
    assert "Authorization" not in second.headers
    assert "@" not in first.headers["Host"]


@pytest.mark.parametrize(
    "url", ["http://bücher.invalid/ü?ö=ß", "http://" + "a" * 64 + ".invalid/", "gopher://h/"]
)
def test_a_url_that_leads_nowhere_is_a_reply_too(url: str) -> None:
    """Whatever is wrong with a URL, the sender does not raise."""
    reply = HttpSender(allowlist=Allowlist(("*",))).send(Post(url, (), b"{}"))
    assert reply.status is None
    assert reply.error


def test_a_path_in_another_alphabet_is_written_as_urls_are() -> None:
    """Non-ASCII text of a path and a query arrives percent-encoded as UTF-8."""
    asked: list[str] = []

    def note(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        path = environ["PATH_INFO"].encode("latin-1").decode()
        asked.append(f"{path}?{environ['QUERY_STRING']}")
        start("204 No Content", [])
        return []

    with served(note) as url:
        assert HttpSender().send(post(f"{url}/hü?a=ö&b=%20")).status == 204
    assert asked == ["/hü?a=%C3%B6&b=%20"]


class TestOverTls:
    """The name is verified, and the address is the one that was checked."""

    @pytest.fixture
    def authority(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
        """A certificate authority that this process trusts."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        return authority

    def _reply(
        self, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, certified: str
    ) -> tuple[Reply, list[str]]:
        """Send to receiver.example, which resolves to a server certified for a name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(certified).configure_cert(context)
        asked: list[str] = []

        def resolve(host: str, port: int, **_kwargs: object) -> list[object]:
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        def answer(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as secure:
                read_request(secure)
                secure.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        with answering(answer) as port:
            monkeypatch.setattr(socket, "getaddrinfo", resolve)
            reply = HttpSender().send(post(f"https://receiver.example:{port}/hook"))
            monkeypatch.undo()
        return reply, asked

    def test_a_certificate_for_the_name_is_fine(
        self, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The connection goes to the address, verified for the name, which is resolved once."""
        reply, asked = self._reply(authority, monkeypatch, "receiver.example")
        assert (reply.status, reply.error) == (204, "")
        assert asked == ["receiver.example"]

    def test_a_certificate_for_another_name_is_refused(
        self, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A server that cannot prove to be the name gets nothing."""
        reply, _ = self._reply(authority, monkeypatch, "another.example")
        assert reply.status is None
        assert "certificate" in reply.error.lower()
