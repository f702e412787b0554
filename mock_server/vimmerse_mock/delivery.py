"""Delivery of webhooks: the sender, the courier that records attempts, and the live dispatcher.

With the clock, this is the only place that waits.
"""

from __future__ import annotations

import http.client
import json
import logging
import socket
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import BoundedSemaphore, Event, Thread, Timer
from typing import Final, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from vimmerse_contracts.vocabulary import WEBHOOK_TIMEOUT_SECONDS
from vimmerse_mock.model.clock import SECOND, Instant, Span, in_seconds, seconds, wall_clock
from vimmerse_mock.model.outbox import Attempt, Message, MessageState
from vimmerse_mock.stores import (
    Store,
    StoreConflictError,
    StoreFullError,
    StoreUnavailableError,
    UnknownAccountError,
)
from vimmerse_mock.stores.conflicts import retried

LEASE: Final[Span] = 3 * WEBHOOK_TIMEOUT_SECONDS * SECOND
"""How long a claimed message is kept from others, should its claimer die."""

_IDLE_SECONDS: Final = 1.0
_LOOK_AGAIN_SECONDS: Final = 0.005
_CHORE_EVERY: Final[Span] = 60 * SECOND
_SENDERS: Final = 16
_LOG = logging.getLogger("vimmerse_mock.delivery")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a POST: the receiver's status, or None and what went wrong."""

    status: int | None
    error: str = ""


class Sender(Protocol):
    """Posts one webhook."""

    def send(self, url: str, body: Mapping[str, str]) -> Reply:
        """POST a JSON body; never raises, since a failure is a reply too."""


@dataclass(frozen=True, slots=True)
class HttpSender:
    """Posts a webhook: `timeout` seconds in all (P26), redirects not followed, no proxy between."""

    timeout: float = WEBHOOK_TIMEOUT_SECONDS

    def send(self, url: str, body: Mapping[str, str]) -> Reply:
        """POST a JSON body."""
        try:
            return Reply(_post(urlsplit(url), json.dumps(body).encode(), self.timeout))
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Reply(None, _explain(error))


def _post(url: SplitResult, body: bytes, timeout: float) -> int:
    """POST, and return the status; the answer's body is not read."""
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=timeout)
    ending = Timer(timeout, _cut, [connection])
    ending.daemon = True
    ending.start()
    try:
        path = url.path or "/"
        target = f"{path}?{url.query}" if url.query else path
        connection.request("POST", target, body, _headers(url))
        return connection.getresponse().status
    finally:
        ending.cancel()
        connection.close()


def _headers(url: SplitResult) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "User-Agent": "vimmerse-mock"}
    if url.username is not None:
        login = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        headers["Authorization"] = f"Basic {b64encode(login).decode()}"
    return headers


def _cut(connection: http.client.HTTPConnection) -> None:
    """End a connection whose time is up, whatever its peer still drips into it."""
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _explain(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]


@dataclass(frozen=True, slots=True)
class Courier:
    """Delivers claimed messages, and records every attempt."""

    store: Store
    sender: Sender
    real_time: Callable[[], Instant] = wall_clock

    def deliver(self, message: Message) -> None:
        """Send a message once and record what came of it; no lock is held while it is under way."""
        started = self.real_time()
        reply = self.sender.send(message.url, message.body)
        took = self.real_time() - started
        try:
            self._record(message, reply, started, took)
        except UnknownAccountError:
            _LOG.debug("account of message %s was removed meanwhile", message.id)

    @retried
    def _record(self, message: Message, reply: Reply, started: Instant, took: Span) -> None:
        with self.store.transaction(message.customer_id) as tx:
            attempt = Attempt(tx.account.clock.at(started), reply.status, reply.error, took)
            present = tx.message(message.batch_id, message.submission) or message
            if present.state is MessageState.PENDING:
                tx.save_message(present.after(attempt))
            else:
                tx.save_message(replace(present, attempts=(*present.attempts, attempt)))

    def advance(self, customer_id: str, until: Instant) -> None:
        """Move an account's clock forward, delivering what falls due at its own instant.

        Steps from message to message, each delivered before the clock moves on, so that a receiver
        that calls back sees consistent time. What the dispatcher has under way is waited for.
        """
        self._await_quiet(customer_id)
        while message := self._step(customer_id, until):
            self.deliver(message)
            self._await_quiet(customer_id)

    @retried
    def _step(self, customer_id: str, until: Instant) -> Message | None:
        """Claim the next due message and move the clock to it, or move it to the end."""
        with self.store.transaction(customer_id) as tx:
            clock, real = tx.account.clock, self.real_time()
            message = tx.next_due(until)
            goal = max(clock.at(real), until if message is None else message.due_at)
            tx.save_account(replace(tx.account, clock=clock.moved_to(goal, real)))
            if message is not None:
                tx.lease(message, real + LEASE)
        return message

    def _await_quiet(self, customer_id: str) -> None:
        """Wait until nothing of the account is under way, at most for the webhook timeout."""
        deadline = self.real_time() + seconds(WEBHOOK_TIMEOUT_SECONDS)
        while self._is_busy(customer_id) and self.real_time() < deadline:
            Event().wait(_LOOK_AGAIN_SECONDS)

    def _is_busy(self, customer_id: str) -> bool:
        with self.store.transaction(customer_id) as tx:
            return tx.in_flight()


