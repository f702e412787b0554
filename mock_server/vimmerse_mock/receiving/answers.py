"""What a receiver answers: as it was told, else what an application says, else 200."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from threading import Event, Lock
from typing import TYPE_CHECKING, Final, TypeAlias

from vimmerse_contracts.suite.target import ReceivedWebhook

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_STATUSES: Final = range(200, 600)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, given after so many real seconds."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    after: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no receiver can answer."""
        if isinstance(self.status, bool) or self.status not in _STATUSES:
            raise ValueError(f"a receiver answers a status from 200 to 599, not {self.status!r}")
        if not self.after >= 0:
            raise ValueError(f"an answer comes after 0 seconds or more, not {self.after!r}")

    def write(self, start_response: StartResponse) -> list[bytes]:
        """Give it to a WSGI server."""
        own = {name.lower() for name, _ in self.headers}
        length = [] if "content-length" in own else [("Content-Length", str(len(self.body)))]
        start_response(_status_line(self.status), [*self.headers, *length])
        return [self.body]


Told: TypeAlias = int | Answer | Callable[[ReceivedWebhook], int | Answer]
"""A status, a whole answer, or what decides on one when the webhook is there."""


class Answers:
    """Decides what is answered; may be told more at any time, from any thread."""

    def __init__(self, app: WSGIApplication | None = None) -> None:
        self.app = app
        self._told: deque[Told] = deque()
        self._lock = Lock()
        self._closing = Event()

    def tell(self, told: Sequence[Told]) -> None:
        """Say what the next requests are answered, in place of what was said before.

        Raises:
            ValueError: a status is none.
            TypeError: something is no answer at all.
        """
        checked = [Answer(each) if isinstance(each, int) else each for each in told]
        for each in checked:
            if not (isinstance(each, Answer) or callable(each)):
                raise TypeError(f"an answer is a status, an Answer or a function, not {each!r}")
        with self._lock:
            self._told = deque(checked)

    def answer(self, webhook: ReceivedWebhook, content: bytes, environ: WSGIEnvironment) -> Answer:
        """Answer a webhook; raises whatever the application or the function raises."""
        with self._lock:
            told = self._told.popleft() if self._told else None
        if told is not None:
            return self._as_told(told, webhook)
        return Answer() if self.app is None else call(self.app, environ, content)

    def close(self) -> None:
        """Keep nobody waiting any longer."""
        self._closing.set()

    def _as_told(self, told: Told, webhook: ReceivedWebhook) -> Answer:
        if callable(told):
            told = told(webhook)
        answer = told if isinstance(told, Answer) else Answer(told)
        if answer.after:
            self._closing.wait(answer.after)
        return answer


def call(app: WSGIApplication, environ: WSGIEnvironment, content: bytes) -> Answer:
    """Call an application in this thread; what it raises passes through."""
    from werkzeug.http import is_hop_by_hop_header  # noqa: PLC0415 - as below
    from werkzeug.test import run_wsgi_app  # noqa: PLC0415 - slow to import, and often not needed

    request = {
        **environ,
        "wsgi.input": BytesIO(content),
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": str(len(content)),
    }
    chunks, status, headers = run_wsgi_app(app, request, buffered=True)
    kept = [(n, v) for n, v in headers if not is_hop_by_hop_header(n)]
    return Answer(int(status.split(" ", 1)[0]), b"".join(chunks), tuple(kept))


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"
