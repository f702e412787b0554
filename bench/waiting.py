"""Who waits, waits alone: everybody else's answers while some requests are held up."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from socket import create_connection, create_server, socket
from threading import Event, Thread
from time import perf_counter, sleep
from typing import Final

from sqlalchemy import create_engine, text

from bench.figures import Figure, Run
from bench.servers import CREDITS, mock, postgres, serving
from bench.wrk import compare, create_call, load, load_beside, read_calls
from vimmerse_mock import Opening, RemoteMock
from vimmerse_mock.serving.front import Patience

_HELD: Final = 32
_LOCK: Final = text("UPDATE accounts SET balance = balance WHERE customer_id = :customer_id")
_HEAD: Final = "GET /batch HTTP/1.1\r\nX-Slow: "
_BODY: Final = create_call()[:-80]

Hindrance = Callable[[Run, str, str], AbstractContextManager[object]]
"""What holds requests up, of a mock by its URL and that of its store."""


def waiting(run: Run) -> list[Figure]:
    """Who waits, waits alone.

    What an account is answered at 16 connections while 32 requests of other accounts sit in a
    latency of 2 s or in a drip, and the receiver of an early webhook hangs; beside it the same
    without them. With a database: while 32 creations of another account wait for a lock that
    another program has. In PostgreSQL it is the lock of that account; SQLite has one for all who
    write, so there only reads can go on.
    """
    with postgres(run) as server:
        database, file = server.create_database(), f"sqlite:///{run.scratch}/waiting.db"
        return [
            *_hindered(run, "memory:", "requests that are held up", _held_up),
            *_hindered(run, file, "a lock", _locked, kinds=1),
            *_hindered(run, database, "a lock", _locked),
        ]


def clients(run: Run) -> list[Figure]:
    """Slow clients.

    What is answered at 16 connections while 64 clients send a byte a second, half of them of a
    request's head and half of its body; beside it the same without them. Then when such a client is
    dropped, beside the time that is documented.
    """
    what = f"{2 * _HELD} slow clients"
    return [*_hindered(run, "memory:", what, _slow_clients), *_dropped(run)]


def _hindered(
    run: Run, store: str, what: str, hindrance: Hindrance, kinds: int = 2
) -> list[Figure]:
    """Compare everybody else's load beside a hindrance with the same without it."""
    figures: list[Figure] = []
    with serving(run, mock("--store", store)) as server:

        def beside(calls: Sequence[str]) -> Sequence[float]:
            with hindrance(run, server.url, store):
                sleep(0.5)  # until all wait
                return load(run, server.url, calls)

        others = (("GET", read_calls(server.url, 1)), ("create", [create_call()]))
        for kind, calls in others[:kinds]:
            alone = partial(load, run, server.url, calls)
            title = f"{store.partition(':')[0]}: {kind} beside {what}"
            figures += compare(run, title, partial(beside, calls), alone, p99="≤ 2 x")
    return figures


@contextmanager
def _held_up(run: Run, url: str, _store: str) -> Iterator[None]:
    remote = RemoteMock(url)
    accounts = [remote.open_account() for _ in range(_HELD)]
    calls = read_calls(url, _HELD, *(account.key for account in accounts))
    for account in accounts[::2]:
        account.faults.latency("2s", times=None)
    for account in accounts[1::2]:
        account.faults.drip("100ms", times=None)
    early = remote.open_account()
    early.plan_webhooks("early")
    with create_server(("127.0.0.1", 0)) as hangs:
        webhook_url = f"http://127.0.0.1:{hangs.getsockname()[1]}/"
        create = create_call(early.key, webhook_url=webhook_url)
        with load_beside(run, url, calls, _HELD), load_beside(run, url, [create], 1):
            yield


@contextmanager
def _locked(run: Run, url: str, store: str) -> Iterator[None]:
    account = RemoteMock(url).open_account(Opening(credits=CREDITS))
    engine = create_engine(store.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as other:
        other.execute(_LOCK, {"customer_id": account.customer_id})
        with load_beside(run, url, [create_call(account.key)], _HELD):
            yield
    engine.dispose()


@contextmanager
def _slow_clients(_run: Run, url: str, _store: str) -> Iterator[list[socket]]:
    """Connect clients that send a byte a second, one half of a head, the other of a body."""
    host, _, port = url.removeprefix("http://").partition(":")
    address, done = (host, int(port)), Event()
    with ExitStack() as stack:
        slow = [stack.enter_context(create_connection(address, 90)) for _ in range(2 * _HELD)]
        for number, client in enumerate(slow):
            client.sendall((_HEAD if number < _HELD else _BODY).encode())

        def drip() -> None:
            while not done.wait(1):
                for client in slow:
                    with suppress(OSError):
                        client.send(b"x")

        thread = Thread(target=drip)
        thread.start()
        stack.callback(thread.join)
        stack.callback(done.set)
        yield slow


def _dropped(run: Run) -> Iterator[Figure]:
    """Measure how long slow clients are borne with."""
    run.step("slow clients are dropped")
    patience = Patience()
    with serving(run, mock()) as server, _slow_clients(run, server.url, "") as slow:
        began = perf_counter()
        parts = [("head", slow[0], patience.head), ("body", slow[-1], patience.body)]
        for part, client, documented in parts[: run.amount(1, 2)]:
            with suppress(OSError):
                while client.recv(4_096):
                    pass  # an answer before it is dropped
            aim = f"≤ {documented + 2 * patience.look + 1} s"
            taken = perf_counter() - began
            yield Figure(f"a slow {part} is dropped", taken, "s", documented, aim)
