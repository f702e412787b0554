"""Snapshot files: the state of accounts in JSON, checked, with errors that name line and field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, Final

import msgspec
from msgspec import Struct

from vimmerse_contracts.fields import url_problem
from vimmerse_mock.control.messages import OpenAccount
from vimmerse_mock.errors import OpeningError, SnapshotError
from vimmerse_mock.model.account import require_usable
from vimmerse_mock.model.snapshot import Snapshot

Problem = tuple[str, str]
"""The place of a problem, as a path like `.accounts[0]`, and what is wrong."""
_LARGEST: Final = 2**63 - 1
_LONGEST_ID: Final = 255
"""What a database's index takes in any case."""


def _problems(sent: Any, read: SnapshotFile) -> Iterator[Problem]:  # noqa: ANN401 - JSON
    """Find what is wrong with a file: `sent` is its JSON, `read` what it was read as."""
    yield from _misfits("", sent, msgspec.to_builtins(read))
    for number, account in enumerate(read.accounts):
        try:
            account.opening()
        except ValueError as error:
            yield f".accounts[{number}]", str(error)
    for number, snapshot in enumerate(read.snapshots):
        yield from _problems_of(f".snapshots[{number}]", snapshot)
    yield from _taken_twice(read)


def _misfits(place: str, sent: Any, read: Any) -> Iterator[Problem]:  # noqa: ANN401 - JSON
    """Find fields that nothing reads, such as typos, and numbers that no store keeps."""
    if isinstance(sent, dict) and isinstance(read, dict):
        for name, value in sent.items():
            if name not in read:
                yield f"{place}.{name}", f"there is no field `{name}`: {', '.join(read)}"
            else:
                yield from _misfits(f"{place}.{name}", value, read[name])
    elif isinstance(sent, list):
        for number, (one, other) in enumerate(zip(sent, read, strict=True)):
            yield from _misfits(f"{place}[{number}]", one, other)
    elif isinstance(sent, int) and abs(sent) > _LARGEST:
        yield place, "the number is too large"


def _problems_of(place: str, snapshot: Snapshot) -> Iterator[Problem]:
    """Find in one account what belongs to nobody or to somebody else, and unsound money."""
    customer_id = snapshot.account.customer_id
    if not customer_id or not snapshot.account.api_key:
        yield f"{place}.account", "an account has a customer_id and an api_key"
    try:
        require_usable(snapshot.account.api_key, customer_id)
    except OpeningError as error:
        yield f"{place}.account", str(error)
    yield from _unsound_money(f"{place}.ledger", snapshot)
    for number, batch in enumerate(snapshot.batches):
        where = f"{place}.batches[{number}]"
        yield from _foreign(f"{where}.customer_id", "batch", batch.customer_id, customer_id)
        if not batch.submissions or not batch.medias:
            yield where, "a batch has at least one submission and one media"
    for number, message in enumerate(snapshot.messages):
        where = f"{place}.messages[{number}]"
        yield from _foreign(f"{where}.customer_id", "webhook", message.customer_id, customer_id)
        if len(message.id) > _LONGEST_ID:
            yield f"{where}.id", f"an id has at most {_LONGEST_ID} characters"
        if url_problem(message.url) is not None:
            yield f"{where}.url", "a webhook goes to an http or https URL"
    yield from _repeated(f"{place}.batches", "id", (b.id for b in snapshot.batches))
    messages = ((m.batch_id, m.submission, m.number) for m in snapshot.messages)
    yield from _repeated(f"{place}.messages", "batch_id, submission and number", messages)


def _foreign(place: str, what: str, owner: str, customer_id: str) -> Iterator[Problem]:
    if owner != customer_id:
        yield place, f"the {what} belongs to another customer than {customer_id}"


def _unsound_money(place: str, snapshot: Snapshot) -> Iterator[Problem]:
    sums = accumulate(entry.amount for entry in snapshot.ledger)
    for number, balance in enumerate(sums):
        if balance < 0:
            yield f"{place}[{number}]", f"the ledger comes to {balance} credits, not 0 or more"
    if snapshot.ledger and snapshot.ledger[-1].balance != snapshot.balance:
        last = f"{place}[{len(snapshot.ledger) - 1}].balance"
        yield last, f"the last balance is the ledger's sum, {snapshot.balance}"


def _taken_twice(read: SnapshotFile) -> Iterator[Problem]:
    """Find keys and customer ids that two accounts of the file have."""
    places = [f".accounts[{number}]" for number in range(len(read.accounts))]
    places += [f".snapshots[{number}].account" for number in range(len(read.snapshots))]
    accounts = [*read.accounts, *(snapshot.account for snapshot in read.snapshots)]
    for name in ("api_key", "customer_id"):
        seen: set[str] = set()
        for place, account in zip(places, accounts, strict=True):
            value: str = getattr(account, name)
            if value and value in seen:
                yield f"{place}.{name}", f"another account of the file has this {name} already"
            seen.add(value)


def _repeated(place: str, name: str, values: Iterable[object]) -> Iterator[Problem]:
    seen: set[object] = set()
    for number, value in enumerate(values):
        if value in seen:
            yield f"{place}[{number}]", f"another one has this {name} already"
        seen.add(value)


FORMAT: Final = "vimmerse-mock snapshot"
VERSION: Final = 1
_PLACE: Final = re.compile(r" - at `\$(.*)`$")
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
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SnapshotError(f"line {line}: a snapshot is JSON in UTF-8, this is not") from error
    sent = _checked_header(text)
    try:
        read = msgspec.json.decode(content, type=SnapshotFile)
    except msgspec.ValidationError as error:
        found = _PLACE.search(str(error))  # msgspec names the field by its path
        line = _line_of(text, found[1] if found else "")
        raise SnapshotError(f"line {line}: {error}") from error
    for place, problem in _problems(sent, read):
        raise SnapshotError(f"line {_line_of(text, place)}: {problem} - at `${place}`")
    return read


def _checked_header(text: str) -> dict[str, Any]:
    """Look at format and version first: another version's fields would mislead."""
    try:
        read = json.loads(text)
    except json.JSONDecodeError as error:
        raise SnapshotError(
            f"line {error.lineno}: a snapshot is JSON, this is not ({error.msg})"
        ) from error
    except RecursionError as error:
        raise SnapshotError("line 1: the file is nested too deeply for a snapshot") from error
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


def _line_of(text: str, path: str) -> int:
    """Return the line of a JSON text where the value at a path begins, as far as the path leads."""
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
