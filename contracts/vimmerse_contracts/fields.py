"""Form fields that read text the way FastAPI and pydantic do, and complain in their words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validate

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one field: pydantic's error type and its message.

    `input` is what was sent there, and `ctx` the bounds that it breaks.
    """

    type: str
    msg: str
    input: object = field(default=None, compare=False)
    ctx: Mapping[str, object] | None = field(default=None, compare=False)


STRING_TYPE = Problem("string_type", "Input should be a valid string")
INT_PARSING = Problem(
    "int_parsing", "Input should be a valid integer, unable to parse string as an integer"
)
INT_TYPE = Problem("int_type", "Input should be a valid integer")
INT_SIZE = Problem(
    "int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size"
)
BOOL_TYPE = Problem("bool_type", "Input should be a valid boolean")
BOOL_PARSING = Problem("bool_parsing", "Input should be a valid boolean, unable to interpret input")
URL_SCHEME = Problem(
    "url_scheme",
    "URL scheme should be 'http' or 'https'",
    ctx=MappingProxyType({"expected_schemes": "'http' or 'https'"}),
)
URL_PARSING = Problem("url_parsing", "Input should be a valid URL, unable to parse it")


def raised(message: str) -> Problem:
    """Return what pydantic says of an error that a validator raised."""
    return Problem("value_error", f"Value error, {message}", ctx={"error": {}})


UPLOAD_EXPECTED = raised("Expected UploadFile, received: <class 'str'>")
EMPTY_FILE = raised("the uploaded file is empty")
NOT_AN_IMAGE = raised("the uploaded file is not an image (judged by its content)")


def problems_in(messages: Any, loc: Loc = ()) -> Iterator[tuple[Loc, Problem]]:  # noqa: ANN401 - marshmallow's messages nest dicts and lists freely
    """Yield every problem in a marshmallow `ValidationError.messages`, with its place."""
    if isinstance(messages, Problem):
        yield loc, messages
    elif isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from problems_in(inner, (*loc, key))
    elif isinstance(messages, str):
        yield loc, raised(messages)
    else:
        for inner in messages:
            yield from problems_in(inner, loc)


def validation_body(messages: Any) -> dict[str, Any]:  # noqa: ANN401 - as problems_in
    """Return the 422 body of FastAPI, an entry for each problem: loc, msg, type, input, maybe ctx.

    The messages are by place first, `{"body": {"duration": [...]}}`, as webargs hands them over.
    """
    return {"detail": [_entry(loc, problem) for loc, problem in problems_in(messages)]}


def _entry(loc: Loc, problem: Problem) -> dict[str, object]:
    entry = {
        "loc": list(loc),
        "msg": problem.msg,
        "type": problem.type,
        "input": problem.input,
    }
    return entry | ({"ctx": dict(problem.ctx)} if problem.ctx else {})


TIMESTAMP_PATTERN = r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{6})?\+00:00$"
"""How the API writes an instant: as `str(datetime)`, which leaves out microseconds of 0 (S)."""

_TIMESTAMP = re.compile(TIMESTAMP_PATTERN, re.ASCII)
_INTEGER = re.compile(r"([+-]?\d+(?:_\d+)*)(\.0+)?", re.ASCII)
_LONGEST_INTEGER: Final = 4_300
"""Characters, where pydantic ends, and Python too."""
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
            word, what, bound = "greater_than_equal", "greater", ("ge", self.min)
        elif value > self.max:
            word, what, bound = "less_than_equal", "less", ("le", self.max)
        else:
            return value
        msg = f"Input should be {what} than or equal to {bound[1]}"
        raise ValidationError([Problem(word, msg, ctx=dict([bound]))])


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
        msg = f"{what} should have at most {self.max} characters"
        raise ValidationError([Problem(word, msg, ctx={"max_length": self.max})])


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
        msg = f"Input should be {listed}"
        raise ValidationError([Problem("literal_error", msg, ctx={"expected": listed})])


class _Reading:
    """A field of a form: `read` returns what a value means, or raises a `ValidationError`."""

    def read(self, value: object) -> object:
        raise NotImplementedError

    def _deserialize(self, value: object, *_args: object, **_kwargs: object) -> Any:  # noqa: ANN401 - each field narrows it
        return self.read(value)


class _FormField(_Reading):
    """A field whose problems say what was sent."""

    def deserialize(self, value: object, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - marshmallow's signature
        try:
            return super().deserialize(value, *args, **kwargs)  # type: ignore[misc] # of the field
        except ValidationError as error:
            raise ValidationError([_with_input(each, value) for each in error.messages]) from error


def _with_input(message: object, value: object) -> object:
    if isinstance(message, Problem) and message.input is None:
        return replace(message, input=value)
    return message


class Text(_FormField, fields.String):
    """Text of a form."""

    def read(self, value: object) -> str:
        """Return the text; a file in its place is a problem."""
        if not isinstance(value, str):
            raise ValidationError([STRING_TYPE])
        return value


class FormInteger(_FormField, fields.Integer):
    """A whole number written as text, as pydantic reads it: `5`, ` 5 `, `5.0`, `1_0`."""

    def read(self, value: object) -> int:
        """Return the number."""
        if not isinstance(value, str):
            raise ValidationError([INT_TYPE])
        if len(value) > _LONGEST_INTEGER:
            raise ValidationError([INT_SIZE])
        found = _INTEGER.fullmatch(value.strip())
        if found is None:
            raise ValidationError([INT_PARSING])
        return int(found[1])


class FormBoolean(_FormField, fields.Boolean):
    """Yes or no written as text: true/false, 1/0, yes/no, on/off, t/f, y/n in any case."""

    def read(self, value: object) -> bool:
        """Return the truth value."""
        if not isinstance(value, str):
            raise ValidationError([BOOL_TYPE])
        word = value.lower()
        if word not in _TRUE | _FALSE:
            raise ValidationError([BOOL_PARSING])
        return word in _TRUE


class HttpUrl(_FormField, fields.String):
    """An absolute http or https URL."""

    def read(self, value: object) -> str:
        """Return the URL as it was given."""
        problem = url_problem(value) if isinstance(value, str) else STRING_TYPE
        if problem is not None:
            raise ValidationError([problem])
        return str(value)


class Upload(_FormField, fields.Raw):
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
