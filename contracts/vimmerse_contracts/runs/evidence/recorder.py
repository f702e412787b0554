"""The recorder: sees the suite's requests and answers at the transport, and writes them down."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from email import message_from_bytes
from email.message import Message
from email.policy import HTTP
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from requests import PreparedRequest, RequestException, Response, Session
from requests.adapters import HTTPAdapter

from vimmerse_contracts.network import without_login
from vimmerse_contracts.operations import OPERATIONS
from vimmerse_contracts.runs.evidence.file import (
    Answer,
    Asked,
    Begun,
    Exchange,
    LineFile,
    TargetLine,
    Verdict,
    Webhook,
)
from vimmerse_contracts.runs.evidence.redaction import Redactor
from vimmerse_contracts.suite.target import Capability, ReceivedWebhook, Target
from vimmerse_contracts.vocabulary import API_KEY_HEADER

Fields = list[tuple[str, str]]


def sent_form(request: PreparedRequest) -> tuple[Fields, Fields]:
    """Take the body apart: (field, text) of each text, (field, content type) of each file."""
    body, kind = request.body, str(request.headers.get("Content-Type", ""))
    if not isinstance(body, str | bytes):
        return [], []
    raw = body.encode() if isinstance(body, str) else body
    if kind.startswith("multipart/form-data"):
        return _multipart(raw, kind)
    return parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True), []


def _multipart(body: bytes, kind: str) -> tuple[Fields, Fields]:
    whole = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=HTTP)
    texts: Fields = []
    files: Fields = []
    for part in _parts(whole):
        name = str(part.get_param("name", "", "Content-Disposition"))
        if part.get_filename() is None:
            content: Any = part.get_payload(decode=True)
            texts.append((name, content.decode("utf-8", "replace")))
        else:
            files.append((name, part.get_content_type()))
    return texts, files


def _parts(whole: Message) -> Iterator[Message]:
    return (part for part in whole.walk() if not part.is_multipart())


FILE_OPERATION: Final = "file"
"""What stands for the operation where a video or another file is fetched by its link."""

_OF_INTEREST: Final = frozenset(
    {"allow", "content-type", "location", "retry-after", "www-authenticate"}
)
_RATE_LIMIT: Final = "x-ratelimit"
_TEMPLATES: Final = tuple(
    (operation, re.compile(re.sub(r"{\w+}", "([^/]*)", operation.path))) for operation in OPERATIONS
)


class Recorder:
    """Writes what a run does into an evidence file.

    `now` tells the seconds since the run began. `test` is the test that is running.
    """

    def __init__(self, file: LineFile, redactor: Redactor, now: Callable[[], float]) -> None:
        self.test = ""
        self.now = now
        self._file = file
        self._redactor = redactor
        self._base = ""

    def meet(self, target: Target) -> None:
        """Take note of a target, and of the keys that must never be written."""
        self._redactor.keep_secret(_keys(target))
        self._base = target.base_url.rstrip("/")
        name = without_login(target.name)
        self._file.write(TargetLine(name, tuple(sorted(target.capabilities))))

    def exchanged(
        self, request: PreparedRequest, answer: Response | None, error: str, began: float
    ) -> None:
        """Write down a request, and what became of it."""
        operation, asked = self._asked(request)
        self._file.write(
            Exchange(
                test=self.test,
                at=round(began, 3),
                took=round(self.now() - began, 3),
                operation=operation,
                request=asked,
                answer=None if answer is None else self._answer(answer),
                error=error,
            )
        )

    def received(self, webhook: ReceivedWebhook) -> None:
        """Write down a webhook that reached the suite."""
        headers = self._headers(webhook.headers)
        self._file.write(Webhook(self.test, headers, self._redactor.json(webhook.body)))

    def begins(self, test: Begun) -> None:
        """Write down that a test begins."""
        self._file.write(test)

    def judged(self, verdict: Verdict) -> None:
        """Write down what became of a test."""
        reason = self._redactor.text(verdict.reason)
        self._file.write(Verdict(verdict.test, verdict.outcome, verdict.rules, reason))

    def _asked(self, request: PreparedRequest) -> tuple[str, Asked]:
        method, url = request.method or "", request.url or ""
        operation, path = self._place(method, url)
        texts, files = sent_form(request)
        key = request.headers.get(API_KEY_HEADER)
        text = self._redactor.text
        return operation, Asked(
            method=method,
            path=path,
            key=None if key is None else self._redactor.key(_text(key)),
            form=tuple((text(name), text(value)) for name, value in texts),
            files=tuple((text(name), text(kind)) for name, kind in files),
        )

    def _place(self, method: str, url: str) -> tuple[str, str]:
        """Name the operation that a request asks for, and write its path."""
        path = urlsplit(url).path.removeprefix(urlsplit(self._base).path)
        found = [(each, match) for each, regex in _TEMPLATES if (match := regex.fullmatch(path))]
        if not found or not url.startswith(self._base):
            return FILE_OPERATION, self._redactor.text(url)
        same = [operation.id for operation, _ in found if operation.method == method]
        operation, match = found[0]
        return (same[0] if same else f"{method} {operation.path}"), self._path(path, match)

    def _path(self, path: str, match: re.Match[str]) -> str:
        shown = self._redactor.text(path)
        if not match.groups():
            return shown
        before, after = path[: match.start(1)], path[match.end(1) :]
        clean = self._redactor.text(match[1])
        named = self._redactor.identifier("batch", match[1]) if clean.startswith("<id:") else clean
        return f"{before}{named}{after}"

    def _answer(self, answer: Response) -> Answer:
        return Answer(answer.status_code, self._headers(answer.headers), self._body(answer))

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {
            name.lower(): self._redactor.text(value)
            for name, value in headers.items()
            if name.lower() in _OF_INTEREST or name.lower().startswith(_RATE_LIMIT)
        }

    def _body(self, answer: Response) -> Any:  # noqa: ANN401 - any JSON
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        try:
            return self._redactor.json(answer.json())
        except (ValueError, RecursionError):
            textual = kind.startswith("text/") or kind.endswith("json")
        return self._redactor.text(answer.text) if textual else f"<bytes:{kind}>"


class _RecordingAdapter(HTTPAdapter):
    """Sends as `requests` does, and tells the recorder."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 - requests' own
        """Send a request; its answer is read to the end before it is handed on."""
        began = self._recorder.now()
        try:
            answer = super().send(request, *args, **kwargs)
            answer.content  # noqa: B018 - reads the answer
        except RequestException as error:
            self._recorder.exchanged(request, None, type(error).__name__, began)
            raise
        self._recorder.exchanged(request, answer, "", began)
        return answer


_RECORDER: Final[ContextVar[Recorder | None]] = ContextVar("vimmerse_recorder", default=None)


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Let a recorder see every session that the suite opens meanwhile."""
    token = _RECORDER.set(recorder)
    try:
        yield
    finally:
        _RECORDER.reset(token)


def witness(session: Session) -> None:
    """Let the recorder at work, if there is one, see what a session sends and receives."""
    recorder = _RECORDER.get()
    if recorder is not None:
        adapter = _RecordingAdapter(recorder)
        session.mount("http://", adapter)
        session.mount("https://", adapter)


def _keys(target: Target) -> Iterator[str]:
    yield target.api_key
    if Capability.OTHER_ACCOUNT in target.capabilities:
        yield target.other_api_key
    if Capability.BROKE_ACCOUNT in target.capabilities:
        yield target.broke_api_key


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
