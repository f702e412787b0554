"""Snapshot files: the state of accounts in JSON, checked, with errors that name line and field."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from math import isfinite
from typing import Any, Final

import msgspec
from msgspec import Struct

from vimmerse_mock.control.messages import OpenAccount, explain
from vimmerse_mock.control.soundness import problems_of
from vimmerse_mock.errors import SnapshotError
from vimmerse_mock.model.bounds import BOOKED, ITEMS, TEXT, Place, Problem, is_writable, quoted
from vimmerse_mock.model.snapshot import Snapshot

FORMAT: Final = "vimmerse-mock snapshot"
VERSION: Final = 1
_PATH: Final = re.compile(r" - at `\$(.*)`$")
_STEP: Final = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+|\.\.\.)\]")
_DECODER: Final = json.JSONDecoder()
_BLANK: Final = re.compile(r"[ \t\r\n]*")


class SnapshotFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of accounts: `accounts` are opened as described, `snapshots` were exported."""

    format: str
    version: int
    accounts: tuple[OpenAccount, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()

    def __repr__(self) -> str:  # all that is kept of an account has secrets in many places
        return f"<SnapshotFile: {len(self.accounts)} accounts, {len(self.snapshots)} snapshots>"


def read_snapshots(content: bytes) -> SnapshotFile:
    """Read a snapshot file.

    Raises:
        SnapshotError: it is no JSON, of another format or version, or a field is wrong.
    """
    content = content.removeprefix(BOM_UTF8)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SnapshotError(f"line {line}: a snapshot is JSON in UTF-8, this is not") from error
    try:
        sent = _checked_header(text)
        _require_sound(text, _unkeepable((), sent))
        read = msgspec.json.decode(content, type=SnapshotFile)
        _require_sound(text, _problems(sent, read))
    except msgspec.MsgspecError as error:
        found = _PATH.search(str(error))  # msgspec names the field by its path
        line = _line_of(text, _steps(found[1] if found else ""))
        raise SnapshotError(f"line {line}: {explain(error, SnapshotFile)}") from error
    except RecursionError as error:
        raise SnapshotError("line 1: the file is nested too deeply for a snapshot") from error
    return read


def _require_sound(text: str, problems: Iterator[Problem]) -> None:
    for place, problem in problems:
        path = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in place)
        raise SnapshotError(f"line {_line_of(text, place)}: {problem} - at `${path}`")


def _unkeepable(place: Place, sent: Any) -> Iterator[Problem]:  # noqa: ANN401 - JSON
    """Find what no store keeps, wherever it stands."""
    if problem := _problem_with(sent):
        yield place, problem
    elif isinstance(sent, list):
        for number, each in enumerate(sent):
            yield from _unkeepable((*place, number), each)
    elif isinstance(sent, dict):
        for name, each in sent.items():
            yield from _unkeepable(place, name)
            yield from _unkeepable((*place, name), each)


def _problem_with(sent: object) -> str:
    match sent:
        case str() if sent not in TEXT or not is_writable(sent):
            return f"a text has {TEXT} characters that UTF-8 can write"
        case float() if not isfinite(sent):
            return "there is no such number in JSON"
        case int() if not isinstance(sent, bool) and sent not in BOOKED:
            return "the number is too large"
        case list() | dict() if sent not in ITEMS:
            return f"a list has {ITEMS} items"
    return ""


def _problems(sent: Any, read: SnapshotFile) -> Iterator[Problem]:  # noqa: ANN401 - JSON
    """Find what is wrong with a file: `sent` is its JSON, `read` what it was read as."""
    yield from _unread((), sent, msgspec.to_builtins(read))
    for number, account in enumerate(read.accounts):
        try:
            account.opening()
        except ValueError as error:
            yield ("accounts", number), str(error)
    for number, snapshot in enumerate(read.snapshots):
        yield from problems_of(("snapshots", number), snapshot)
    yield from _taken_twice(read)


def _unread(place: Place, sent: Any, read: Any) -> Iterator[Problem]:  # noqa: ANN401 - JSON
    """Find fields that nothing reads, such as typos."""
    if isinstance(sent, dict) and isinstance(read, dict):
        for name, value in sent.items():
            if name not in read:
                yield (*place, name), f"there is no field {quoted(name)}: {', '.join(read)}"
            else:
                yield from _unread((*place, name), value, read[name])
    elif isinstance(sent, list):
        if len(sent) != len(read):  # of a scenario, which keeps equal ones alike
            yield place, "each place is named once"
        for number, (one, other) in enumerate(zip(sent, read, strict=False)):
            yield from _unread((*place, number), one, other)


def _taken_twice(read: SnapshotFile) -> Iterator[Problem]:
    """Find keys and customer ids that two accounts of the file have."""
    places: list[Place] = [("accounts", number) for number in range(len(read.accounts))]
    places += [("snapshots", number, "account") for number in range(len(read.snapshots))]
    accounts = [*read.accounts, *(snapshot.account for snapshot in read.snapshots)]
    for name in ("api_key", "customer_id"):
        seen: set[str] = set()
        for place, account in zip(places, accounts, strict=True):
            value: str = getattr(account, name)
            if value and value in seen:
                yield (*place, name), f"another account of the file has this {name} already"
            seen.add(value)


def _checked_header(text: str) -> dict[str, Any]:
    """Look at format and version first: another version's fields would mislead."""
    try:
        read = json.loads(text)
    except json.JSONDecodeError as error:
        raise SnapshotError(
            f"line {error.lineno}: a snapshot is JSON, this is not ({error.msg})"
        ) from error
    except ValueError as error:
        raise SnapshotError("line 1: a number of the file has thousands of digits") from error
    if not isinstance(read, dict) or read.get("format") != FORMAT:
        raise SnapshotError(
            f'line 1: expected {{"format": "{FORMAT}", "version": {VERSION}, ...}}, the file that '
            "`vimmerse-mock export` writes"
        )
    if read.get("version") != VERSION:
        raise SnapshotError(
            f"line {_line_of(text, ('version',))}: the snapshot has version "
            f"{quoted(read.get('version'))}, "
            f"this vimmerse-mock reads version {VERSION}: export it again with this version"
        )
    return read


def _steps(path: str) -> Place:
    """Read a path of msgspec's; it ends where msgspec writes `[...]` for an element."""
    steps: list[str | int] = []
    for name, index in _STEP.findall(path):
        if index == "...":
            break
        steps.append(name or int(index))
    return tuple(steps)


def _line_of(text: str, place: Place) -> int:
    """Return the line of a JSON text where a value begins, as far as the steps lead."""
    position = _skip_blank(text, 0)
    for step in place:
        find = _member if isinstance(step, str) else _element
        found = find(text, position, step)
        if found is None:
            break
        position = found
    return text.count("\n", 0, position) + 1


def _member(text: str, position: int, name: str | int) -> int | None:
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


def _element(text: str, position: int, index: str | int) -> int | None:
    """Find where an element of an array begins."""
    if text[position] != "[":
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
