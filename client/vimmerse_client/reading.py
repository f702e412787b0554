"""Values of the API, read as what they are meant to be.

The contract has a type for each field, and the suite insists on it. The client doesn't: an object
that the service wrote otherwise may be paid for all the same. So nothing here raises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from vimmerse_client.errors import excerpt
from vimmerse_contracts.fields import problems_in
from vimmerse_contracts.schemas import BatchSchema
from vimmerse_contracts.vocabulary import NO, YES, BatchStatus


def read_text(value: object) -> str:
    """Return a text; a truth value as the contract writes it, Yes or No."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return YES if value else NO
    return "" if value is None else str(value)


def read_url(value: object) -> str | None:
    """Return a URL, or None where there is none."""
    return value if isinstance(value, str) and value else None


def read_list(value: object) -> tuple[Any, ...]:
    """Return the items of a list; a single object counts as a list of one."""
    if isinstance(value, list | tuple):
        return tuple(value)
    return () if value is None else (value,)


def read_object(value: object) -> Mapping[str, Any]:
    """Return an object; an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}


def read_percentage(value: object) -> int:
    """Return a whole number from 0 to 100, also of a text; 0 where it is none."""
    try:
        number = float(value) if isinstance(value, str | int | float) else 0.0
    except (ValueError, OverflowError):
        return 0
    return 0 if math.isnan(number) else int(min(max(number, 0), 100))


def read_instant(value: object) -> datetime | None:
    """Return an instant of any ISO 8601 format in UTC, or None where it is none."""
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
        if instant is None:
            return None
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class UnknownStatus(str):
    """A status that the contract does not know. It has what a `BatchStatus` has."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """The word itself."""
        return str(self)

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens: at `cancel`, which medias have (P26), and no other."""
        return self == "cancel"


def read_status(value: str) -> BatchStatus | UnknownStatus:
    """Return the contract's status, in any letter case, or one that it does not know."""
    try:
        return BatchStatus(value.lower())
    except ValueError:
        return UnknownStatus(value)


def deviations_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Return what is not as the contract has it, by its place, such as `medias.0.item`."""
    said: dict[str, str] = {}
    for loc, problem in problems_in(BatchSchema().validate(data)):
        place = ".".join(str(part) for part in loc if part != "_schema")
        text = excerpt(problem.msg.removeprefix("Value error, "))
        said[place] = f"{said[place]} {text}" if place in said else text
    return said
