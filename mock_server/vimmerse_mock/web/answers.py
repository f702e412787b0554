"""JSON answers, written as FastAPI writes them: compact, and UTF-8 as it is."""

from __future__ import annotations

from json import JSONEncoder
from typing import Any, Final

import flask

_ENCODER: Final = JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def to_json(body: Any) -> str:  # noqa: ANN401 - any JSON
    """Write a JSON value."""
    return _ENCODER.encode(body)


def json_response(body: Any, status: int = 200) -> flask.Response:  # noqa: ANN401 - any JSON
    """Make an answer of a JSON value."""
    return text_response(to_json(body), status)


def text_response(text: str, status: int = 200) -> flask.Response:
    """Make an answer of JSON that is written already."""
    return flask.Response(text, status, mimetype="application/json")
