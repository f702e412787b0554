"""The lines of an evidence file: each is one JSON object, told apart by its `kind`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

FORMAT: Final = 1
"""The version of the format that this package writes; it reads this one and older ones."""

UNFINISHED: Final = "it was not run to its end"
"""The reason of a test that its process did not survive."""

Outcome = Literal["passed", "failed", "skipped"]


class Line(msgspec.Struct, frozen=True, tag_field="kind"):
    """What all lines have: `kind`."""


class Contract(msgspec.Struct, frozen=True):
    """The contract that a target was held to: the package's version, and each rule's source."""

    version: str
    rules: Mapping[str, str]


class Header(Line, frozen=True, tag="header"):
    """The first line. `date` is when the run began (UTC), `target` what it was pointed at."""

    format: int
    date: str
    target: str
    contract: Contract


class TargetLine(Line, frozen=True, tag="target"):
    """The target as it was met: its name, and what it declares that it can do."""

    name: str
    capabilities: tuple[str, ...] = ()


class Asked(msgspec.Struct, frozen=True):
    """A request. `key` is a reference to the key that went along; files are (field, type)."""

    method: str
    path: str
    key: str | None = None
    form: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """An answer: status, the headers that matter, and the JSON body, or what stands for another."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Exchange(Line, frozen=True, tag="exchange"):
    """A request and its answer, which is None where `error` (an exception's name) came instead.

    `at` counts seconds from the start of the run, `took` seconds of real time. `operation` is an id
    of the table of operations, or method and path where the request is none of it.
    """

    test: str
    at: float
    took: float
    operation: str
    request: Asked
    answer: Answer | None = None
    error: str = ""


class Webhook(Line, frozen=True, tag="webhook"):
    """A webhook that reached the suite's listener during a test."""

    test: str
    headers: Mapping[str, str]
    body: Any


class Begun(Line, frozen=True, tag="begun"):
    """A test begins. Sealed files have no such lines: a test that did not end has its verdict."""

    test: str
    rules: tuple[str, ...] = ()


class Verdict(Line, frozen=True, tag="verdict"):
    """What became of a test; `rules` are the ids of the rules that it holds the target to."""

    test: str
    outcome: Outcome
    rules: tuple[str, ...] = ()
    reason: str = ""


class Footer(Line, frozen=True, tag="footer"):
    """The last line: how many lines of each kind there are; `incidents` are sentences."""

    exchanges: int
    webhooks: int
    verdicts: int
    incidents: tuple[str, ...] = ()


AnyLine = Header | TargetLine | Exchange | Webhook | Begun | Verdict | Footer

_DECODER: Final[msgspec.json.Decoder[AnyLine]] = msgspec.json.Decoder(AnyLine)


def encode(line: AnyLine) -> str:
    """Write a line, with its newline."""
    return json.dumps(msgspec.to_builtins(line), ensure_ascii=False) + "\n"


def decode(text: str | bytes) -> AnyLine:
    """Read a line; keys that are not known are ignored.

    Raises:
        msgspec.DecodeError: it is no JSON, or (ValidationError) not a line.
    """
    return _DECODER.decode(text)
