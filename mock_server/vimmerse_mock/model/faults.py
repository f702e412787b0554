"""Faults: what goes wrong between a client and the API, and with which calls.

A kind of fault is defined here by its effect, as data; `web/faults.py` carries any effect out, over
a socket or without one, and knows no kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from random import Random
from typing import Annotated, Final, Self

from vimmerse_contracts.operations import OPERATIONS
from vimmerse_mock.errors import FaultError
from vimmerse_mock.model.bounds import COUNT, NUMBER, TEXT, Bounds, Lengths, is_writable, quoted
from vimmerse_mock.model.clock import SECOND, Span, format_span, parse_span

ANY_OPERATION: Final = ""
"""Stands in an operation's place for every one that needs a key."""
_OPERATIONS: Final = tuple(operation.id for operation in OPERATIONS if operation.needs_key)
_STATUS: Final = Bounds(200, 599)
_HEADERS: Final = Lengths(0, 64)
_HEADER: Final = Bounds(1, 8_192)
"""Name and value together."""
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_FRAMING: Final = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that say where an answer ends; whoever sends it writes them."""
_LONGEST_DELAY: Final[Span] = 86_400 * SECOND
_BAD_GATEWAY: Final = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    "<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in place of the operation's; without a `body`, the contract's for the status."""

    status: int
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    mimetype: str = "application/json"


@dataclass(frozen=True, slots=True)
class Break:
    """How a connection ends: before the answer or `midway` in it, by a `reset` or just closed."""

    midway: bool
    reset: bool


