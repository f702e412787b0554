"""What may be wrong with a request, in pydantic's words, and the 422 body that says so.

The real service is FastAPI with pydantic 2, so `type` and `msg` follow pydantic (P26 for the shape,
A for the exact strings).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one field: pydantic's error type and its message."""

    type: str
    msg: str


STRING_TYPE = Problem("string_type", "Input should be a valid string")
INT_PARSING = Problem(
    "int_parsing", "Input should be a valid integer, unable to parse string as an integer"
)
BOOL_PARSING = Problem("bool_parsing", "Input should be a valid boolean, unable to interpret input")
URL_SCHEME = Problem("url_scheme", "URL scheme should be 'http' or 'https'")
URL_PARSING = Problem("url_parsing", "Input should be a valid URL, unable to parse it")
UPLOAD_EXPECTED = Problem("value_error", "Value error, expected an uploaded file, received text")
EMPTY_FILE = Problem("value_error", "Value error, the uploaded file is empty")
NOT_AN_IMAGE = Problem(
    "value_error", "Value error, the uploaded file is not an image (judged by its content)"
)


def too_small(minimum: int) -> Problem:
    """Say that a number is under its minimum."""
    return Problem("greater_than_equal", f"Input should be greater than or equal to {minimum}")


def too_large(maximum: int) -> Problem:
    """Say that a number is over its maximum."""
    return Problem("less_than_equal", f"Input should be less than or equal to {maximum}")


def not_one_of(choices: Sequence[str]) -> Problem:
    """Say which values a field takes, in pydantic's manner: 'a', 'b' or 'c'."""
    quoted = [f"'{choice}'" for choice in choices]
    listed = " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))
    return Problem("literal_error", f"Input should be {listed}")


def problems_in(messages: Any, loc: Loc = ()) -> Iterator[tuple[Loc, Problem]]:  # noqa: ANN401 - marshmallow's messages nest dicts and lists freely
    """Walk a marshmallow `ValidationError.messages` and yield every problem with its place."""
    if isinstance(messages, Problem):
        yield loc, messages
    elif isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from problems_in(inner, (*loc, key))
    elif isinstance(messages, str):
        yield loc, Problem("value_error", f"Value error, {messages}")
    else:
        for inner in messages:
            yield from problems_in(inner, loc)


def validation_body(messages: Any) -> dict[str, Any]:  # noqa: ANN401 - as problems_in
    """Build the 422 body of FastAPI: `{"detail": [{"loc": [...], "msg": ..., "type": ...}]}`.

    The messages are by place first, `{"body": {"duration": [...]}}`, as webargs hands them over.
    """
    return {
        "detail": [
            {"loc": list(loc), "msg": problem.msg, "type": problem.type}
            for loc, problem in problems_in(messages)
        ]
    }
