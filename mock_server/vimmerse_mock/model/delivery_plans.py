"""Delivery plans: how badly the webhooks of a submission are delivered, on purpose.

A plan is resolved into messages when a batch is submitted, and the messages are stored with it:
changing a plan later changes no webhook that exists. Whatever a plan adds comes beside the true
webhook, which comes all the same unless it is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from vimmerse_mock.errors import PlanError, SpanError
from vimmerse_mock.model.bounds import TEXT, quoted
from vimmerse_mock.model.clock import Instant, Span, parse_span
from vimmerse_mock.model.outbox import BODY_FIELDS, Message, MessageState, Variant

OK: Final = "ok"
TIMEOUT: Final = "timeout"
REFUSED: Final = "refused"
SWAP: Final = "swap"
MOST_COPIES: Final = 1_000
_MOST_STEPS: Final = 100
_COPIES: Final = re.compile(r"\d{1,9}", re.ASCII)
_STATUS: Final = re.compile(r"[1-9]\d\d", re.ASCII)
_WRONG_STATUS: Final = "finished"


@dataclass(frozen=True)  # without slots, for the cached property
class Step:
    """One word of a plan, and what stands behind it.

    Raises:
        PlanError: there is no such step, or the argument does not fit; it says what is allowed.
    """

    verb: str
    argument: str = ""

    def __post_init__(self) -> None:
        """Read the argument at once."""
        _ = self.value

    @cached_property
    def value(self) -> Any:  # noqa: ANN401 - what the verb reads
        """What the argument says."""
        try:
            return self.kind.read(self.argument)
        except PlanError as error:
            raise PlanError(f"{quoted(self.verb)}: {error}") from error

    @property
    def kind(self) -> Verb:
        """What the verb means."""
        if not _STATUS.fullmatch(self.verb):
            if self.verb not in VERBS or self.verb == STATUS_VERB:
                raise PlanError(f"unknown step; {allowed()}")
            return VERBS[self.verb]
        if not 300 <= int(self.verb) < 600:
            raise PlanError(
                "a pretended answer is a status from 300 to 599; for 2xx use ok, which sends the "
                "webhook, or drop"
            )
        return VERBS[STATUS_VERB]

    def __str__(self) -> str:
        return f"{self.verb} {self.argument}".strip()


@dataclass(frozen=True, slots=True)
class DeliveryPlan:
    """What happens to the webhooks of one submission; `str` writes it as `parse_plan` reads it.

    Raises:
        PlanError: its steps make no sense together; the sentence says what is allowed.
    """

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        """Refuse what makes no sense, wherever it comes from."""
        if not 0 < len(self.steps) <= _MOST_STEPS:
            raise PlanError(f"a plan has 1 to {_MOST_STEPS} steps, not {len(self.steps)}")
        shaping = [step for step in self.steps if step.kind.apply is not None]
        verbs = [step.verb for step in shaping]
        if "drop" in verbs and len(self.steps) > 1:
            raise PlanError("drop cannot be combined with other steps")
        for step in shaping:
            if shaping.count(step) > 1:
                raise PlanError(f"{step} is there twice; write it once")
        if "duplicate" in verbs and "burst" in verbs:
            raise PlanError("duplicate and burst cannot be combined: use burst with a number")
        for verb in ("delay", "burst"):
            if verbs.count(verb) > 1:
                raise PlanError(f"a plan can have only one {verb}")

    def __str__(self) -> str:
        return ", ".join(map(str, self.steps))

    @property
    def swaps(self) -> bool:
        """Whether the true webhook waits for another to change places with."""
        return any(step.verb == SWAP for step in self.steps)


@dataclass(frozen=True, slots=True)
class Planned:
    """The true webhook of a submission on its way through a plan, and what comes with it.

    The submission goes from `begins_at` to `ends_at`. `before` are sent first, `after` follow.
    """

    true: Message
    begins_at: Instant
    ends_at: Instant
    random: Random
    before: tuple[Message, ...] = ()
    after: tuple[Message, ...] = ()

    def change(self, **fields: Any) -> Planned:  # noqa: ANN401 - fields of `Message`
        """Change the true webhook."""
        return replace(self, true=replace(self.true, **fields))

    def first(self, variant: Variant, **fields: Any) -> Planned:  # noqa: ANN401 - as above
        """Send a variant before the true webhook."""
        message = replace(self.true, variant=variant, answers=(), at_once=False, **fields)
        return replace(self, before=(*self.before, message))

    def repeat(self, times: int) -> Planned:
        """Send the true webhook again, as the same event."""
        copy = replace(self.true, variant=Variant.COPY, event=self.true.id, answers=())
        return replace(self, after=(copy,) * times)

    def messages(self) -> Iterator[Message]:
        """Number everything in the order in which it is sent; the true one keeps its id."""
        for number, message in enumerate((*self.before, self.true, *self.after), start=1):
            is_true = message.variant is Variant.NONE
            name = message.id if is_true else f"{message.id}-{number}"
            yield replace(message, number=number, id=name)


def _read_nothing(argument: str) -> None:
    if argument:
        raise PlanError(f"this step takes no argument, not {quoted(argument)}")


def _read_field(argument: str) -> str:
    if argument not in BODY_FIELDS:
        raise PlanError(
            f"expected a field after it ({', '.join(BODY_FIELDS)}), not {quoted(argument)}"
        )
    return argument


def _read_copies(argument: str) -> int:
    if not _COPIES.fullmatch(argument) or not 2 <= int(argument) <= MOST_COPIES:
        raise PlanError(
            f"expected a number from 2 to {MOST_COPIES} after it, not {quoted(argument)}"
        )
    return int(argument)


def _read_delay(argument: str) -> tuple[Span, Span]:
    written, dots, longest_written = argument.partition("..")
    try:
        shortest = parse_span(written)
        longest = parse_span(longest_written) if dots else shortest
    except SpanError as error:
        raise PlanError(
            f"expected a span like 30s, or two like 1s..30s, after it, not {quoted(argument)}"
        ) from error
    if shortest > longest:
        raise PlanError(f"write the shorter span of {quoted(argument)} first")
    return shortest, longest


def _delayed(planned: Planned, spans: tuple[Span, Span]) -> Planned:
    return planned.change(due_at=planned.true.due_at + planned.random.randint(*spans))


def _stale(planned: Planned, _: None) -> Planned:
    midway = (planned.begins_at + planned.ends_at) // 2
    return planned.first(Variant.STALE, due_at=midway, status="success")


def _wrong(planned: Planned, name: str) -> Planned:
    drawn = str(UUID(int=planned.random.getrandbits(128), version=4))
    value = _WRONG_STATUS if name == "status" else drawn
    return planned.first(Variant.WRONG, changes=((name, value),))


@dataclass(frozen=True, slots=True)
class Verb:
    """A word that a plan may use.

    `written` shows it with its argument, which `read` reads: it raises PlanError for one that does
    not fit. `apply` is what the verb does, by what was read, to a submission's webhooks; None for
    an answer, which stands for one attempt.
    """

    written: str
    meaning: str
    apply: Callable[[Planned, Any], Planned] | None = None
    read: Callable[[str], object] = _read_nothing


STATUS_VERB: Final = "300..599"
VERBS: Final[Mapping[str, Verb]] = MappingProxyType(
    {
        OK: Verb("ok", "the webhook is really sent; the answer of the receiver counts"),
        STATUS_VERB: Verb(
            "500", "nothing is sent; the attempt counts as answered with this status"
        ),
        TIMEOUT: Verb("timeout", "nothing is sent; the attempt counts as not answered in time"),
        REFUSED: Verb("refused", "nothing is sent; the attempt counts as a refused connection"),
        "delay": Verb(
            "delay 30s",
            "the webhook comes later; `delay 1s..30s` is random, by the seed",
            _delayed,
            _read_delay,
        ),
        "drop": Verb(
            "drop",
            "the webhook never comes",
            lambda planned, _: planned.change(state=MessageState.DROPPED),
        ),
        "duplicate": Verb(
            "duplicate",
            "the webhook comes twice, one after the other",
            lambda planned, _: planned.repeat(1),
        ),
        "burst": Verb(
            "burst 20",
            "the webhook comes this many times, all at the same instant",
            lambda planned, copies: planned.change(at_once=True).repeat(copies - 1),
            _read_copies,
        ),
        SWAP: Verb(
            "swap",
            "the webhook changes places with the account's next webhook",
            lambda planned, _: planned,  # it takes the account's next webhook (`swapped`)
        ),
        "early": Verb(
            "early",
            "before it, a webhook comes even before the request is answered",
            lambda planned, _: planned.first(Variant.EARLY, due_at=planned.begins_at),
        ),
        "stale": Verb(
            "stale", "before it, a webhook says `success` while the batch is processing", _stale
        ),
        "wrong": Verb(
            "wrong status",
            "before it, a webhook comes in which this field is wrong",
            _wrong,
            _read_field,
        ),
        "missing": Verb(
            "missing batch_id",
            "before it, a webhook comes in which this field is missing",
            lambda planned, name: planned.first(Variant.MISSING, changes=((name, None),)),
            _read_field,
        ),
    }
)
"""Every verb by its name; a new one is an entry here, and a row in docs/webhooks.md."""


def parse_plan(text: str) -> DeliveryPlan:
    """Read a plan like `500, timeout, ok` or `delay 30s, duplicate`.

    Raises:
        PlanError: it makes no sense; the sentence says what is allowed.
    """
    words = [word.split() for word in text.split(",")] if text in TEXT else []
    if not words or not all(words):
        raise PlanError(f"the plan {quoted(text)} has an empty step: {allowed()}")
    return DeliveryPlan(tuple(Step(verb.lower(), " ".join(rest)) for verb, *rest in words))


def allowed() -> str:
    """Return what a plan may be made of."""
    return "use " + ", ".join(verb.written for verb in VERBS.values()) + ", separated by commas"


def planned_messages(
    plan: DeliveryPlan | None, true: Message, begins_at: Instant, random: Random
) -> tuple[Message, ...]:
    """Return the messages of one submission in the order of sending; `true` is due at its end."""
    if plan is None:
        return (true,)
    answers = tuple(step.verb for step in plan.steps if step.kind.apply is None)
    planned = Planned(replace(true, answers=answers), begins_at, true.due_at, random)
    for name, verb in VERBS.items():  # in the table's order, whatever the plan's
        for step in plan.steps:
            if step.verb == name and verb.apply is not None:
                planned = verb.apply(planned, step.value)
    return tuple(planned.messages())


def swapped(waiting: Message, coming: Message) -> tuple[Message, Message]:
    """Return both in changed places: what would have come first comes right after the other."""
    if waiting.due_at <= coming.due_at:
        return replace(waiting, due_at=coming.due_at + 1), coming
    return waiting, replace(coming, due_at=waiting.due_at + 1)