class Dispatcher:
    """Delivers what falls due on live clocks, from a thread of its own; does a chore each minute.

    `start` and `stop` are idempotent; `stop` lets what is under way finish, for at most the
    webhook timeout.
    """

    def __init__(self, courier: Courier, chore: Callable[[], object] = lambda: None) -> None:
        self._courier = courier
        self._chore = chore
        self._chore_due: Instant = courier.real_time()
        self._wake = Event()
        self._stopping = Event()
        self._thread: Thread | None = None
        self._free = BoundedSemaphore(_SENDERS)

    def start(self) -> None:
        """Begin to deliver."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = Thread(target=self._run, name="vimmerse-dispatcher", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Deliver no more; wait for what is under way."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping.set()
            self._wake.set()
            thread.join(WEBHOOK_TIMEOUT_SECONDS + _IDLE_SECONDS)

    def wake(self) -> None:
        """Look again now: something may fall due sooner than thought."""
        self._wake.set()

    def _run(self) -> None:
        with ThreadPoolExecutor(_SENDERS, thread_name_prefix="vimmerse-sender") as pool:
            while not self._stopping.is_set():
                self._turn(pool)

    def _turn(self, pool: ThreadPoolExecutor) -> None:
        """Wait until something is due, and hand it out; a store that is away is waited for."""
        try:
            woken = self._wake.wait(max(self._pause(), _LOOK_AGAIN_SECONDS))
            self._wake.clear()
            if not woken or not self._pause():
                self._dispatch(pool)
            self._do_chore()
        except (StoreUnavailableError, StoreFullError, StoreConflictError) as error:
            _LOG.warning("the store is not at hand, trying again: %s", error)
            self._stopping.wait(_IDLE_SECONDS)
        except Exception:  # noqa: BLE001 - whatever it is, later webhooks must still go out
            _LOG.exception("webhooks could not be handed out, trying again")
            self._stopping.wait(_IDLE_SECONDS)

    def _do_chore(self) -> None:
        now = self._courier.real_time()
        if now >= self._chore_due:
            self._chore_due = now + _CHORE_EVERY
            self._chore()

    def _pause(self) -> float:
        """Seconds until something may be due."""
        due = self._courier.store.next_due()
        if due is None:
            return _IDLE_SECONDS
        return min(_IDLE_SECONDS, max(0.0, in_seconds(due - self._courier.real_time())))

    def _dispatch(self, pool: ThreadPoolExecutor) -> None:
        """Hand what is due to the senders that are free."""
        while not self._stopping.is_set() and self._free.acquire(timeout=_IDLE_SECONDS):
            message = self._claim()
            if message is None:
                return
            pool.submit(self._deliver, message)

    def _claim(self) -> Message | None:
        """Claim one message for the sender that was acquired, or free it again."""
        claimed: tuple[Message, ...] = ()
        now = self._courier.real_time()
        try:
            claimed = self._courier.store.claim_due(now, now + LEASE, limit=1)
        finally:
            if not claimed:
                self._free.release()
        return claimed[0] if claimed else None

    def _deliver(self, message: Message) -> None:
        try:
            self._courier.deliver(message)
        except Exception:  # noqa: BLE001 - a sender must outlive any failure; the lease brings it back
            _LOG.exception("message %s could not be recorded", message.id)
        finally:
            self._free.release()
            self._wake.set()
