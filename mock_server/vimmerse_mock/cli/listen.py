"""`vimmerse-mock listen`."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import click

from vimmerse_contracts.schemas import WebhookSchema
from vimmerse_contracts.secrecy import REDACTED, is_secret_name, without_credentials
from vimmerse_contracts.signatures import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    is_signed,
    secret_key,
)
from vimmerse_contracts.suite.target import ReceivedWebhook
from vimmerse_mock.cli.options import PORT, URL, Parsed, escaped, fail, option
from vimmerse_mock.model.clock import Instant, in_seconds, seconds, to_datetime, wall_clock
from vimmerse_mock.receiving.answers import Answer, Answers
from vimmerse_mock.receiving.forwarding import Forwarder
from vimmerse_mock.receiving.inbox import received
from vimmerse_mock.serving.thread import WsgiThread

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from rich.console import Console

_ENDS: Final = (signal.SIGTERM, signal.SIGINT)
_TOLERANCE: Final = 300
_SECONDS: Final = re.compile(r"\d{1,18}", re.ASCII)
_SHOWN_BODY: Final = 4_000
_SHOWN_ANSWER: Final = 300
_LARGEST: Final = 1024 * 1024
_DULL_HEADERS: Final = frozenset({"Host", "Accept-Encoding", "Connection", "Accept"})


def _statuses(text: str) -> tuple[int, ...]:
    try:
        return tuple(Answer(int(each)).status for each in text.split(",") if each)
    except ValueError:
        raise ValueError(f"{text!r} is not like 500,500,200: statuses from 200 to 599") from None


@click.command()
@option("--host", of="listen", default="127.0.0.1", help="Address to listen on.")
@option("--port", of="listen", default=0, type=PORT, help="Port to listen on; 0 takes a free one.")
@option(
    "--forward-to",
    default="",
    type=URL,
    help="Forward each webhook to this URL; its answer counts.",
)
@option(
    "--answer",
    default="",
    type=Parsed("STATUS,...", _statuses),
    help="Answers to the first webhooks; after them 200, or the answer of --forward-to.",
)
@option(
    "--secret",
    of="listen",
    multiple=True,
    help="Secret (whsec_...) to verify signatures with; repeatable.",
)
def command(
    *, host: str, port: int, forward_to: str, answer: tuple[int, ...], secret: tuple[str, ...]
) -> None:
    """Receive webhooks and print each one, until SIGTERM or Ctrl-C."""
    from rich.console import Console  # noqa: PLC0415 - only who prints pays for it

    try:
        keys = tuple(secret_key(each) for each in secret)
    except ValueError as error:
        fail(f"--secret: {error}")
    answers = Answers(Forwarder(forward_to) if forward_to else None)
    answers.plan(answer)
    console = Console(soft_wrap=True, highlight=False)
    thread = WsgiThread(_Receiver(answers, keys, console).app, host, port)
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
    then = f", forwarding to {without_credentials(forward_to)}" if forward_to else ""
    console.print(
        f"Listening for webhooks at {thread.url}{then} (Ctrl-C stops)", style="bold", markup=False
    )
    signal.sigwait(_ENDS)
    answers.close()
    thread.stop()


class _Receiver:
    """Receives requests, and prints each with its answer, one at a time."""

    def __init__(self, answers: Answers, keys: tuple[bytes, ...], console: Console) -> None:
        self._answers = answers
        self._keys = keys
        self._console = console
        self._printing = Lock()
        self._count = 0

    def app(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """Receive a request (a WSGI application)."""
        at = wall_clock()
        content = environ["wsgi.input"].read(_LARGEST)
        webhook = received(environ, content)
        if environ["REQUEST_METHOD"] != "POST":
            answer = Answer(405, headers=(("Allow", "POST"),))
        elif int(environ.get("CONTENT_LENGTH") or 0) > _LARGEST:
            answer = Answer(413)
        else:
            answer = self._answers.answer(webhook, content, environ)
        took = in_seconds(wall_clock() - at)
        path = "?".join(filter(None, [environ["PATH_INFO"], environ.get("QUERY_STRING")]))
        path = without_credentials(path)
        good = 200 <= answer.status < 300
        with self._printing:
            self._count += 1
            self._print(
                f"\n{self._count}. {to_datetime(at):%H:%M:%S} UTC  {environ['REQUEST_METHOD']} "
                f"{escaped(path)} -> {answer.status} ({took * 1000:.0f} ms)",
                "bold green" if good else "bold red",
            )
            for line, style in _content_lines(webhook):
                self._print(f"   {line}", style)
            if self._keys:
                verdict = _judge(webhook, content, self._keys, at)
                self._print(f"   {verdict}", "green" if " valid" in verdict else "red")
            if not good and answer.body:
                said = answer.body[:_SHOWN_ANSWER].decode("utf-8", "replace")
                self._print(f"   answer: {escaped(said)}", "red")
        return answer.write(start_response)

    def _print(self, text: str, style: str) -> None:
        self._console.print(text, style=style, markup=False)


def _content_lines(webhook: ReceivedWebhook) -> Iterator[tuple[str, str]]:
    """Yield lines on headers, body, and what is not as documented; each with its style."""
    for name, value in sorted(webhook.headers.items()):
        if name not in _DULL_HEADERS:
            yield f"{name}: {REDACTED if is_secret_name(name) else escaped(value)}", "dim"
    body = webhook.body
    text = body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)
    for line in text[:_SHOWN_BODY].splitlines():
        yield escaped(line), "cyan"
    problems: dict[str, Any] = (
        WebhookSchema().validate(body) if isinstance(body, dict) else {"body": ["not an object"]}
    )
    for name, said in problems.items():
        yield f"not the documented webhook: {escaped(str(name))}: {said[0]}", "yellow"


def _judge(webhook: ReceivedWebhook, content: bytes, keys: tuple[bytes, ...], at: Instant) -> str:
    """Return what is to be said of a webhook's signature."""
    message_id, timestamp, signatures = (
        webhook.headers.get(name.title(), "")
        for name in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)
    )
    if not (message_id and timestamp and signatures):
        return "not signed"
    if not is_signed(signatures, keys, message_id, timestamp, content):
        return "signature INVALID: made with another secret, or for another body"
    if not _SECONDS.fullmatch(timestamp) or abs(at - seconds(int(timestamp))) > seconds(_TOLERANCE):
        return (
            f"signature valid, but its timestamp {escaped(timestamp)} is more than five minutes off"
        )
    return "signature valid"
