"""What the control plane says of the model's values, as JSON, and how an account is opened."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import EnumType
from functools import cache
from typing import Annotated, Any, Final, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from vimmerse_contracts.secrecy import REDACTED, is_secret_name
from vimmerse_contracts.unfrozen import Moment
from vimmerse_contracts.vocabulary import BatchStatus
from vimmerse_mock.model.account import DEFAULT_CREDITS, Opening, Permission
from vimmerse_mock.model.bounds import CREDITS, TOP_UP
from vimmerse_mock.model.clock import ClockMode, in_seconds, to_datetime
from vimmerse_mock.model.credits import Reason
from vimmerse_mock.model.exchange import Answered
from vimmerse_mock.model.outbox import MessageState, Variant
from vimmerse_mock.model.scenarios import read_scenario
from vimmerse_mock.model.story import EventKind

WrittenSpan = str | float
"""A span: a text like `90s`, or a number of seconds."""
Credits = Annotated[int, Meta(ge=round(CREDITS.least), le=round(CREDITS.most))]
TopUp = Annotated[int, Meta(ge=round(TOP_UP.least), le=round(TOP_UP.most))]


class _Written(Struct, frozen=True, kw_only=True):
    """A message, of which no failed assertion and no traceback shows the secrets."""

    def __repr__(self) -> str:
        shown = (
            f"{name}={REDACTED if is_secret_name(name) else repr(getattr(self, name))}"
            for name in self.__struct_fields__
        )
        return f"{type(self).__name__}({', '.join(shown)})"


class Body(_Written, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sent to the control plane."""


class Answer(_Written, frozen=True, kw_only=True):
    """What the control plane says; readers take no notice of keys that they do not know."""


class Refusal(Answer, frozen=True):
    """Why something was not done: a word for programs, a sentence for people."""

    error: str
    message: str


class OpenAccount(Body, frozen=True):
    """How an account begins, as `Opening`; `scenario` is a name, or an object of details."""

    api_key: str = ""
    customer_id: str = ""
    credits: Credits = DEFAULT_CREDITS
    clock: ClockMode = "live"
    speed: float = 1.0
    step: WrittenSpan = 1.0
    seed: str = ""
    scenario: str | Mapping[str, Any] = "success"
    strict: bool = False
    why: bool = True
    permission: Permission = "full"

    @classmethod
    def of(cls, opening: Opening) -> OpenAccount:
        """Write how an account begins."""
        return cls(**{**asdict(opening), "scenario": msgspec.to_builtins(opening.scenario)})

    def opening(self) -> Opening:
        """Read how an account begins.

        Raises:
            InvalidError: the clock, the scenario or a name makes no sense.
        """
        given = msgspec.structs.asdict(self)
        return Opening(**{**given, "scenario": read_scenario(self.scenario)})


class ClockInfo(Answer, frozen=True):
    """A clock, and what it shows; `step` is in seconds, 0 unless the clock is stepping."""

    mode: ClockMode
    speed: float
    step: float
    now: Moment


class AccountInfo(Answer, frozen=True):
    """An account; whoever may use the control plane may see its key."""

    customer_id: str
    manager_id: str
    api_key: str
    credits: int
    clock: ClockInfo
    scenario: Any
    next_scenarios: tuple[Any, ...]
    requests_per_minute: int | None
    concurrent_batches: int | None


class EventInfo(Answer, frozen=True):
    """One thing that happened, in a few words."""

    at: Moment
    kind: EventKind
    what: str
    batch_id: str = ""


class LedgerLine(Answer, frozen=True):
    """One movement of credits: negative for a charge; `balance` is what stands after it."""

    at: Moment
    amount: int
    balance: int
    reason: Reason
    batch_id: str = ""
    submission: int = 0


class BatchInfo(Answer, frozen=True):
    """A batch as it stands now."""

    id: str
    title: str
    status: BatchStatus
    progress: int
    message: str
    medias: int
    submissions: int
    created_at: Moment


class AttemptInfo(Answer, frozen=True):
    """One try to deliver a webhook; `took` is in seconds.

    What was sent and what came back is there without secrets, and shortened where it is long.
    `pretended` says that a delivery plan made up the answer, and that nothing was sent; `came` is
    the answer in a few words.
    """

    at: Moment
    status: int | None
    error: str
    took: float
    came: str = ""
    url: str = ""
    request_headers: Mapping[str, str] = {}
    request_body: str = ""
    response_headers: Mapping[str, str] = {}
    response_body: str = ""
    pretended: bool = False


class WebhookInfo(Answer, frozen=True):
    """One webhook of the outbox: what is or was to be sent where, and every attempt.

    `number` counts the webhooks of a submission, and `variant` is what a delivery plan made of it;
    `answers` are what its first attempts are pretended to be answered.
    """

    id: str
    batch_id: str
    submission: int
    url: str
    status: str
    state: MessageState
    due_at: Moment
    body: Mapping[str, Any]
    attempts: tuple[AttemptInfo, ...]
    number: int = 1
    variant: Variant = Variant.NONE
    answers: tuple[str, ...] = ()


class WebhookSettingsInfo(Answer, frozen=True):
    """How webhooks are delivered; `retry_after` is in seconds.

    Whoever may use the control plane may see the secrets.
    """

    plan: str | None
    next_plans: tuple[str, ...]
    retry_after: tuple[float, ...]
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeInfo(Answered):
    """One request of the journal and its answer, and what it cost; `took` is in seconds."""

    at: Moment
    took: float
    charges: tuple[LedgerLine, ...] = ()


def _write_moment(value: object) -> str:
    """Write an instant of a subclass of `datetime`, such as freezegun's."""
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} cannot be sent to the control plane")


ENCODER: Final = msgspec.json.Encoder(enc_hook=_write_moment)
T = TypeVar("T")


def view(kind: type[T], value: object, **given: object) -> T:
    """Describe a value of the model by one of the types above.

    Every field that is not `given` is the value's own of that name, with instants as datetimes and
    spans in seconds.
    """
    for name, written in _fields(cast(Hashable, kind)).items():
        if name not in given:
            given[name] = _write(written, getattr(value, name))
    return kind(**given)


@cache
def _fields(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - a type of this module
    return get_type_hints(kind)


def _write(written: Any, value: Any) -> Any:  # noqa: ANN401 - a field's type and its value
    if isinstance(written, type) and issubclass(written, datetime):
        return to_datetime(value)
    if written is float:
        return in_seconds(value)
    if get_origin(written) is tuple:
        return tuple(_write(get_args(written)[0], each) for each in value)
    if get_origin(written) is Mapping:
        return dict(value)
    if isinstance(written, type) and issubclass(written, Answer):
        return view(written, value)
    return value


_PLACE: Final = re.compile(r"^Invalid enum value .* - at `\$\.(.*)`$", re.DOTALL)
_STEP: Final = re.compile(r"\.?([A-Za-z_]\w*)|\[\d+\]|\[\.\.\.\]")


def explain(error: Exception, kind: Any) -> str:  # noqa: ANN401 - the type that was read
    """Return what is wrong with JSON that was read as a type; msgspec does not name the choices."""
    found = _PLACE.match(str(error))
    for step in _STEP.finditer(found[1]) if found else ():
        kind = _fields(kind)[step[1]] if step[1] else get_args(kind)[0]
        kind = next((each for each in get_args(kind) if isinstance(each, EnumType)), kind)
    words = kind if isinstance(kind, EnumType) else get_args(kind)
    return f"{error}: one of {', '.join(map(str, words))}" if found else str(error)
