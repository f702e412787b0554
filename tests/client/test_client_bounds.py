"""Whatever answers, and however: each call ends, in time and in memory, with an error of ours."""

from __future__ import annotations

import gzip
import itertools
import json
import socket
import ssl
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import requests
import trustme

from support.sockets import answering, reserved_port
from vimmerse_client import (
    BadRequest,
    Batch,
    Client,
    ConfigurationError,
    InsufficientCredit,
    RateLimited,
    RetryPolicy,
    TransportError,
    UnexpectedResponse,
    VimmerseError,
    WaitTimeout,
)
from vimmerse_client.bodies import read_pieces
from vimmerse_client.transport import MOST_ANSWER_BYTES

if TYPE_CHECKING:
    from client.conftest import FakeApi

KEY = "sk-of-the-test"
ONCE = RetryPolicy(attempts=1)
OK = b"HTTP/1.1 200 OK\r\n"


class Passing:
    """Time that passes a little whenever somebody looks at the clock."""

    def __init__(self, step: float = 0.25) -> None:
        self._ticks = itertools.count(0.0, step)

    def now(self) -> float:
        """Return the monotonic seconds."""
        return next(self._ticks)


def endlessly(*parts: bytes) -> Callable[[socket.socket], None]:
    """Answer with the first parts, and then with the last one for as long as somebody reads."""

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"".join(parts[:-1]))
        while True:
            connection.sendall(parts[-1])

    return answer