_BEFORE: Final = Break(midway=False, reset=True)
_MIDWAY: Final = Break(midway=True, reset=True)
_CUT: Final = Break(midway=True, reset=False)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a kind of fault does, in words and as data; `name` is the kind's in JSON.

    `carried_out` is whether the request has its effects, such as a batch and a charge. The delay
    comes before the answer (`delays`) or between pieces of it (`drips`). `answer` makes the answer
    that is sent in place of the operation's own; `breaks` is how the connection ends instead.
    """

    name: str
    what: str
    carried_out: bool = True
    delays: bool = False
    drips: bool = False
    answer: Callable[[Fault], Answer] | None = None
    breaks: Break | None = None


class FaultKind(StrEnum):
    """What goes wrong."""

    effect: Effect

    def __new__(cls, effect: Effect) -> Self:
        """Make a member of the effect; its value is the name."""
        kind = str.__new__(cls, effect.name)
        kind._value_ = effect.name
        kind.effect = effect
        return kind

    @classmethod
    def _missing_(cls, value: object) -> Self:
        raise FaultError(f"no kind of fault {quoted(value)}: there are {', '.join(cls)}")

    STATUS = Effect(
        "status",
        "answers with the given `status`, `headers` and `body`",
        carried_out=False,
        answer=lambda fault: Answer(fault.status, fault.body, fault.headers),
    )
    LATENCY = Effect(
        "latency",
        "answers after `delay`, or after a random span from `delay` to `delay_to`",
        delays=True,
    )
    RESET = Effect(
        "reset", "resets the connection before the answer", carried_out=False, breaks=_BEFORE
    )
    RESET_MIDWAY = Effect(
        "reset_midway", "resets the connection in the middle of the answer", breaks=_MIDWAY
    )
    TRUNCATE = Effect(
        "truncate", "closes the connection after half of the announced body", breaks=_CUT
    )
    NOT_JSON = Effect(
        "not_json",
        "answers 200 with a body that is not JSON",
        answer=lambda _: Answer(200, '{"data": {"id": '),
    )
    HTML = Effect(
        "html",
        "answers 502 with an HTML page, like a proxy without its upstream",
        carried_out=False,
        answer=lambda _: Answer(502, _BAD_GATEWAY, mimetype="text/html"),
    )
    DRIP = Effect("drip", "sends the answer in small pieces, `delay` apart", drips=True)
    LOST = Effect(
        "lost",
        "carries the request out, and resets the connection instead of answering",
        breaks=_BEFORE,
    )


@dataclass(frozen=True)  # without slots, for the cached property
class Fault:
    """One fault, planned: what goes wrong, with which calls, and how often it was met.

    It waits for the `nth` call of an `operation` (empty: of any) from now on, and is met `times`
    times, None for always. `delay` and `delay_to` are spans as people write them; a latency drawn
    from between them depends on the account's seed alone. `matched` counts the calls that it was
    aimed at, `fired` those that met it.

    Raises:
        FaultError: it makes no sense.
        SpanError: a delay is no span.
    """

    kind: FaultKind
    operation: str = ANY_OPERATION
    nth: Annotated[int, NUMBER] = 1
    times: Annotated[int, NUMBER] | None = 1
    status: Annotated[int, _STATUS] = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    delay: str | float = 1.0
    delay_to: str | float | None = None
    matched: Annotated[int, COUNT] = 0
    fired: Annotated[int, COUNT] = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", FaultKind(self.kind))  # type: ignore[arg-type]  # a name is one, too
        if self.operation not in (ANY_OPERATION, *_OPERATIONS):
            raise FaultError(
                f"no operation {quoted(self.operation)} to aim at: there are "
                f"{', '.join(_OPERATIONS)}, and an empty text for any"
            )
        if self.nth not in NUMBER or (self.times is not None and self.times not in NUMBER):
            raise FaultError(f"nth and times are {NUMBER}; times null means always")
        if self.status not in _STATUS:
            raise FaultError(f"an HTTP status is {_STATUS}, not {quoted(self.status)}")
        if self.body is not None and (self.body not in TEXT or not is_writable(self.body)):
            raise FaultError(f"a body is a text of {TEXT} characters that UTF-8 can write")
        _require_sendable(self.headers)
        shortest, longest = self._delays
        if shortest > longest:
            raise FaultError(f"delay_to ({self.delay_to}) is shorter than delay ({self.delay})")
        if longest > _LONGEST_DELAY:
            raise FaultError(f"a delay passes in real time: at most {format_span(_LONGEST_DELAY)}")

    def __str__(self) -> str:
        detail = f" {self.status}" if self.kind is FaultKind.STATUS else ""
        return f"{self.kind.value}{detail}, call {self.matched} of {self.operation or 'all'}"

    @cached_property
    def _delays(self) -> tuple[Span, Span]:
        longest = self.delay if self.delay_to is None else self.delay_to
        return parse_span(self.delay), parse_span(longest)

    def is_aimed_at(self, operation: str) -> bool:
        """Whether a call of an operation counts; none does once the fault was met `times` times."""
        is_spent = self.times is not None and self.fired >= self.times
        return self.operation in (ANY_OPERATION, operation) and not is_spent

    def draw_delay(self, random: Random) -> Span:
        """Draw a delay."""
        return random.randint(*self._delays)


def _require_sendable(headers: Mapping[str, str]) -> None:
    """Refuse headers that no answer can have."""
    if headers not in _HEADERS:
        raise FaultError(f"an answer has {_HEADERS} headers of a fault, not {len(headers)}")
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise FaultError(
                f"no header can be {quoted(f'{name}: {value}')}: a name is a word, a value one "
                "line of Latin-1"
            )
        if len(name) + len(value) not in _HEADER:
            raise FaultError(f"a header is {_HEADER} characters long, name and value together")
        if name.lower() in _FRAMING:
            raise FaultError(
                f"{name} says where an answer ends, which the mock decides: for an answer that "
                "is cut off use the kinds reset_midway and truncate"
            )


def count_call(faults: tuple[Fault, ...], operation: str) -> tuple[tuple[Fault, ...], Fault | None]:
    """Count a call of an operation; return the faults as they then stand, and the one it meets.

    Of several that are due, the call meets the one that was planned first; the others wait for the
    next call.
    """
    counted: list[Fault] = []
    met: Fault | None = None
    for fault in faults:
        if not fault.is_aimed_at(operation):
            counted.append(fault)
            continue
        standing = replace(fault, matched=fault.matched + 1)
        if met is None and standing.matched >= standing.nth:
            met = standing = replace(standing, fired=standing.fired + 1)
        counted.append(standing)
    return tuple(counted), met
