"""JSON answers, written as FastAPI writes them: compact, and UTF-8 as it is."""

from __future__ import annotations

import json
from typing import Any

import flask


def json_response(body: Any, status: int = 200) -> flask.Response:  # noqa: ANN401 - any JSON
    """Make an answer of a JSON value."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return flask.Response(text, status, mimetype="application/json")
