"""Receiving webhooks in a test: an inbox with what came and what is expected, and a listener.

While a test expects a webhook, the inbox moves the account's clock, so the test does not wait.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Condition
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from werkzeug.datastructures import EnvironHeaders

from vimmerse_contracts.suite.target import ReceivedWebhook
from vimmerse_contracts.unfrozen import monotonic
from vimmerse_mock.account.account import Account
from vimmerse_mock.control.messages import WebhookInfo
from vimmerse_mock.model.outbox import MessageState
from vimmerse_mock.receiving.answers import Answer, AnswerLike, Answers
from vimmerse_mock.receiving.in_process import InProcessSender
from vimmerse_mock.serving.thread import WsgiThread

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


PATIENCE_SECONDS: Final = 5.0
"""Real seconds that an expectation waits where nothing else is said."""

TEST_HOST: Final = "testserver"
"""The host of requests in Django's tests."""
_LOOK_AGAIN_SECONDS: Final = 0.02
_SHOWN: Final = 10
"""Webhooks that an explanation lists at most, of those that came and of those planned."""
_NOT_ALLOWED: Final = Answer(405, headers=(("Allow", "POST"),))
_NOT_FOUND: Final = Answer(404)
_CRASHED: Final = Answer(500, b"the receiver raised an exception")


@dataclass(frozen=True, slots=True)
class Arrival(ReceivedWebhook):
    """A received webhook.

    `number` is its place in the inbox, from 1. `answered` is the status of the answer. `query` is
    the query of the address. A `body` that is not JSON is text.
    """

    number: int
    answered: int
    query: str = ""

    @property
    def customer_id(self) -> str:
        """What the body says; empty where it says nothing."""
        return self._text("customer_id")

    @property
    def batch_id(self) -> str:
        """What the body says; empty where it says nothing."""
        return self._text("batch_id")

    @property
    def status(self) -> str:
        """What the body says; empty where it says nothing."""
        return self._text("status")

    def _text(self, name: str) -> str:
        said = self.body.get(name) if isinstance(self.body, dict) else None
        return said if isinstance(said, str) else ""


def received(environ: WSGIEnvironment, content: bytes) -> ReceivedWebhook:
    """Read a webhook from a WSGI request and its body: parsed, or as text where it is no JSON."""
    headers = {name: value for name, value in EnvironHeaders(environ) if name != "Content-Length"}
    body: Any
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = content.decode("utf-8", "replace")
    return ReceivedWebhook(headers, body)


class _Wanted:
    """What a webhook has to be like; None is anything."""

    def __init__(self, **fields: object) -> None:
        self._fields = {name: value for name, value in fields.items() if value is not None}

    def __str__(self) -> str:
        listed = ", ".join(f"{name}={str(value)!r}" for name, value in self._fields.items())
        return f" with {listed}" if listed else ""

    def differences(self, arrival: Arrival) -> list[str]:
        return [
            f"{name} is {getattr(arrival, name)!r}, not {str(value)!r}"
            for name, value in self._fields.items()
            if getattr(arrival, name) != value
        ]


