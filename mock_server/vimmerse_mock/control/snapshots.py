"""Snapshot files: the state of accounts in JSON, checked, with errors that name line and field."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from vimmerse_mock.control.resources import OpenAccount
from vimmerse_mock.control.soundness import problems
from vimmerse_mock.model.snapshot import Snapshot

FORMAT: Final = "vimmerse-mock snapshot"
VERSION: Final = 1
_PLACE: Final = re.compile(r" - at `\$(.*)`$")
_STEP: Final = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+|\.\.\.)\]")
_DECODER: Final = json.JSONDecoder()
_BLANK: Final = re.compile(r"[ \t\r\n]*")


class SnapshotError(ValueError):
    """A file is no snapshot that can be used; the sentence names line and field."""


class SnapshotFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of accounts: `accounts` are opened as described, `snapshots` were exported."""

    format: str
    version: int
    accounts: tuple[OpenAccount, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()


def read_snapshots(content: bytes) -> SnapshotFile:
    """Read a snapshot file.

    Raises:
        SnapshotError: it is no JSON, of another format or version, or a field is wrong.
    """
    text = _text(content)
    sent = _checked_header(text)
    try:
        read = msgspec.json.decode(content, type=SnapshotFile)
    except msgspec.ValidationError as error:
        raise SnapshotError(_located(text, str(error))) from error
    for place, problem in problems(sent, read):
        raise SnapshotError(f"line {_line_of(text, place)}: {problem} - at `${place}`")
    return read


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SnapshotError(f"line {line}: a snapshot is JSON in UTF-8, this is not") from error


def _checked_header(text: str) -> dict[str, Any]:
    """Look at format and version first: another version's fields would mislead."""
    try:
        read = json.loads(text)
    except json.JSONDecodeError as error:
        raise SnapshotError(
            f"line {error.lineno}: a snapshot is JSON, this is not ({error.msg})"
        ) from error
    except RecursionError as error:
        raise SnapshotError("line 1: no snapshot is nested as deep as this") from error
    if not isinstance(read, dict) or read.get("format") != FORMAT:
        raise SnapshotError(
            f'line 1: expected {{"format": "{FORMAT}", "version": {VERSION}, ...}}, the file that '
            "`vimmerse-mock export` writes"
        )
    if read.get("version") != VERSION:
        raise SnapshotError(
            f"line {_line_of(text, '.version')}: the snapshot has version {read.get('version')!r}, "
            f"this vimmerse-mock reads version {VERSION}: export it again with this version"
        )
    return read


def _located(text: str, message: str) -> str:
    """Put the line in front of what msgspec says; it names the field by its path."""
    place = _PLACE.search(message)
    return f"line {_line_of(text, place[1] if place else '')}: {message}"


def _line_of(text: str, path: str) -> int:
    """Tell in which line of a JSON text the value at a path begins, as far as the path leads."""
    position = _skip_blank(text, 0)
    for name, index in _STEP.findall(path):
        found = _member(text, position, name) if name else _element(text, position, index)
        if found is None:
            break
        position = found
    return text.count("\n", 0, position) + 1


def _member(text: str, position: int, name: str) -> int | None:
    """Find where the value of an object's member begins."""
    if text[position] != "{":
        return None
    position = _skip_blank(text, position + 1)
    while text[position] == '"':
        key, position = _DECODER.raw_decode(text, position)
        position = _skip_blank(text, _skip_blank(text, position) + 1)
        if key == name:
            return position
        position = _next_item(text, position)
    return None


def _element(text: str, position: int, index: str) -> int | None:
    """Find where an element of an array begins; msgspec writes `...` where it does not know it."""
    if text[position] != "[" or not index.isdecimal():
        return None
    position = _skip_blank(text, position + 1)
    for _ in range(int(index)):
        position = _next_item(text, position)
    return position


def _next_item(text: str, position: int) -> int:
    """Skip a value, and the comma or bracket behind it."""
    _, position = _DECODER.raw_decode(text, position)
    return _skip_blank(text, _skip_blank(text, position) + 1)


def _skip_blank(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position