ENDLESS = {
    "a body with a length": endlessly(OK, b"Content-Length: 1000000000000\r\n\r\n", b" "),
    "a body without a length": endlessly(OK, b"\r\n", b" "),
    "chunks": endlessly(OK, b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "a chunk's extension": endlessly(OK, b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
    "a refusal's body": endlessly(b"HTTP/1.1 402 No\r\n\r\n", b" "),
    "interim answers": endlessly(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a header": endlessly(OK, b"X: ", b"x"),
    "headers": endlessly(OK, b"X: x\r\n"),
    "a status line": endlessly(b"HTTP/1.1 ", b"2"),
    "gzip of nothing": endlessly(
        OK, b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"", mtime=0)[:10], b"\0\0\0\xff\xff"
    ),
}


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=ENDLESS)
def test_an_endless_answer_ends(answer: Callable[[socket.socket], None]) -> None:
    """Something always comes, so no read times out; the deadline or the bound ends it."""
    with (
        answering(answer) as port,
        Client(KEY, f"http://127.0.0.1:{port}", retry=ONCE, now=Passing().now) as client,
        pytest.raises((TransportError, UnexpectedResponse, InsufficientCredit)) as caught,
    ):
        client.get("b")
    assert caught.value.batch_id == "b"


@pytest.mark.parametrize("name", ["a body with a length", "interim answers", "a status line"])
def test_waiting_ends_at_its_deadline(name: str) -> None:
    """`wait` does not outlast its deadline either."""
    with (
        answering(ENDLESS[name]) as port,
        Client(KEY, f"http://127.0.0.1:{port}", retry=ONCE, now=Passing().now) as client,
        pytest.raises(WaitTimeout),
    ):
        client.wait("b", timeout=3)


def test_a_download_that_drips_ends(tmp_path: Any) -> None:
    """A byte now and then is no download; one that goes on quickly enough is, however long."""
    slowly = endlessly(OK, b"Content-Length: 1000000000000\r\n\r\n", b" ")
    with (
        answering(slowly) as port,
        Client(KEY, f"http://127.0.0.1:{port}", retry=ONCE, now=Passing(9).now) as client,
        pytest.raises(TransportError, match="did not answer in time"),
    ):
        client.download(f"http://127.0.0.1:{port}/v.mp4", tmp_path / "v.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_long_download_has_long(api: FakeApi, tmp_path: Any) -> None:
    """Each 16 KiB earn a second more, so a long video has the time that it takes."""
    video = bytes(16 * 1024 * 600)
    api.raw(video)
    with Client(KEY, api.url, retry=ONCE, now=Passing().now, timeout=10) as client:
        client.download(f"{api.url}/v.mp4", tmp_path / "v.mp4")
    assert (tmp_path / "v.mp4").stat().st_size == len(video)


def test_an_upload_that_stalls_ends() -> None:
    """A server that takes the request by drops keeps nobody beyond the deadline."""

    def swallow(connection: socket.socket) -> None:
        while connection.recv(4096):
            pass

    with (
        answering(swallow) as port,
        Client(KEY, f"http://127.0.0.1:{port}", now=Passing(30).now) as client,
        pytest.raises(TransportError, match="did not answer in time") as caught,
    ):
        client.create([bytes(8_000_000)])
    assert caught.value.may_have_arrived


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_compressed_answers_are_read(
    api: FakeApi, client: Client, batch_id: str, compress: Callable[[bytes], bytes]
) -> None:
    """They are not asked for, but come from some proxies."""
    batch = api.batch()
    content = compress(json.dumps({"data": batch}).encode())
    encoding = "gzip" if compress is gzip.compress else "deflate"
    api.raw(content, headers={"Content-Encoding": encoding})
    client.get("first")
    assert api.seen[0].headers["Accept-Encoding"] == "identity"
    assert client.get(batch_id).id == batch_id


@pytest.mark.parametrize("status", [200, 500])
def test_a_bomb_does_not_go_off(api: FakeApi, client: Client, status: int) -> None:
    """A small answer that decompresses to 60 MB costs a few."""
    zeros = zlib.compressobj(9, wbits=31)
    bomb = b"".join(zeros.compress(bytes(1_000_000)) for _ in range(60)) + zeros.flush()
    api.raw(bomb, status, {"Content-Encoding": "gzip"})
    tracemalloc.start()
    with pytest.raises(VimmerseError, match=f"at most {MOST_ANSWER_BYTES} bytes|500"):
        client.concat("b")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MOST_ANSWER_BYTES


@pytest.mark.parametrize(
    ("headers", "content", "error"),
    [
        ({"Content-Encoding": "br"}, b"x", UnexpectedResponse),
        ({"Content-Encoding": "gzip, gzip"}, b"x", UnexpectedResponse),
        ({"Content-Encoding": "gzip"}, b"no gzip", UnexpectedResponse),
        ({"Content-Encoding": "gzip"}, gzip.compress(bytes(9999), mtime=0)[:-9], TransportError),
    ],
)
def test_bodies_that_cannot_be_decompressed(
    api: FakeApi,
    client: Client,
    headers: dict[str, str],
    content: bytes,
    error: type[VimmerseError],
) -> None:
    """Another encoding than was asked for, or half of one, is an error of ours."""
    api.raw(content, headers=headers)
    with pytest.raises(error):
        client.get("b")


@pytest.mark.parametrize(
    ("body", "status", "headers", "error"),
    [
        (b"[" * 100_000, 200, {}, UnexpectedResponse),
        (b"[" * 100_000, 400, {}, BadRequest),
        (b'{"a":' * 500 + b"1" + b"}" * 500, 200, {}, UnexpectedResponse),
        (b'{"a":' * 500 + b"1" + b"}" * 500, 400, {}, BadRequest),
        (b"1" * 5000, 200, {}, UnexpectedResponse),
        (b"\xff\xfe", 200, {}, UnexpectedResponse),
        (b'{"data": {"id": NaN}}', 200, {}, UnexpectedResponse),
        (b"{}", 302, {"Location": "http://[::1"}, UnexpectedResponse),
        (b"{}", 429, {"Retry-After": "9" * 500}, RateLimited),
        (b"{}", 429, {"Retry-After": "Mon, 01 Jan 2024 00:00:00 +99999999999999999"}, RateLimited),
        (b"{}", 429, {"Retry-After": "Mon, 01 Jan 0001 00:00:00 +2359"}, RateLimited),
        (b'{"detail": 5}', 422, {}, VimmerseError),
        (b'{"detail": [{"loc": {"a": 1}, "msg": 1, "type": []}]}', 422, {}, VimmerseError),
    ],
)
def test_odd_answers_are_errors_of_ours(
    api: FakeApi,
    client: Client,
    body: bytes,
    status: int,
    headers: dict[str, str],
    error: type[VimmerseError],
) -> None:
    """Nothing of Python's own gets out, and the sentence can be written."""
    api.raw(body, status, {"Date": "Mon, 01 Jan 2024 00:00:00 GMT", **headers})
    with pytest.raises(error) as caught:
        client.get("b")
    assert caught.value.batch_id == "b"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\0\0",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 99999 x\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n{}",
        OK + b"Content-Length: -5\r\n\r\n{}",
        OK + b"Content-Length: 2, 3\r\n\r\n{}",
        OK + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}",
        OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n{}",
        OK + b"\xff\xfe: \xff\r\nSet-Cookie: \xff=; expires=x; domain=[::1\r\n\r\n{}",
        OK + b": no name\r\n folded\r\n\r\n{}",
        b"HTTP/1.1 301 x\r\nLocation: \xff\xfe://\r\n\r\n",
        b"HTTP/1.1 401 x\r\nWWW-Authenticate: \xff\r\n\r\n",
        b"HTTP/1.1 204 x\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
    ],
)
def test_what_is_hardly_http_is_an_error_of_ours(answer: bytes, tmp_path: Any) -> None:
    """Reading and downloading end with a `VimmerseError`, or a file of what was sent."""

    def answers(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    with (
        answering(answers) as port,
        Client(KEY, f"http://127.0.0.1:{port}", retry=ONCE) as client,
        pytest.raises(VimmerseError),
    ):
        client.get("b")
    # A redirect to the same server is never answered: it takes one connection.
    once = Client(KEY, "http://127.0.0.1", retry=ONCE, timeout=1)
    with answering(answers) as port, once as client:
        with suppress(VimmerseError):
            client.download(f"http://127.0.0.1:{port}/v", tmp_path / "v")
        assert [path.name for path in tmp_path.iterdir()] in ([], ["v"])


@pytest.mark.parametrize("odd", [None, 5, b"id", ["id"], "\ud800", "", ".."])
def test_what_is_no_id_is_refused(api: FakeApi, client: Client, odd: Any) -> None:
    """Nothing is sent."""
    for call in (client.get, client.update, client.concat, client.wait):
        with pytest.raises(ConfigurationError, match="batch id"):
            call(odd)
    assert api.seen == []


def test_a_batch_stands_for_its_id(api: FakeApi, client: Client, batch_id: str) -> None:
    """Whoever has a batch need not take its id out."""
    api.batch(status="success")
    batch = client.get(batch_id)
    for call in (client.get, client.update, client.concat, client.wait):
        call(batch)
    paths = [request.path for request in api.seen]
    assert all(path.startswith(f"/batch/{batch_id}") for path in paths)
    assert len(paths) == 5


def test_a_text_that_cannot_be_sent_is_refused(api: FakeApi, client: Client) -> None:
    """Half of a surrogate pair has no bytes."""
    with pytest.raises(ConfigurationError, match=r"title: .* half of a surrogate pair"):
        client.create([b"image"], title="\ud83d")
    assert api.seen == []


def test_the_id_of_what_was_paid_for_is_never_lost(
    api: FakeApi, client: Client, batch_id: str
) -> None:
    """Cut short, no JSON, no batch: wherever the answer has an id, the error has it."""
    whole = json.dumps({"data": {"id": batch_id, "status": "processing"}}).encode()
    api.raw(whole, shorten_by=5)
    api.raw(whole[:-5])
    api.json({"data": {"id": batch_id}})
    api.json({"id": batch_id, "status": None})
    for expected in (TransportError, UnexpectedResponse, UnexpectedResponse, UnexpectedResponse):
        with pytest.raises(expected, match=batch_id) as caught:
            client.create([b"image"])
        assert caught.value.batch_id == batch_id


def test_a_batch_outside_of_its_envelope_is_one(
    api: FakeApi, client: Client, seed_batch: dict[str, Any]
) -> None:
    """It deviates, but it is there."""
    api.json(seed_batch)
    batch = client.create([b"image"])
    assert batch.deviations == {"data": "The batch stands outside of it."}
    assert Batch.from_dict(batch.to_dict()).deviations == {}


def test_a_transfer_that_ends_early_is_no_whole_one() -> None:
    """urllib3 1.26 checks no length, and has no `read1`; requests allows it."""

    class Raw:
        length_remaining = 9

        def read(self, _most: int, *, decode_content: bool) -> bytes:
            assert not decode_content
            self.length_remaining -= 5
            return b"12345" if self.length_remaining == 4 else b""

    response = requests.Response()
    response.raw = Raw()
    response.raw.length_remaining = 9
    with pytest.raises(ConnectionError, match="too early"):
        list(read_pieces(response, 100))


def test_a_hook_that_reads_the_answer_takes_nothing_away(api: FakeApi, batch_id: str) -> None:
    """A session may log what comes."""
    api.batch()
    seen: list[bytes] = []
    with requests.Session() as session:
        session.hooks["response"].append(lambda response, **_: seen.append(response.content))
        assert Client(KEY, api.url, session=session).get(batch_id).id == batch_id
    assert len(seen) == 1


@contextmanager
def tls(certificate: trustme.LeafCert) -> Iterator[int]:
    """Accept one connection, and try to make it one of TLS; give the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    def shake(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    with answering(shake) as port:
        yield port


def _never_sent(client: Client, said: str) -> None:
    with pytest.raises(TransportError, match=said) as caught:
        client.create([b"image"])
    assert not caught.value.may_have_arrived
    assert "nothing was sent" in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_an_untrusted_certificate_is_sent_nothing(host: str) -> None:
    """Nor is one of another host."""
    with tls(trustme.CA().issue_cert("localhost")) as port:
        _never_sent(Client(KEY, f"https://{host}:{port}"), "CERTIFICATE_VERIFY_FAILED")


def test_a_server_without_tls_is_sent_nothing() -> None:
    """A handshake that fails in any way comes before the request."""

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with answering(answer) as port:
        _never_sent(Client(KEY, f"https://127.0.0.1:{port}"), "failed")


def test_a_missing_bundle_of_certificates_is_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wrong setting of the machine sends nothing."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    _never_sent(Client(KEY, "https://127.0.0.1:1"), "/nowhere/ca.pem")


def test_an_unknown_name_is_sent_nothing() -> None:
    """A name that cannot be looked up."""
    _never_sent(Client(KEY, "http://nobody.invalid"), "nobody.invalid failed")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_network_that_is_away_is_sent_nothing(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """The kernel refuses, and nothing leaves."""

    def unreachable(*_args: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    _never_sent(Client(KEY, f"{scheme}://192.0.2.1"), "Network is unreachable")


@pytest.mark.parametrize("with_session", [False, True])
def test_a_proxy_that_refuses_sends_nothing_on(
    monkeypatch: pytest.MonkeyPatch, *, with_session: bool
) -> None:
    """It wants a login before there is a tunnel, with a session of the caller's as well."""

    def refuse(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with answering(refuse) as port, requests.Session() as session:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        given = {"session": session} if with_session else {}
        _never_sent(Client(KEY, "https://api.vimmerse.example", **given), "407")  # type: ignore[arg-type] # of mypy's making


def test_a_proxy_that_is_not_there_is_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """For either scheme."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with reserved_port() as port:
        for scheme in ("http", "https"):
            monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{port}")
            _never_sent(Client(KEY, f"{scheme}://api.vimmerse.example"), "refused")


def test_a_connection_that_breaks_after_a_tls_handshake_may_have_carried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Once a byte has left, nobody knows."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with (
        tls(authority.issue_cert("localhost")) as port,
        pytest.raises(TransportError, match="may have been carried out") as caught,
    ):
        Client(KEY, f"https://localhost:{port}").create([b"image"])
    assert caught.value.may_have_arrived


def test_connections_are_used_again(api: FakeApi, client: Client, batch_id: str) -> None:
    """Reading an answer to its end leaves the connection to the next request, from any thread."""
    api.batch()
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(client.get, [batch_id] * 12))
    assert len(batches) == 12
    adapter = client._transport._session.get_adapter(api.url)
    (pool_of_api,) = adapter.poolmanager.pools._container.values()  # type: ignore[attr-defined] # HTTPAdapter's
    assert pool_of_api.num_requests == 12
