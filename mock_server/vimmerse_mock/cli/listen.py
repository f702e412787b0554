"""`vimmerse-mock listen`."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import click

from vimmerse_contracts.network import SECRET_HEADERS
from vimmerse_contracts.schemas import WebhookSchema
from vimmerse_contracts.signatures import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    is_signed,
    secret_key,
)
from vimmerse_contracts.suite.target import ReceivedWebhook
from vimmerse_mock.cli.options import PORT, UrlType, fail, option
from vimmerse_mock.model.clock import Instant, in_seconds, seconds, to_datetime, wall_clock
from vimmerse_mock.receiving.answers import Answer, Answers
from vimmerse_mock.receiving.inbox import received
from vimmerse_mock.wsgi import WsgiThread

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from rich.console import Console

_ENDS: Final = (signal.SIGTERM, signal.SIGINT)
_TOLERANCE: Final = 300
_SHOWN_BODY: Final = 4_000
_LARGEST: Final = 1024 * 1024
_DULL_HEADERS: Final = frozenset({"Host", "Accept-Encoding", "Connection", "Accept"})


class AnswersType(click.ParamType[tuple[int, ...]]):
    """Statuses, separated by commas."""

    name = "STATUS,..."

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's own
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[int, ...]:
        """Read them, or say what they are."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(Answer(int(each)).status for each in value.split(",") if value)
        except ValueError:
            self.fail(f"{value!r} is not like 500,500,200: statuses from 200 to 599", param, ctx)


@click.command()
@option("--host", of="listen", default="127.0.0.1", help="Address to listen on.")
@option("--port", of="listen", default=0, type=PORT, help="Port to listen on; 0 takes a free one.")
@option("--forward-to", default="", type=UrlType(), help="Hand each webhook on, answer its answer.")
@option(
    "--answer",
    default="",
    type=AnswersType(),
    help="What the first webhooks are answered; then 200, or what is forwarded to answers.",
)
@option(
    "--secret",
    of="listen",
    multiple=True,
    help="Verify signatures with this whsec_ secret; repeatable.",
)
def command(
    *, host: str, port: int, forward_to: str, answer: tuple[int, ...], secret: tuple[str, ...]
) -> None:
    """Print each webhook as it arrives, until it is told to stop (SIGTERM, or Ctrl-C)."""
    from rich.console import Console  # noqa: PLC0415 - only who prints pays for it

    answers = Answers(_forwarder(forward_to))
    answers.tell(answer)
    printer = _Printer(Console(soft_wrap=True, highlight=False), forward_to)
    thread = WsgiThread(_Ear(answers, _keys(secret), printer.show).app, host, port)
    # Blocked in every thread, so that they can be waited for: a handler that sets an event which is
    # just about to be waited for would never return.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    try:
        thread.start()
    except OSError as error:
        fail(
            f"cannot listen on {host}:{port} ({error.strerror or error}): choose another --port "
            "(0 takes a free one) or --host"
        )
    printer.announce(thread.url)
    signal.sigwait(_ENDS)
    answers.close()
    thread.stop()


def _forwarder(url: str) -> WSGIApplication | None:
    if not url:
        return None
    from vimmerse_mock.receiving.forwarding import Forwarder  # noqa: PLC0415 - requests only if it is needed

    return Forwarder(url)


def _keys(secrets: tuple[str, ...]) -> tuple[bytes, ...]:
    try:
        return tuple(secret_key(secret) for secret in secrets)
    except ValueError as error:
        fail(f"--secret: {error}")


@dataclass(frozen=True, slots=True)
class _Heard:
    """A request as it is to be shown."""

    number: int
    at: Instant
    method: str
    path: str
    webhook: ReceivedWebhook
    verdict: str
    answer: Answer
    took: float


