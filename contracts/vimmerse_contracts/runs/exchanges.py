"""A request of the suite, and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from vimmerse_contracts.vocabulary import BatchStatus

_JSON_TYPES: Final[tuple[tuple[type, str], ...]] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)


def json_type(value: object) -> str:
    """Return the JSON type of a value; whole numbers are 'integer', as in JSON Schema."""
    for kind, name in _JSON_TYPES:
        if isinstance(value, kind):
            return name
    return "null"


class Request(msgspec.Struct, frozen=True):
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

    @property
    def is_refusal(self) -> bool:
        """Whether the service answered that it did nothing."""
        return 400 <= self.status < 500

    @property
    def batch(self) -> Mapping[str, Any]:
        """The Batch in it; empty where there is none."""
        batch = self.body.get("data") if isinstance(self.body, dict) else None
        return batch if isinstance(batch, dict) else {}

    @property
    def batch_is_final(self) -> bool:
        """Whether there is a Batch, and nothing more happens to it by itself."""
        return self.batch.get("status") in (BatchStatus.SUCCESS, BatchStatus.FAIL)


class Exchange(msgspec.Struct, frozen=True, tag_field="kind", tag="exchange"):
    """A request and its answer, which is None where `error` (an exception's name) came instead.

    `at` counts seconds from the start of the run, `took` seconds of real time. `operation` is an id
    of the table of operations, or method and path where the request is none of it. This is a line
    of an evidence file, too.
    """

    test: str
    at: float
    took: float
    operation: str
    request: Request
    answer: Answer | None = None
    error: str = ""
