"""The competitor: one Flask route that answers ready-made bytes.

A program: `bare.py granian|waitress PORT ANSWER_FILE THREADS`. It imports nothing of the mock that
would make it start later (`wsgi_thread` holds the mock's settings of waitress, and no more).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Final

import flask


def create_app(answer: bytes) -> flask.Flask:
    """Make the app: it answers every creation, and every reading of that one batch, alike."""
    app = flask.Flask("bare", static_folder=None, template_folder=None)
    answers = {json.loads(answer)["data"]["id"]: answer}

    @app.get("/batch/<batch_id>")
    def get_batch(batch_id: str) -> flask.Response:
        return flask.Response(answers[batch_id], mimetype="application/json")

    @app.post("/batch")
    def create_batch() -> flask.Response:
        status = 200 if flask.request.form["image_urls"] else 400
        return flask.Response(answer, status, mimetype="application/json")

    @app.get("/health")
    def health() -> flask.Response:
        return flask.Response(b'{"status":"ok"}', mimetype="application/json")

    return app


def _serve_granian(port: int, answer: Path, threads: int) -> None:
    from granian import Granian  # noqa: PLC0415 - as the mock does
    from granian.constants import Interfaces  # noqa: PLC0415 - as the mock does

    Granian(
        "bare",
        port=port,
        interface=Interfaces.WSGI,
        blocking_threads=threads,
        log_enabled=False,
    ).serve(target_loader=lambda: create_app(answer.read_bytes()), wrap_loader=False)


def _serve_waitress(port: int, answer: Path, _threads: int) -> None:
    from vimmerse_mock.serving.thread import WsgiThread  # noqa: PLC0415 - granian needs none of it

    WsgiThread(create_app(answer.read_bytes()), port=port).start()
    Event().wait()


_SERVERS: Final[dict[str, Callable[[int, Path, int], None]]] = {
    "granian": _serve_granian,
    "waitress": _serve_waitress,
}


def main(arguments: Sequence[str]) -> None:
    """Serve until killed."""
    server, port, answer, threads = arguments
    _SERVERS[server](int(port), Path(answer), int(threads))


if __name__ == "__main__":
    main(sys.argv[1:])
