"""The front over real sockets: who waits, waits alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import Barrier, Event

import pytest

from support.waiting import await_condition
from vimmerse_mock.model.faults import Break
from vimmerse_mock.serving import front
from vimmerse_mock.serving.connection import HEAD_BYTES
from vimmerse_mock.serving.front import Patience
from vimmerse_mock.serving.messages import Answer, Effects, Request
from vimmerse_mock.serving.pool import SHARE
from vimmerse_mock.serving.thread import FrontThread

LIMIT = 1_000_000
LITTLE = 0.2
"""Seconds of patience with what is to be dropped; with all else a server has the usual."""


class Echo:
    """Answers with what came; what it does besides is a method that a test replaces."""

    def __init__(self) -> None:
        self.calls: list[Request] = []
        self.blocked = Event()

    def owner(self, request: Request) -> str | None:
        """Take the pool for paths that name an owner."""
        return request.target.split("/")[2] if request.target.startswith("/pool/") else None

    def refuse(self, request: Request) -> Answer | None:
        """Refuse whoever has no key."""
        keys = [value for name, value in request.headers if name.lower() == "x-api-key"]
        return None if keys else Answer(401, [], b"no key")

    def answer(self, request: Request) -> Answer:
        """Answer by the path."""
        self.calls.append(request)
        if request.target.endswith("/blocked"):
            assert self.blocked.wait(300)
        effects = {
            "/late": Effects(delay=0.05),
            "/never": Effects(delay=3600),
            "/reset": Effects(breaks=Break(midway=False, reset=True)),
            "/midway": Effects(breaks=Break(midway=True, reset=True)),
            "/truncated": Effects(breaks=Break(midway=True, reset=False)),
            "/drip": Effects(drip=(0.001, 0.001, 0.001)),
        }.get(request.target)
        if request.target == "/large":
            return Answer(200, [], b"x" * 50_000_000)
        body = f"{request.method} {request.target} ".encode() + request.body.read()
        return Answer(200, [("X-A", "b")], body, effects, is_head=request.method == "HEAD")


@contextmanager
def serving(echo: Echo, patience: Patience | None = None) -> Iterator[tuple[str, int]]:
    """Serve an application on a free port."""
    thread = FrontThread(echo, limit=LIMIT, patience=patience)
    thread.start()
    try:
        yield "127.0.0.1", int(thread.url.rpartition(":")[2])
    finally:
        echo.blocked.set()
        thread.stop()


@pytest.fixture
def echo() -> Echo:
    """The application."""
    return Echo()


@pytest.fixture
def address(echo: Echo) -> Iterator[tuple[str, int]]:
    """Where it is served, with the usual patience."""
    with serving(echo) as address:
        yield address


def ask(address: tuple[str, int], sent: bytes, *, end: bool = True) -> bytes:
    """Send bytes and read until the server closes."""
    with socket.create_connection(address, timeout=60) as client:
        client.sendall(sent)
        if end:
            client.shutdown(socket.SHUT_WR)
        return read_all(client)


def read_all(client: socket.socket) -> bytes:
    """Read until the end."""
    came = bytearray()
    while piece := client.recv(65_536):
        came += piece
    return bytes(came)


def get(target: str, *more: str, method: str = "GET") -> bytes:
    """Write a request."""
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *more, "", ""]).encode()


def test_requests_of_one_connection_are_answered_in_turn(
    echo: Echo, address: tuple[str, int]
) -> None:
    """Pipelined requests are answered in order, those from the pool and the late among them."""
    echo.blocked.set()
    targets = ["/1", "/late", "/pool/a/2", "/pool/a/blocked", "/3"]
    came = ask(address, b"".join(map(get, targets)))
    assert came.count(b"HTTP/1.1 200 OK") == len(targets)
    places = [came.index(f"GET {target} ".encode()) for target in targets]
    assert places == sorted(places)


def test_a_body_comes_whole(address: tuple[str, int]) -> None:
    """A body arrives, announced or chunked, small or beyond what is kept in memory."""
    for size in (0, 10, 200_000):
        body = b"x" * size
        announced = get("/", "X-Api-Key: k", f"Content-Length: {size}", method="POST") + body
        assert ask(address, announced).endswith(b"POST / " + body)
        chunk = f"{size:x}\r\n".encode() + body + b"\r\n" if size else b""
        head = get("/", "X-Api-Key: k", "Transfer-Encoding: chunked", method="PUT")
        assert ask(address, head + chunk + b"0\r\n\r\n").endswith(b"PUT / " + body)


def test_a_head_has_no_body(address: tuple[str, int]) -> None:
    """HEAD is answered with the length that GET would have, and nothing after the head."""
    came = ask(address, get("/", method="HEAD"))
    assert came.endswith(b"\r\n\r\n")
    assert b"Content-Length: 7\r\n" in came


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", b"431"),
        (get("/", f"Content-Length: {LIMIT + 1}", "X-Api-Key: k", method="POST"), b"413"),
        (
            get("/", "Transfer-Encoding: chunked", "X-Api-Key: k", method="POST")
            + b"f4241\r\n"
            + b"x" * 1_000_001
            + b"\r\n0\r\n\r\n",
            b"413",
        ),
    ],
)
def test_what_is_no_request_is_refused(
    echo: Echo, address: tuple[str, int], sent: bytes, status: bytes
) -> None:
    """What is no HTTP, or too much of it, is answered and ends the connection."""
    came = ask(address, sent)
    assert came.startswith(b"HTTP/1.1 " + status)
    assert b"Connection: close" in came
    assert not echo.calls


def test_a_refused_body_is_not_asked_for(echo: Echo, address: tuple[str, int]) -> None:
    """Who waits for a 100 gets it only if the head is not refused; else the refusal at once."""
    with socket.create_connection(address, timeout=60) as client:
        client.sendall(get("/", "Content-Length: 5", "Expect: 100-continue", method="POST"))
        assert client.recv(65_536).startswith(b"HTTP/1.1 401 ")
    assert not echo.calls
    with socket.create_connection(address, timeout=60) as client:
        head = get("/", "X-Api-Key: k", "Content-Length: 5", "Expect: 100-continue", method="POST")
        client.sendall(head)
        assert client.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client).endswith(b"POST / hello")


def test_a_refusal_arrives_at_a_client_that_goes_on_sending(address: tuple[str, int]) -> None:
    """Who sends a large body without a key reads the refusal, and not a reset."""
    head = get("/", "Content-Length: 900000", method="POST")
    came = ask(address, head + b"x" * 900_000)
    assert came.startswith(b"HTTP/1.1 401 ")


def test_an_upgrade_is_ignored(address: tuple[str, int]) -> None:
    """A client that offers h2c, as Java's does, is answered in HTTP/1.1, body and all."""
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAA")
    assert b"GET /up " in ask(address, get("/up", *offer))
    assert b"POST /up hi" in ask(
        address, get("/up", *offer, "Content-Length: 2", method="POST") + b"hi"
    )


