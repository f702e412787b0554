"""Form fields that read text the way FastAPI and pydantic do, and complain in their words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validate

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


def problems_in(messages: Any, loc: Loc = ()) -> Iterator[tuple[Loc, Problem]]:  # noqa: ANN401 - marshmallow's messages nest dicts and lists freely
    """Yield every problem in a marshmallow `ValidationError.messages`, with its place."""
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
    """Return the 422 body of FastAPI: `{"detail": [{"loc": [...], "msg": ..., "type": ...}]}`.

    The messages are by place first, `{"body": {"duration": [...]}}`, as webargs hands them over.
    """
    return {
        "detail": [
            {"loc": list(loc), "msg": problem.msg, "type": problem.type}
            for loc, problem in problems_in(messages)
        ]
    }


TIMESTAMP_PATTERN = r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{6})?\+00:00$"
"""How the API writes an instant: as `str(datetime)`, which leaves out microseconds of 0 (S)."""

_TIMESTAMP = re.compile(TIMESTAMP_PATTERN, re.ASCII)
_INTEGER = re.compile(r"\s*[+-]?\d{1,30}(\.0+)?\s*", re.ASCII)
_TRUE = frozenset({"1", "on", "t", "true", "y", "yes"})
_FALSE = frozenset({"0", "off", "f", "false", "n", "no"})
_DOTTED = re.compile(r"\d+(\.\d+){3}", re.ASCII)
_NEVER_IN_HOSTS = re.compile(r"[%\\<>^|\"`{}]")
_LONGEST_LABEL = 63
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")


class Between(validate.Range):
    """A number from one to another, both included."""

    def __call__(self, value: Any) -> Any:  # noqa: ANN401 - marshmallow's signature
        """Return the value, if it is within."""
        if value < self.min:
            what = "greater_than_equal", f"Input should be greater than or equal to {self.min}"
        elif value > self.max:
            what = "less_than_equal", f"Input should be less than or equal to {self.max}"
        else:
            return value
        raise ValidationError([Problem(*what)])


class AtMost(validate.Length):
    """A text of so many characters at most."""

    kind = ("string_too_long", "String")

    def __init__(self, most: int) -> None:
        super().__init__(max=most)

    def __call__(self, value: Any) -> Any:  # noqa: ANN401 - marshmallow's signature
        """Return the text, if it is short enough."""
        if self.max is None or len(value) <= self.max:
            return value
        word, what = self.kind
        problem = Problem(word, f"{what} should have at most {self.max} characters")
        raise ValidationError([problem])


class UrlAtMost(AtMost):
    """A URL of so many characters at most."""

    kind = ("url_too_long", "URL")


class Choice(validate.OneOf):
    """One of a few words, in the letter case given."""

    def __call__(self, value: Any) -> Any:  # noqa: ANN401 - marshmallow's signature
        """Return the value, if it is one of them; the problem lists them as pydantic does."""
        if value in self.choices:
            return value
        *others, last = (f"'{choice}'" for choice in self.choices)
        listed = f"{', '.join(others)} or {last}" if others else last
        raise ValidationError([Problem("literal_error", f"Input should be {listed}")])


class _Reading:
    """A field of a form: `read` returns what a value means, or raises a `ValidationError`."""

    def read(self, value: object) -> object:
        raise NotImplementedError

    def _deserialize(self, value: object, *_args: object, **_kwargs: object) -> Any:  # noqa: ANN401 - each field narrows it
        return self.read(value)


class Text(_Reading, fields.String):
    """Text of a form."""

    def read(self, value: object) -> str:
        """Return the text; a file in its place is a problem."""
        if not isinstance(value, str):
            raise ValidationError([STRING_TYPE])
        return value


class FormInteger(_Reading, fields.Integer):
    """A whole number written as text, as pydantic reads it (`5`, ` 5 `, `5.0`), not `1_000`."""

    def read(self, value: object) -> int:
        """Return the number."""
        if not isinstance(value, str) or not _INTEGER.fullmatch(value):
            raise ValidationError([INT_PARSING])
        return int(value.partition(".")[0])


class FormBoolean(_Reading, fields.Boolean):
    """Yes or no written as text: true/false, 1/0, yes/no, on/off, t/f, y/n in any case."""

    def read(self, value: object) -> bool:
        """Return the truth value."""
        word = value.lower() if isinstance(value, str) else ""
        if word not in _TRUE | _FALSE:
            raise ValidationError([BOOL_PARSING])
        return word in _TRUE


class HttpUrl(_Reading, fields.String):
    """An absolute http or https URL."""

    def read(self, value: object) -> str:
        """Return the URL as it was given."""
        problem = url_problem(value) if isinstance(value, str) else STRING_TYPE
        if problem is not None:
            raise ValidationError([problem])
        return str(value)


class Upload(_Reading, fields.Raw):
    """An uploaded file, handed on as the server made it of the upload.

    A server that found something wrong with the file hands in the `Problem` instead.
    """

    def read(self, value: object) -> object:
        """Return what the server made of the upload; text in its place is a problem."""
        if isinstance(value, str):
            raise ValidationError([UPLOAD_EXPECTED])
        if isinstance(value, Problem):
            raise ValidationError([value])
        return value


class Timestamp(_Reading, fields.String):
    """An instant as the API writes it: `2025-04-02 16:21:42.465259+00:00` (S, O)."""

    def read(self, value: object) -> str:
        """Return the text; any other format is a problem."""
        try:
            parse_timestamp(str(value))
        except ValueError as error:
            expected = "an instant like '2025-04-02 16:21:42.465259+00:00'"
            raise ValidationError(f"expected {expected}, got {value!r}") from error
        return str(value)


def url_problem(value: str) -> Problem | None:
    """Return what is wrong with an absolute http(s) URL; None if nothing is."""
    if _UNPRINTABLE.search(value):
        return URL_PARSING
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return URL_PARSING
    if parts.scheme and parts.scheme not in {"http", "https"}:
        return URL_SCHEME
    if not parts.scheme or port == 0 or not _is_host(parts.hostname or ""):
        return URL_PARSING
    return None


def _is_host(host: str) -> bool:
    """Whether a host can be looked up: an address, or a name of labels that DNS allows."""
    try:
        if ":" in host or _DOTTED.fullmatch(host):
            return bool(ip_address(host.partition("%")[0]))
        labels = host.removesuffix(".").encode("idna").split(b".")
    except ValueError:  # UnicodeError, too
        return False
    return not _NEVER_IN_HOSTS.search(host) and all(
        0 < len(label) <= _LONGEST_LABEL for label in labels
    )


def parse_timestamp(text: str) -> datetime:
    """Return the instant that a text of the API stands for.

    On a whole second the text may lack its microseconds, as in `2025-04-02 16:21:42+00:00`.

    Raises:
        ValueError: it is written in another format.
    """
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError(f"{text!r} is no instant as the API writes it")
    return datetime.fromisoformat(text)


def format_timestamp(instant: datetime) -> str:
    """Return an instant as the API writes it: `str(datetime)` in UTC (S).

    Python leaves the microseconds out where they are 0.
    """
    return str(instant.astimezone(UTC))
