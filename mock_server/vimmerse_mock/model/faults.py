"""Faults of the transport: what goes wrong between a client and an operation, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Final

from vimmerse_contracts.operations import OPERATIONS
from vimmerse_mock.errors import FaultError
from vimmerse_mock.model.clock import Span, parse_span

ANY_OPERATION: Final = ""
"""Stands in an operation's place for every one that needs a key."""
_STATUSES: Final = range(200, 600)


class FaultKind(StrEnum):
    """What goes wrong."""

    STATUS = "status"
    LATENCY = "latency"
    RESET = "reset"
    RESET_MIDWAY = "reset_midway"
    TRUNCATE = "truncate"
    NOT_JSON = "not_json"
    HTML = "html"
    DRIP = "drip"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class KindInfo:
    """What a kind of fault does; `carried_out` says whether the request has its effects."""

    what: str
    carried_out: bool


KINDS: Final[Mapping[FaultKind, KindInfo]] = MappingProxyType(
    {
        FaultKind.STATUS: KindInfo(
            "answers with `status`, `headers` and `body` out of turn", carried_out=False
        ),
        FaultKind.LATENCY: KindInfo(
            "answers late, by `delay`, or by a span from `delay` to `delay_to`", carried_out=True
        ),
        FaultKind.RESET: KindInfo("resets the connection before the answer", carried_out=False),
        FaultKind.RESET_MIDWAY: KindInfo(
            "resets the connection in the middle of the answer", carried_out=True
        ),
        FaultKind.TRUNCATE: KindInfo(
            "ends the connection after half of the body that was announced", carried_out=True
        ),
        FaultKind.NOT_JSON: KindInfo("answers 200 with a body that is no JSON", carried_out=True),
        FaultKind.HTML: KindInfo(
            "answers as a proxy does whose upstream is gone: 502 with an HTML page",
            carried_out=False,
        ),
        FaultKind.DRIP: KindInfo(
            "sends the answer in small pieces, `delay` apart", carried_out=True
        ),
        FaultKind.LOST: KindInfo(
            "carries the request out, and resets the connection instead of answering",
            carried_out=True,
        ),
    }
)
"""Every kind of fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, planned: what goes wrong, with which calls, and how often it was met.

    It waits for the `nth` call of an `operation` (empty: of any) from now on, and is met `times`
    times, None for always. `delay` and `delay_to` are spans as people write them; a latency drawn
    from between them depends on the account's seed alone. `matched` counts the calls that it was
    aimed at, `fired` those that met it.
    """

    kind: FaultKind
    operation: str = ANY_OPERATION
    nth: int = 1
    times: int | None = 1
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    delay: str | float = 1.0
    delay_to: str | float | None = None
    matched: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        known = [operation.id for operation in OPERATIONS if operation.needs_key]
        if self.operation not in (ANY_OPERATION, *known):
            raise FaultError(
                f"no operation {self.operation!r} to aim at: there are {', '.join(known)}, and an "
                "empty text for any"
            )
        if self.nth < 1 or (self.times is not None and self.times < 1):
            raise FaultError("nth and times count from 1; times is null for always")
        if self.status not in _STATUSES:
            raise FaultError(f"an HTTP status is 200 to 599, not {self.status}")
        if parse_span(self.delay) > parse_span(self.latest):
            raise FaultError(f"delay_to ({self.delay_to}) comes before delay ({self.delay})")

    def __str__(self) -> str:
        detail = f" {self.status}" if self.kind is FaultKind.STATUS else ""
        return f"{self.kind.value}{detail}, call {self.matched} of {self.operation or 'all'}"

    @property
    def latest(self) -> str | float:
        """The longest delay."""
        return self.delay if self.delay_to is None else self.delay_to

    @property
    def is_spent(self) -> bool:
        """Say whether it will never be met again."""
        return self.times is not None and self.fired >= self.times

    def targets(self, operation: str) -> bool:
        """Say whether a call of an operation counts."""
        return self.operation in (ANY_OPERATION, operation) and not self.is_spent

    def pause(self, random: Random) -> Span:
        """Draw the delay."""
        return random.randint(parse_span(self.delay), parse_span(self.latest))


def meet(faults: tuple[Fault, ...], operation: str) -> tuple[tuple[Fault, ...], Fault | None]:
    """Count a call of an operation; return the faults as they then stand, and the one it meets.

    Of several that are due, the call meets the one that was planned first; the others wait for the
    next call.
    """
    counted: list[Fault] = []
    met: Fault | None = None
    for fault in faults:
        standing = _counted(fault, operation)
        if met is None and standing.matched >= standing.nth and standing.targets(operation):
            met = standing = replace(standing, fired=standing.fired + 1)
        counted.append(standing)
    return tuple(counted), met


def _counted(fault: Fault, operation: str) -> Fault:
    return replace(fault, matched=fault.matched + 1) if fault.targets(operation) else fault