class Failing(Echo):
    """Fails when it is asked whether a large body is refused, as with a database that is away."""

    def refuse(self, request: Request) -> Answer | None:
        """Fail."""
        raise ConnectionError(request.target)


def test_a_failure_before_the_body_keeps_no_share() -> None:
    """More such requests than an owner's share are answered all the same, one after another."""
    head = get("/pool/a/1", "Content-Length: 70000", method="POST")
    with serving(Failing()) as address:
        for _ in range(SHARE + 1):
            assert ask(address, head + b"x" * 70_000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("begun", "patience"),
    [
        (b"", Patience(idle=LITTLE, look=0.02)),
        (b"GET / HT", Patience(head=LITTLE, look=0.02)),
        (get("/", "Content-Length: 9", method="POST"), Patience(body=LITTLE, look=0.02)),
    ],
)
def test_a_client_that_stalls_is_dropped_in_time(
    echo: Echo, begun: bytes, patience: Patience
) -> None:
    """Silence before, within the head or within the body ends the connection after its time."""
    with serving(echo, patience) as address:
        assert ask(address, begun, end=False) == b""


def test_slow_clients_keep_nobody_from_an_answer(address: tuple[str, int]) -> None:
    """While a hundred clients have sent half a request each, another is answered."""
    slow = [socket.create_connection(address, timeout=60) for _ in range(100)]
    try:
        for client in slow:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        assert b"GET /fast " in ask(address, get("/fast"))
    finally:
        for client in slow:
            client.close()


def test_latency_holds_no_thread(address: tuple[str, int]) -> None:
    """While a thousand answers are held back, another is given."""
    late = [socket.create_connection(address, timeout=60) for _ in range(300)]
    try:
        for client in late:
            client.sendall(get("/never"))
        assert b"GET /fast " in ask(address, get("/fast"))
    finally:
        for client in late:
            client.close()


def test_an_owner_has_a_share_and_no_more(echo: Echo, address: tuple[str, int]) -> None:
    """One whose requests block has its own wait, and nobody else's."""
    blocked = [socket.create_connection(address, timeout=60) for _ in range(20)]
    try:
        for client in blocked:
            client.sendall(get("/pool/a/blocked"))
        assert b"/pool/b/free" in ask(address, get("/pool/b/free"))
        assert b"GET /fast " in ask(address, get("/fast"))
        echo.blocked.set()
        for client in blocked:
            client.shutdown(socket.SHUT_WR)
            assert b"/pool/a/blocked" in read_all(client)
    finally:
        for client in blocked:
            client.close()


class WithErrand(Echo):
    """Answers only after an errand, at which it meets the test."""

    both = Barrier(2, timeout=60)

    def answer(self, request: Request) -> Answer:
        """Answer, after the errand if the path says so."""
        found = super().answer(request)
        if request.target == "/errand":
            found.errand = ("a", self.both.wait)
        return found


