"""How a receiver answers: as planned, else as an application does, else with 200."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from threading import Event, Lock
from typing import TYPE_CHECKING, Final, TypeAlias

from werkzeug.http import HTTP_STATUS_CODES, is_hop_by_hop_header

from vimmerse_contracts.suite.target import ReceivedWebhook
from vimmerse_mock.wsgi import run

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_STATUSES: Final = range(200, 600)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer to a webhook, sent `after` so many real seconds.

    Raises:
        ValueError: the status is not from 200 to 599, or `after` is negative.
    """

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
        """Start the response, and return its body, as a WSGI application does."""
        own = {name.lower() for name, _ in self.headers}
        length = [] if "content-length" in own else [("Content-Length", str(len(self.body)))]
        phrase = HTTP_STATUS_CODES.get(self.status, "Unknown")
        start_response(f"{self.status} {phrase}", [*self.headers, *length])
        return [self.body]


AnswerLike: TypeAlias = int | Answer | Callable[[ReceivedWebhook], int | Answer]
"""A status, a whole answer, or a function of the webhook that returns one."""


class Answers:
    """Decides what is answered; more can be planned at any time, from any thread."""

    def __init__(self, app: WSGIApplication | None = None) -> None:
        self.app = app
        self._planned: deque[AnswerLike] = deque()
        self._lock = Lock()
        self._closing = Event()

    def plan(self, answers: Iterable[AnswerLike]) -> None:
        """Set the answers to the next requests, in place of those planned before.

        Raises:
            ValueError: a status is not from 200 to 599.
            TypeError: an answer is of another type.
        """
        planned = [Answer(each) if isinstance(each, int) else each for each in answers]
        for each in planned:
            if not (isinstance(each, Answer) or callable(each)):
                raise TypeError(f"an answer is a status, an Answer or a function, not {each!r}")
        with self._lock:
            self._planned = deque(planned)

    def answer(self, webhook: ReceivedWebhook, content: bytes, environ: WSGIEnvironment) -> Answer:
        """Answer a webhook; raises whatever the application or the function raises."""
        with self._lock:
            planned = self._planned.popleft() if self._planned else None
        if planned is None:
            return Answer() if self.app is None else call(self.app, environ, content)
        if callable(planned):
            planned = planned(webhook)
        answer = planned if isinstance(planned, Answer) else Answer(planned)
        if answer.after:
            self._closing.wait(answer.after)
        return answer

    def close(self) -> None:
        """End every delay: what is still waiting is answered now."""
        self._closing.set()


def call(app: WSGIApplication, environ: WSGIEnvironment, content: bytes) -> Answer:
    """Call an application in this thread; what it raises passes through."""
    request = {
        **environ,
        "wsgi.input": BytesIO(content),
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": str(len(content)),
    }
    status, headers, body = run(app, request)
    kept = tuple((name, value) for name, value in headers if not is_hop_by_hop_header(name))
    return Answer(status, body, kept)