@dataclass(frozen=True, slots=True)
class _Ear:
    """Receives requests, and tells of each once it knows the answer."""

    answers: Answers
    keys: tuple[bytes, ...]
    tell: Callable[[_Heard], None]
    numbers: count[int] = field(default_factory=partial(count, 1))

    def app(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """Receive a request (a WSGI application)."""
        number, at = next(self.numbers), wall_clock()
        content = environ["wsgi.input"].read(_LARGEST)
        webhook = received(environ, content)
        answer = self._answer(webhook, content, environ)
        heard = _Heard(
            number=number,
            at=at,
            method=environ["REQUEST_METHOD"],
            path="?".join(filter(None, [environ["PATH_INFO"], environ.get("QUERY_STRING")])),
            webhook=webhook,
            verdict=self._verdict(webhook, content, at),
            answer=answer,
            took=in_seconds(wall_clock() - at),
        )
        self.tell(heard)
        return answer.write(start_response)

    def _answer(self, webhook: ReceivedWebhook, content: bytes, environ: WSGIEnvironment) -> Answer:
        if environ["REQUEST_METHOD"] != "POST":
            return Answer(405, headers=(("Allow", "POST"),))
        if int(environ.get("CONTENT_LENGTH") or 0) > _LARGEST:
            return Answer(413)
        return self.answers.answer(webhook, content, environ)

    def _verdict(self, webhook: ReceivedWebhook, content: bytes, at: Instant) -> str:
        """Judge the signature, if there are keys."""
        if not self.keys:
            return ""
        message_id, timestamp, signatures = (
            webhook.headers.get(name.title(), "")
            for name in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)
        )
        if not (message_id and timestamp and signatures):
            return "not signed"
        if not is_signed(signatures, self.keys, message_id, timestamp, content):
            return "signature WRONG: made with another secret, or over another body"
        if not timestamp.isdecimal() or abs(at - seconds(int(timestamp))) > seconds(_TOLERANCE):
            return f"signature right, but its timestamp {timestamp} is not of these five minutes"
        return "signature right"


class _Printer:
    """Prints to a terminal in colour, and plain to a pipe; one request at a time."""

    def __init__(self, console: Console, forwarded_to: str) -> None:
        self._console = console
        self._forwarded_to = forwarded_to
        self._lock = Lock()

    def announce(self, url: str) -> None:
        """Say where it listens."""
        then = f", forwarding to {self._forwarded_to}" if self._forwarded_to else ""
        self._print(f"Listening for webhooks at {url}{then} (Ctrl-C ends)", "bold")

    def show(self, heard: _Heard) -> None:
        """Show a request with its answer."""
        good = 200 <= heard.answer.status < 300
        with self._lock:
            self._print(
                f"\n{heard.number}. {to_datetime(heard.at):%H:%M:%S} UTC  {heard.method} "
                f"{_clean(heard.path)} -> {heard.answer.status} ({heard.took * 1000:.0f} ms)",
                "bold green" if good else "bold red",
            )
            for name, value in sorted(heard.webhook.headers.items()):
                if name not in _DULL_HEADERS:
                    shown = "***" if name.lower() in SECRET_HEADERS else _clean(value)
                    self._print(f"   {name}: {shown}", "dim")
            self._show_body(heard.webhook.body)
            if heard.verdict:
                self._print(f"   {heard.verdict}", "green" if "right" in heard.verdict else "red")
            if not good and heard.answer.body:
                said = heard.answer.body[:300].decode("utf-8", "replace")
                self._print(f"   answer: {_clean(said)}", "red")

    def _show_body(self, body: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        text = body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)
        for line in text[:_SHOWN_BODY].splitlines():
            self._print(f"   {_clean(line)}", "cyan")
        problems = (
            WebhookSchema().validate(body) if isinstance(body, dict) else {"body": ["no JSON"]}
        )
        for name, said in problems.items():
            self._print(f"   not the documented webhook: {_clean(str(name))}: {said[0]}", "yellow")

    def _print(self, text: str, style: str) -> None:
        self._console.print(text, style=style, markup=False)


def _problems(body: Any) -> list[str]:  # noqa: ANN401 - as above
    if not isinstance(body, dict):
        return ["expected a JSON object"]
    found: Mapping[str, list[str]] = WebhookSchema().validate(body)
    return [f"{name}: {' '.join(said)}" for name, said in found.items()]


def _clean(text: str) -> str:
    """Take out what would steer the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
