"""The recorder: sees the suite's requests and answers at the transport, and writes them down."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from email import message_from_bytes
from email.policy import HTTP
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from requests import PreparedRequest, RequestException, Response, Session
from requests.adapters import HTTPAdapter

from vimmerse_contracts.operations import OPERATIONS
from vimmerse_contracts.runs.evidence.file import Begun, LineFile, TargetLine, Webhook
from vimmerse_contracts.runs.evidence.redaction import Redactor
from vimmerse_contracts.runs.exchanges import Answer, Exchange, Request
from vimmerse_contracts.runs.verdicts import Verdict
from vimmerse_contracts.secrecy import without_credentials
from vimmerse_contracts.suite.target import Capability, ReceivedWebhook, Target
from vimmerse_contracts.vocabulary import API_KEY_HEADER

FILE_OPERATION: Final = "file"
"""What stands for the operation where a video or another file is fetched by its link."""

_HEADERS: Final = re.compile(
    "allow|content-type|location|retry-after|www-authenticate|x-ratelimit.*"
)
"""Headers of answers that are written down."""

_PATHS: Final = tuple(
    (operation, re.compile(re.sub(r"{\w+}", "([^/]*)", operation.path))) for operation in OPERATIONS
)

Fields = list[tuple[str, str]]


def sent_form(request: PreparedRequest) -> tuple[Fields, Fields]:
    """Return (field, text) of each text of a body, and (field, content type) of each file."""
    body, kind = request.body, str(request.headers.get("Content-Type", ""))
    if not isinstance(body, str | bytes):
        return [], []
    raw = body.encode() if isinstance(body, str) else body
    if not kind.startswith("multipart/form-data"):
        return parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True), []
    texts: Fields = []
    files: Fields = []
    whole = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + raw, policy=HTTP)
    for part in whole.iter_parts():
        name = str(part.get_param("name", "", "Content-Disposition"))
        if part.get_filename() is None:
            content: Any = part.get_payload(decode=True)
            texts.append((name, content.decode("utf-8", "replace")))
        else:
            files.append((name, part.get_content_type()))
    return texts, files


class Recorder:
    """Writes what a run does into an evidence file.

    `now` returns the seconds since the run began. `test` is the test that is running.
    """

    def __init__(self, file: LineFile, redactor: Redactor, now: Callable[[], float]) -> None:
        self.test = ""
        self.now = now
        self._file = file
        self._redactor = redactor
        self._base = ""

    def use_target(self, target: Target) -> None:
        """Write down a target, and keep its keys from ever being written."""
        able = target.capabilities
        self._redactor.keep_secret(
            [
                target.api_key,
                target.other_api_key if Capability.OTHER_ACCOUNT in able else "",
                target.broke_api_key if Capability.BROKE_ACCOUNT in able else "",
                target.read_only_api_key if Capability.READ_ONLY_ACCOUNT in able else "",
            ]
        )
        self._base = target.base_url.rstrip("/")
        self._file.write(TargetLine(without_credentials(target.name), tuple(sorted(able))))

    def record_begin(self, test: Begun) -> None:
        """Write down that a test begins."""
        self._file.write(test)

    def record_verdict(self, verdict: Verdict) -> None:
        """Write down what became of a test."""
        reason = self._redactor.text(verdict.reason)
        self._file.write(Verdict(verdict.test, verdict.outcome, verdict.rules, reason))

    def record_webhook(self, webhook: ReceivedWebhook) -> None:
        """Write down a webhook that reached the suite."""
        headers = self._headers(webhook.headers)
        self._file.write(Webhook(self.test, headers, self._redactor.json(webhook.body)))

    def record(
        self, request: PreparedRequest, answer: Response | None, error: str, began: float
    ) -> None:
        """Write down a request, and what came of it."""
        operation, path = self._place(request.method or "", request.url or "")
        texts, files = sent_form(request)
        key: str | bytes | None = request.headers.get(API_KEY_HEADER)
        if isinstance(key, bytes):
            key = key.decode("latin-1")
        text = self._redactor.text
        self._file.write(
            Exchange(
                test=self.test,
                at=round(began, 3),
                took=round(self.now() - began, 3),
                operation=operation,
                request=Request(
                    method=request.method or "",
                    path=path,
                    key=None if key is None else self._redactor.key(key),
                    form=tuple((text(name), text(value)) for name, value in texts),
                    files=tuple((text(name), text(kind)) for name, kind in files),
                ),
                answer=None if answer is None else self._answer(answer),
                error=error,
            )
        )

    def _place(self, method: str, url: str) -> tuple[str, str]:
        """Return the operation that a request asks for, and its path as it may be written."""
        path = urlsplit(url).path.removeprefix(urlsplit(self._base).path)
        found = [(each, match) for each, regex in _PATHS if (match := regex.fullmatch(path))]
        if not found or not url.startswith(self._base):
            return FILE_OPERATION, self._redactor.text(url)
        same = [operation.id for operation, _ in found if operation.method == method]
        operation, match = found[0]
        name = same[0] if same else f"{method} {operation.path}"
        if not match.groups():
            return name, self._redactor.text(path)
        batch_id = self._redactor.text(match[1])
        if batch_id.startswith("<id:"):
            batch_id = self._redactor.identifier("batch", match[1])
        return name, f"{path[: match.start(1)]}{batch_id}{path[match.end(1) :]}"

    def _answer(self, answer: Response) -> Answer:
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        try:
            body = self._redactor.json(answer.json())
        except (ValueError, RecursionError):
            textual = kind.startswith("text/") or kind.endswith("json")
            body = self._redactor.text(answer.text) if textual else f"<bytes:{kind}>"
        return Answer(answer.status_code, self._headers(answer.headers), body)

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {
            name.lower(): self._redactor.text(value)
            for name, value in headers.items()
            if _HEADERS.fullmatch(name.lower())
        }


class _RecordingAdapter(HTTPAdapter):
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
            self._recorder.record(request, None, type(error).__name__, began)
            raise
        self._recorder.record(request, answer, "", began)
        return answer


_RECORDER: Final[ContextVar[Recorder | None]] = ContextVar("vimmerse_recorder", default=None)


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Show a recorder every session that the suite opens meanwhile."""
    token = _RECORDER.set(recorder)
    try:
        yield
    finally:
        _RECORDER.reset(token)


def record(session: Session) -> None:
    """Show the recorder at work, if there is one, what a session sends and receives."""
    recorder = _RECORDER.get()
    if recorder is not None:
        adapter = _RecordingAdapter(recorder)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