class Inbox:
    """The webhooks that were delivered to one address, and expectations about them.

    With an account, an expectation moves the clock of that account. Without a URL, the inbox
    belongs to a sender of this process, and needs no socket.
    """

    def __init__(
        self, url: str, account: Account | None = None, sender: InProcessSender | None = None
    ) -> None:
        self._account = account
        self._sender = sender
        self._answers = Answers()
        self._arrival = Condition()
        self._received: list[Arrival] = []
        self._expected: set[int] = set()
        self._errors: list[BaseException] = []
        self._raises = True
        self.url = url or self._mounted()
        self._bases = [self.url]

    @property
    def received(self) -> tuple[Arrival, ...]:
        """Every webhook so far, oldest first."""
        return tuple(self._received)

    def answer_with(self, *answers: AnswerLike) -> None:
        """Set the answers to the next requests; after them, 200 or the answer of the application.

        Each is a status, an `Answer` (with body, headers, or a delay in real seconds), or a
        function of the webhook that returns one of these.

        Raises:
            ValueError: a status is not from 200 to 599.
            TypeError: an answer is of another type.
        """
        self._answers.plan(answers)

    def deliver_to(
        self,
        app: WSGIApplication,
        path: str = "/",
        *,
        raises: bool = True,
        host: str = TEST_HOST,
    ) -> str:
        """Pass each webhook to a WSGI application (Flask, Django) and answer as it does.

        Returns the new `url`. The application is called in this process, without a socket if the
        mock runs in this process, too. If it raises, the answer is 500, and the next expectation
        or the end of the test raises the same exception, unless `raises` is False.

        `host` is the name by which the application sees itself called. Django in tests allows the
        default, whatever its ALLOWED_HOSTS.

        Raises:
            ValueError: the path does not begin with a slash.
        """
        if not path.startswith("/"):
            raise ValueError(f"the path of a receiver begins with a slash, not {path!r}")
        self._answers.app = _called_as(host, app)
        self._raises = raises
        base = self._bases[0] if self._sender is None else self._mounted()
        self._bases.append(base)
        self.url = base + path
        return self.url

    def expect(
        self,
        *,
        batch_id: str | None = None,
        status: str | None = None,
        customer_id: str | None = None,
        answered: int | None = None,
        within: float | None = None,
    ) -> Arrival:
        """Return the first webhook that matches and was not returned before.

        First it looks at what has come. Then it moves the account's clock from webhook to webhook,
        by at most `within` seconds, and waits as many real seconds for what other threads may do.
        Without `within`, it moves the clock as far as webhooks are planned, and waits for
        `PATIENCE_SECONDS`.

        Raises:
            AssertionError: no webhook matched; it shows what came, and what is planned.
            Exception: what the application of `deliver_to` raised.
        """
        __tracebackhide__ = True
        wanted = _Wanted(
            batch_id=batch_id, status=status, customer_id=customer_id, answered=answered
        )
        ahead = float("inf") if within is None else within
        deadline = monotonic() + (PATIENCE_SECONDS if within is None else within)
        while True:
            with self._arrival:
                found = self._find(wanted)
                if found is not None:
                    self._expected.add(found.number)
            self.raise_errors()
            if found is not None:
                return found
            before = len(self._received)
            skipped = self._skip(ahead)
            ahead -= skipped
            if not skipped and len(self._received) == before and not self._waited(deadline):
                span = "" if within is None else f" within {within:g} s"
                raise AssertionError(f"no webhook{wanted} came{span}\n{self._story(wanted)}")

    def expect_none(
        self,
        *,
        batch_id: str | None = None,
        status: str | None = None,
        customer_id: str | None = None,
        answered: int | None = None,
        within: float = PATIENCE_SECONDS,
    ) -> None:
        """Assert that no matching webhook comes within a time, other than those returned before.

        `within` is in seconds of the account's clock, which is moved; without an account, in real
        seconds.

        Raises:
            AssertionError: one came.
            Exception: what the application of `deliver_to` raised.
        """
        __tracebackhide__ = True
        wanted = _Wanted(
            batch_id=batch_id, status=status, customer_id=customer_id, answered=answered
        )
        if self._account is not None:
            self._account.clock.advance(within)
        else:
            deadline = monotonic() + within
            while self._find(wanted) is None and self._waited(deadline):
                pass
        self.raise_errors()
        found = self._find(wanted)
        if found is not None:
            raise AssertionError(
                f"expected no webhook{wanted} within {within:g} s, but one came:\n"
                f"  {self._line(found)}"
            )

    def wait_for(self, count: int, within: float = PATIENCE_SECONDS) -> tuple[Arrival, ...]:
        """Wait for at least `count` webhooks, for at most `within` real seconds; return all.

        Raises:
            AssertionError: fewer came; it shows which.
        """
        __tracebackhide__ = True
        with self._arrival:
            arrived = self._arrival.wait_for(lambda: len(self._received) >= count, within)
        self.raise_errors()
        if arrived:
            return self.received
        raise AssertionError(f"expected {count} webhooks within {within:g} s\n{self._story()}")

    def raise_errors(self) -> None:
        """Raise the first exception of the application that was not raised yet."""
        __tracebackhide__ = True
        if self._raises and self._errors:
            raise self._errors.pop(0)

    def close(self) -> None:
        """End delayed answers, and free the addresses in this process."""
        self._answers.close()
        if self._sender is not None:
            for base in self._bases:
                self._sender.unmount(base)

    def app(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """Receive a request (a WSGI application)."""
        content = environ["wsgi.input"].read()
        if environ["REQUEST_METHOD"] != "POST":
            return _NOT_ALLOWED.write(start_response)
        webhook = received(environ, content)
        answer = self._answer(webhook, content, environ)
        with self._arrival:
            number = len(self._received) + 1
            query = environ.get("QUERY_STRING", "")
            self._received.append(
                Arrival(webhook.headers, webhook.body, number, answer.status, query)
            )
            self._arrival.notify_all()
        return answer.write(start_response)

    def _answer(self, webhook: ReceivedWebhook, content: bytes, environ: WSGIEnvironment) -> Answer:
        try:
            return self._answers.answer(webhook, content, environ)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - pytest.fail is no Exception; see raise_errors
            error.add_note(f"raised while it received the webhook {webhook.body}")
            self._errors.append(error)
            return _CRASHED

    def _mounted(self) -> str:
        if self._sender is None:
            raise ValueError("an inbox without a URL needs a sender that it can be mounted on")
        return self._sender.mount(self.app)

    def _find(self, wanted: _Wanted) -> Arrival | None:
        fresh = (each for each in self._received if each.number not in self._expected)
        return next((each for each in fresh if not wanted.differences(each)), None)

    def _skip(self, ahead: float) -> float:
        """Move the clock to the next webhook if it is due soon enough; return by how much."""
        if self._account is None:
            return 0.0
        pending = [
            webhook.due_at for webhook in self._account.next_webhooks if self._is_ours(webhook.url)
        ]
        if not pending:
            return 0.0
        span = _seconds(self._account.clock.now(), min(pending))
        if span > ahead:
            return 0.0
        self._account.clock.advance(span)
        return span

    def _waited(self, deadline: float) -> bool:
        """Wait a moment, or for an arrival; False once the deadline has passed."""
        with self._arrival:
            self._arrival.wait(max(0.0, min(_LOOK_AGAIN_SECONDS, deadline - monotonic())))
        return monotonic() < deadline

    def _is_ours(self, url: str) -> bool:
        return any(url == base or url.startswith((f"{base}/", f"{base}?")) for base in self._bases)

    def _story(self, wanted: _Wanted | None = None) -> str:
        """Describe what came, why nothing of it was returned, and what is planned."""
        came = [(each, self._objections(each, wanted)) for each in self._received[-_SHOWN:]]
        nearest = min((objections for _, objections in came), key=len, default=[])
        lines = [f"came to {self.url}: {len(self._received) or 'nothing'}"]
        for arrival, objections in came:
            said = f" <- {', '.join(objections)}" if objections else ""
            near = " (nearest)" if said and objections is nearest and len(came) > 1 else ""
            lines.append(f"  {self._line(arrival)}{said}{near}")
        if self._account is not None:
            lines += ["in the outbox:", *(f"  {each}" for each in self._outbox(self._account))]
        return "\n".join(lines)

    def _objections(self, arrival: Arrival, wanted: _Wanted | None) -> list[str]:
        if wanted is None:
            return []
        if arrival.number in self._expected:
            return ["returned before"]
        return wanted.differences(arrival) or ["it came just now"]

    def _outbox(self, account: Account) -> Sequence[str]:
        """Describe each webhook for here; where there is none, say where the others go."""
        now, planned = account.clock.now(), account.outbox
        ours = [_outbox_line(webhook, now) for webhook in planned if self._is_ours(webhook.url)]
        if ours:
            return ours[-_SHOWN:]
        if not planned:
            return ["nothing: no batch was created with a webhook_url"]
        others = sorted({urlsplit(webhook.url).netloc.rpartition("@")[2] for webhook in planned})
        return [f"nothing for this URL; webhook_url led elsewhere: {', '.join(others[:3])}"]

    def _line(self, arrival: Arrival) -> str:
        return f"{arrival.number}. {json.dumps(arrival.body)[:300]} answered {arrival.answered}"


def _called_as(host: str, app: WSGIApplication) -> WSGIApplication:
    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return app({**environ, "HTTP_HOST": host}, start_response)

    return call


def _outbox_line(webhook: WebhookInfo, now: datetime) -> str:
    line = f"batch {webhook.batch_id}, submission {webhook.submission}, {webhook.status!r}"
    line += f": {webhook.state.value}"
    if webhook.attempts:
        tried = len(webhook.attempts)
        answers = ", ".join(str(each.status or each.error) for each in webhook.attempts)
        line += f" after {tried} attempt{'s' * (tried > 1)} ({answers})"
    if webhook.state is MessageState.PENDING:
        span = f"{_seconds(now, webhook.due_at):g} s"
        line += f", due in {span}: expect it within {span}, or advance the clock by {span}"
    return line


def _seconds(now: datetime, due_at: datetime) -> float:
    return max(0.0, (due_at - now).total_seconds())


class Listener:
    """An HTTP server on the loopback that receives webhooks for its inboxes.

    Port 0 takes a free one.
    """

    def __init__(self, port: int = 0) -> None:
        self._thread = WsgiThread(self._app, port=port)
        self._inboxes: dict[str, Inbox] = {}

    def start(self) -> None:
        """Start to listen. Starting twice is no error."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        for inbox in self._inboxes.values():
            inbox.close()
        self._thread.stop()

    def open_inbox(
        self, account: Account | None = None, sender: InProcessSender | None = None
    ) -> Inbox:
        """Open an inbox with a new URL, and start to listen.

        Expectations of the inbox move the clock of `account`. With a `sender` of a mock in this
        process, `deliver_to` needs no socket.
        """
        self.start()
        name = uuid4().hex
        self._inboxes[name] = Inbox(f"{self._thread.url}/{name}", account, sender)
        return self._inboxes[name]

    def close_inbox(self, inbox: Inbox) -> None:
        """Remove an inbox; its URL is then 404."""
        inbox.close()
        self._inboxes = {name: each for name, each in self._inboxes.items() if each is not inbox}

    def _app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        name, _, path = environ["PATH_INFO"].removeprefix("/").partition("/")
        inbox = self._inboxes.get(name)
        if inbox is None:
            environ["wsgi.input"].read()
            return _NOT_FOUND.write(start_response)
        return inbox.app({**environ, "PATH_INFO": f"/{path}"}, start_response)
