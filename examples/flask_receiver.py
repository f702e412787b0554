"""A Flask receiver of Vimmerse webhooks, as one would run it in production.

    VIMMERSE_API_KEY=... flask --app examples/flask_receiver run

The webhook is answered quickly: confirmed, remembered, and put where a worker finds it. All of that
is in one SQLite file, so that duplicates are dropped after a restart and between processes too.
Take the same steps on your own database.

Settings: VIMMERSE_API_KEY and VIMMERSE_BASE_URL (the client's), VIMMERSE_RECEIVER_DATABASE (a
file), VIMMERSE_WEBHOOK_SECRETS (`whsec_...`, separated by spaces, if the sender signs).
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from flask import Flask, request
from flask.typing import ResponseReturnValue

from vimmerse_client import (
    Batch,
    BatchNotDone,
    BatchReader,
    Client,
    ForeignWebhook,
    InvalidSignature,
    InvalidWebhook,
    Receiver,
    RetryPolicy,
    StaleStatus,
    UnknownBatch,
    VimmerseError,
    WebhookEvent,
    verify_webhook,
)

LARGEST_BODY = 64 * 1024


class Database:
    """What was seen (the client's `SeenStore`), and what is to be done about it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._transaction() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY)")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS jobs "
                "(id INTEGER PRIMARY KEY, batch_id TEXT, status TEXT, video_url TEXT)"
            )

    def add(self, key: str) -> bool:
        """Remember a key; return whether it is new."""
        with self._transaction() as connection:
            added = connection.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,))
            return added.rowcount == 1

    def discard(self, key: str) -> None:
        """Forget a key."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM seen WHERE key = ?", (key,))

    def enqueue(self, _event: WebhookEvent, batch: Batch) -> None:
        """Leave what takes longer, such as the download, to a worker."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO jobs (batch_id, status, video_url) VALUES (?, ?, ?)",
                (batch.id, batch.status.value, batch.video_url),
            )

    def jobs(self) -> list[tuple[str, str, str | None]]:
        """Return every job, oldest first: batch, status and video."""
        with self._transaction() as connection:
            rows = connection.execute("SELECT batch_id, status, video_url FROM jobs ORDER BY id")
            return rows.fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=5)) as connection, connection:
            yield connection


def create_app(
    client: BatchReader | None = None,
    database: Database | None = None,
    secrets: Sequence[str] | None = None,
    now: Callable[[], float] = time.time,  # noqa: TID251 - a receiver lives in real time
) -> Flask:
    """Make the application; what is not given comes from the environment."""
    app = Flask("vimmerse_receiver")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    database = database or Database(Path(os.environ.get("VIMMERSE_RECEIVER_DATABASE", "hooks.db")))
    keys = os.environ.get("VIMMERSE_WEBHOOK_SECRETS", "").split() if secrets is None else secrets
    # Three seconds, once: the sender waits for ten, and comes again if we could not ask the API.
    reader = client or Client(timeout=3, retry=RetryPolicy(attempts=1))
    receiver = Receiver(reader, database.enqueue, database)

    @app.post("/webhooks/vimmerse")
    def take() -> ResponseReturnValue:
        body = request.get_data()
        message_id = verify_webhook(request.headers, body, keys, now()) if keys else None
        receipt = receiver.receive(body, submission=message_id)
        app.logger.info("batch %s: %s", receipt.batch.id, receipt.batch.status)
        return "", 204

    _answer_errors(app)
    return app


def _answer_errors(app: Flask) -> None:
    """Answer what is refused. Only 2xx ends it: everything else is sent again later."""
    statuses: dict[type[Exception], int] = {
        InvalidSignature: 401,
        InvalidWebhook: 400,
        UnknownBatch: 404,
        ForeignWebhook: 404,
        BatchNotDone: 503,
        StaleStatus: 409,
        VimmerseError: 503,  # the API could not be asked
    }

    def answering(status: int) -> Callable[[Exception], ResponseReturnValue]:
        def answer(error: Exception) -> ResponseReturnValue:
            app.logger.warning("webhook refused with %d: %s", status, error)
            headers = {"Retry-After": "10"} if status == 503 else {}
            return {"refused": type(error).__name__}, status, headers

        return answer

    for error, status in statuses.items():
        app.register_error_handler(error, answering(status))
