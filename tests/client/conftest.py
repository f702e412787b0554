"""A small real HTTP server that answers what a test has scripted, and remembers what it got."""

from __future__ import annotations

import copy
import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

import pytest
from werkzeug.datastructures import FileStorage
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from vimmerse_client import Client, RetryPolicy

KEY = "sk-3cret-Key/9f8e7d"
BATCH_ID = "6f1a2a55-5a0e-4a51-9a58-2f6f3a1d8c77"

SEED_BATCH: Mapping[str, Any] = {
    "id": BATCH_ID,
    "email": "",
    "manager_id": "user_id",
    "customer_id": "customer_id",
    "title": "New Batch Example",
    "description": "",
    "visibility_status": "1",
    "idea": "",
    "storyboard": {},
    "scenes": [],
    "message": "",
    "note": "",
    "feedback": "",
    "is_transition": "No",
    "filenames": [],
    "files": [],
    "medias": [
        {"media_id": "media_id_1", "item": "item_key_1"},
        {"media_id": "media_id_2", "item": "item_key_2"},
    ],
    "upload_urls": {},
    "finished_medias": [],
    "failed_medias": [],
    "pose_preset": [
        {
            "MotionType": "Auto",
            "Params": "Prompt=|CameraPath=|Quantity=1|MotionAmount=5|MotionLength=5|Loop=1",
        }
    ],
    "submit_params": {
        "scale_factor": "1",
        "pipeline_preset": "Fast",
        "file_size": "",
        "sound_effects": "Yes",
    },
    "progress_percentage": 0,
    "status": "processing",
    "generate_type": "GENERATE_VIDEO",
    "version": "2",
    "created_at": "2025-04-02 16:21:42.465259+00:00",
    "updated_at": "2025-04-02 16:21:42.465259+00:00",
}


@dataclass(frozen=True)
class Reply:
    """What the server does with one request; `drop` closes the connection without an answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    shorten_by: int = 0


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: Message
    body: bytes

    def form(self) -> list[tuple[str, str]]:
        """Return the fields of an urlencoded body, in order."""
        return parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True)

    def parts(self) -> list[tuple[str, str | None, str, bytes]]:
        """Return name, file name, content type and content of a multipart's fields, then files."""
        mimetype, options = parse_options_header(self.headers["Content-Type"])
        parser = FormDataParser(silent=False)
        _, form, files = parser.parse(BytesIO(self.body), mimetype, len(self.body), options)
        texts = [(name, None, "", text.encode()) for name, text in form.items(multi=True)]
        return [*texts, *(_upload(name, file) for name, file in files.items(multi=True))]


def _upload(name: str, file: FileStorage) -> tuple[str, str | None, str, bytes]:
    with closing(file):
        return name, file.filename, file.mimetype, file.read()


class FakeApi:
    """Answers with the scripted replies, one after the other, and with the last one for good."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._replies: deque[Reply] = deque()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.005,))
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def batch(self, *, headers: Mapping[str, str] | None = None, **changes: Any) -> dict[str, Any]:
        """Script an answer with the seed's batch and these changes; returns the batch."""
        data = copy.deepcopy({**SEED_BATCH, **changes})
        self.json({"data": data}, headers=headers)
        return data

    def json(self, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Script a JSON answer."""
        self.raw(json.dumps(body).encode(), status, headers)

    def raw(
        self,
        body: bytes,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        shorten_by: int = 0,
    ) -> None:
        """Script any answer; `shorten_by` bytes of what Content-Length promises never come."""
        self._replies.append(Reply(status, body, dict(headers or {}), shorten_by=shorten_by))

    def drop(self) -> None:
        """Script a connection that is closed without an answer."""
        self._replies.append(Reply(drop=True))

    def take(self) -> Reply:
        """Return the reply that is due."""
        return self._replies.popleft() if len(self._replies) > 1 else self._replies[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                api.seen.append(Seen(self.command, self.path, self.headers, body))
                reply = api.take()
                if reply.drop:
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body[: len(reply.body) - reply.shorten_by])

            do_POST = do_PUT = do_GET  # noqa: N815 - http.server's names

            def log_message(self, *_args: object) -> None:
                pass

        return Handler


class FakeTime:
    """Time that only passes while somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        """Return the monotonic seconds."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Move time forward."""
        self.slept.append(seconds)
        self.seconds += seconds


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """A server of its own for each test."""
    server = FakeApi()
    yield server
    server.close()


@pytest.fixture
def clock() -> FakeTime:
    """Time that no test has to wait for."""
    return FakeTime()


@pytest.fixture
def client(api: FakeApi, clock: FakeTime) -> Iterator[Client]:
    """A client of the scripted server, on fake time."""
    with Client(
        KEY, api.url, sleep=clock.sleep, now=clock.now, retry=RetryPolicy(attempts=3)
    ) as made:
        yield made


@pytest.fixture
def key() -> str:
    """The key that `client` uses, and that must show up nowhere but in its header."""
    return KEY


@pytest.fixture
def batch_id() -> str:
    """The id of the batch that the server answers with."""
    return BATCH_ID


@pytest.fixture
def seed_batch() -> dict[str, Any]:
    """The Batch object of the seed document."""
    return copy.deepcopy(dict(SEED_BATCH))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIMMERSE_API_KEY", "VIMMERSE_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