def test_an_errand_goes_before_the_answer() -> None:
    """What must be done first is done in the pool, and others are answered in the meantime."""
    errands = WithErrand()
    with (
        serving(errands) as address,
        socket.create_connection(address, timeout=60) as client,
    ):
        client.sendall(get("/errand"))
        assert b"GET /fast " in ask(address, get("/fast"))
        errands.both.wait()
        client.shutdown(socket.SHUT_WR)
        assert b"GET /errand " in read_all(client)


@pytest.mark.parametrize(
    ("target", "came", "is_reset"),
    [("/reset", b"", True), ("/midway", b"GET /m", True), ("/truncated", b"GET /tr", False)],
)
def test_a_connection_is_broken_as_planned(
    address: tuple[str, int], target: str, came: bytes, *, is_reset: bool
) -> None:
    """A reset is an RST, at once or after half of the body; a truncated answer just ends."""
    got = bytearray()
    with socket.create_connection(address, timeout=60) as client:
        client.sendall(get(target))
        try:
            while piece := client.recv(65_536):
                got += piece
            assert not is_reset
        except ConnectionResetError:
            assert is_reset
    assert bytes(got).partition(b"\r\n\r\n")[2] == came
    if came:
        assert b"Content-Length: " in got


def test_a_dripping_answer_comes_whole(address: tuple[str, int]) -> None:
    """The pieces make the answer."""
    assert ask(address, get("/drip")).endswith(b"GET /drip ")


def test_stopping_answers_what_is_under_way(echo: Echo) -> None:
    """A front that stops still answers whom it has heard, and closes idle connections at once."""
    with serving(echo) as address:
        idle = socket.create_connection(address, timeout=60)
        busy = socket.create_connection(address, timeout=60)
        busy.sendall(get("/pool/a/blocked"))
        assert b"GET /fast " in ask(address, get("/fast"))
    assert b"/pool/a/blocked" in read_all(busy)
    assert read_all(idle) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=60)
    idle.close()
    busy.close()


def test_a_client_that_leaves_breaks_nothing(echo: Echo, address: tuple[str, int]) -> None:
    """Whoever goes away in the middle of anything is forgotten."""
    for sent in (
        b"GET",
        get("/late"),
        get("/pool/a/blocked"),
        get("/drip"),
        get("/", "Content-Length: 9"),
    ):
        client = socket.create_connection(address, timeout=60)
        client.sendall(sent)
        client.close()
    echo.blocked.set()
    assert b"GET /fast " in ask(address, get("/fast"))


def test_idle_connections_have_a_bound(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound, idle ones are closed, and whoever comes is answered."""
    monkeypatch.setattr(front, "CONNECTIONS", 5)
    with serving(echo, Patience(look=0.02)) as address:
        clients = [socket.create_connection(address, timeout=60) for _ in range(20)]
        try:
            await_condition(
                lambda: sum(map(_is_open, clients)) <= 5, "all but five connections are closed"
            )
            assert b"GET /fast " in ask(address, get("/fast"))
        finally:
            for client in clients:
                client.close()


def test_a_client_that_does_not_read_is_dropped_in_time(echo: Echo) -> None:
    """An answer that nobody takes does not stay for ever."""
    with (
        serving(echo, Patience(unread=LITTLE, look=0.02)) as address,
        socket.create_connection(address, timeout=60) as client,
    ):
        client.sendall(get("/large"))
        await_condition(lambda: not _is_open(client), "the connection is closed")


def _is_open(client: socket.socket) -> bool:
    """Whether the other side has not closed or reset; reads nothing of what came."""
    errors = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return errors[0] == 1  # TCP_ESTABLISHED


def test_the_reference_has_the_deadlines() -> None:
    """What docs/reference.md says is what the server does."""
    page = (Path(__file__).parents[3] / "docs" / "reference.md").read_text()
    patience = Patience()
    for row in (
        f"| a request's head | {patience.head:g} s from its first byte, {HEAD_BYTES // 1024} KiB",
        f"| a request's body | {patience.body:g} s,",
        f"| pause between two requests of a connection | {patience.idle:g} s |",
        f"| a client that does not read its answer | {patience.unread:g} s |",
        f"| connections | {front.CONNECTIONS:,};",
        f"| stopping | requests that are being answered have {patience.stop:g} s,",
        f"at most {['none', 'one', 'two', 'three', 'four'][SHARE]} at once for one account",
    ):
        assert row in " ".join(page.split("\n")), row


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/batch/1?a=b", "/batch/1?a=b"),
        ("http://elsewhere/batch/1?a=b", "/batch/1?a=b"),
        ("*", "/?"),
    ],
)
def test_a_target_is_at_the_servers_own_address(target: str, path: str) -> None:
    """Whatever host a request line names, its path and query stay, and nothing else does."""
    server = "http://127.0.0.1:1"
    request = Request("GET", target, [], BytesIO(), 0, "127.0.0.1", server)
    assert request.url == server + path
