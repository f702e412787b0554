"""The HTTP server: accepts connections, runs what cannot block at once, and the rest in a pool."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Final

from vimmerse_contracts.unfrozen import monotonic
from vimmerse_mock.serving.connection import Connection
from vimmerse_mock.serving.messages import Answer, Application, Request
from vimmerse_mock.serving.pool import SharedPool
from vimmerse_mock.wsgi import url_of

_LOG = logging.getLogger("vimmerse_mock.serving")
CONNECTIONS: Final = 4_000
"""How many connections are open at once; beyond, those idle for longest are closed."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a front waits for a client, in seconds.

    `head` is for a request's head, from its first byte; `body` for what follows; `idle` between
    requests; `unread` for a client that does not read its answer; `drain` for what a refused client
    still sends; `stop` for what is being answered when the front stops. `look` is how often it
    looks at the time.
    """

    head: float = 10.0
    body: float = 60.0
    idle: float = 75.0
    unread: float = 30.0
    drain: float = 10.0
    stop: float = 20.0
    look: float = 0.5


class Front:
    """Serves an application on a socket that listens; `limit` is a body's most bytes.

    It stops when `stop` is called, or `goes_on` says so, which it asks now and then.
    """

    def __init__(
        self,
        application: Application,
        sock: socket.socket,
        limit: int,
        patience: Patience | None = None,
    ) -> None:
        self.application = application
        self.limit = limit
        self.patience = patience or Patience()
        self.connections: set[Connection] = set()
        self.url = url_of(*sock.getsockname()[:2])
        self.now = 0.0
        self.date = formatdate(usegmt=True)
        self.is_stopping = False
        self.goes_on: Callable[[], bool] = lambda: True
        self._socket = sock
        self._pool = SharedPool()
        self._stopped = asyncio.Event()

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop` is called; what is under way is answered first."""
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time()
        server = await self.loop.create_server(
            lambda: Connection(self), sock=self._socket, backlog=2048
        )
        sweeping = self.loop.create_task(self._sweep())
        ready()
        await self._stopped.wait()
        server.close()
        await self._finish()
        sweeping.cancel()
        self._pool.close()

    def stop(self) -> None:
        """Stop serving; from any thread."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        self.is_stopping = True
        self._stopped.set()

    async def _finish(self) -> None:
        """Close what is idle; give what is answered its time, then end it."""
        end = self.loop.time() + self.patience.stop
        while self.connections and self.loop.time() < end:
            for connection in list(self.connections):
                if connection.is_idle:
                    connection.expire()
            await asyncio.sleep(0.001)
        for connection in list(self.connections):
            connection.expire()

    def answer(self, request: Request, send: Callable[[Answer], None]) -> None:
        """Have a request answered: at once if that cannot block, else by its owner's share."""
        owner = self.application.owner(request)
        if owner is None:
            self._send_after_errand(self._answered(request), send)
        else:
            self._in_pool(
                owner,
                lambda: self._answered(request),
                lambda answer: self._send_after_errand(answer, send),
            )

    def _answered(self, request: Request) -> Answer:
        try:
            return self.application.answer(request)
        except Exception:  # noqa: BLE001 - whatever an application does, its client is answered
            _LOG.exception("%s %s could not be answered", request.method, request.target)
            return Answer(500, [("Content-Type", "text/plain")], b"Internal Server Error")

    def _send_after_errand(self, answer: Answer, send: Callable[[Answer], None]) -> None:
        if answer.errand is None:
            send(answer)
            return
        owner, work = answer.errand
        self._in_pool(owner, work, lambda _done: send(answer))

    def refuse(self, request: Request, decide: Callable[[Answer | None], None]) -> None:
        """Ask whether a request is refused by its head."""
        owner = self.application.owner(request)
        if owner is None:
            decide(self.application.refuse(request))
        else:
            self._in_pool(owner, lambda: self.application.refuse(request), decide)

    def _in_pool(self, owner: str, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        def job() -> None:
            result = None  # after a failure: nothing refused, nothing more to do before the answer
            try:
                result = work()
            except Exception:  # noqa: BLE001 - a job that fails must not keep its owner's share
                _LOG.exception("work of the pool failed")
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self.loop.call_soon_threadsafe(then, result)

        self._pool.submit(owner, job)

    async def _sweep(self) -> None:
        """Look after the time: the date of answers, and connections that are overdue."""
        while True:
            await asyncio.sleep(self.patience.look)
            self.now = self.loop.time()
            self.date = formatdate(usegmt=True)
            if not self.goes_on():
                self._stop()
            for connection in [c for c in self.connections if c.deadline < self.now]:
                connection.expire()
            if len(self.connections) > CONNECTIONS:
                idle = sorted((c for c in self.connections if c.is_idle), key=_deadline)
                for connection in idle[: len(self.connections) - CONNECTIONS]:
                    connection.expire()


def _deadline(connection: Connection) -> float:
    return connection.deadline


def run_in_loop(front: Front, ready: Callable[[], None] = lambda: None) -> None:
    """Run a front in this thread, on the fastest loop there is."""
    try:
        import uvloop  # noqa: PLC0415 - only who serves pays for it; not on every system
    except ImportError:
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(front.run(ready))
    else:
        uvloop.run(front.run(ready))


def _new_loop() -> asyncio.AbstractEventLoop:
    """Make a loop whose time no test can freeze; uvloop's never is."""
    loop = asyncio.new_event_loop()
    loop.time = monotonic  # type: ignore[method-assign] # on purpose
    return loop
