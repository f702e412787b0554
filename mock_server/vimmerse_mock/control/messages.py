"""What the control plane takes and says, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from vimmerse_contracts.vocabulary import BatchStatus
from vimmerse_mock.model import scenarios
from vimmerse_mock.model.account import DEFAULT_CREDITS, Opening
from vimmerse_mock.model.clock import ClockMode, parse_span
from vimmerse_mock.model.credits import Reason
from vimmerse_mock.model.delivery_plans import WebhookSettings, parse_plan
from vimmerse_mock.model.faults import FaultKind
from vimmerse_mock.model.outbox import MessageState, Variant
from vimmerse_mock.model.scenarios import Scenario
from vimmerse_mock.model.story import EventKind

Written = str | float
"""A span: a text like `90s`, or a number of seconds."""
Natural = Annotated[int, Meta(ge=0, le=10**15)]
Positive = Annotated[int, Meta(ge=1, le=10**15)]


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sent to the control plane."""


class Answer(Struct, frozen=True, kw_only=True):
    """What the control plane says; readers take no notice of keys that they do not know."""


class OpenAccount(Body, frozen=True):
    """How an account begins; what is empty is made up."""

    api_key: str = ""
    customer_id: str = ""
    credits: Natural = DEFAULT_CREDITS
    clock: ClockMode = "live"
    speed: float = 1.0
    step: Written = 1.0
    seed: str = ""
    scenario: str | Mapping[str, Any] = "success"


class ChangeAccount(Body, frozen=True):
    """Settings to replace; what is not given stays as it is."""

    scenario: str | Mapping[str, Any] | UnsetType = UNSET
    requests_per_minute: int | UnsetType | None = UNSET
    concurrent_batches: int | UnsetType | None = UNSET


class AddScenarios(Body, frozen=True):
    """Scenarios for one each of the next batches: names, or details."""

    scenarios: tuple[str | Mapping[str, Any], ...]


class PlanFault(Body, frozen=True):
    """A fault to plan: what goes wrong, with which call of which operation, and how often."""

    kind: FaultKind
    operation: str = ""
    nth: int = 1
    times: int | None = 1
    status: int = 500
    headers: Mapping[str, str] = {}
    body: str | None = None
    delay: Written = 1.0
    delay_to: Written | None = None


class AdvanceBy(Body, frozen=True):
    """By how much to move a clock forward."""

    by: Written


class MoveTo(Body, frozen=True):
    """Where to move a clock forward to: an instant with its offset from UTC."""

    to: Annotated[datetime, Meta(tz=True)]


class PayIn(Body, frozen=True):
    """Credits to add."""

    amount: Positive


class ClockInfo(Answer, frozen=True):
    """A clock, and what it shows."""

    mode: ClockMode
    speed: float
    step: float
    now: datetime


class AccountInfo(Answer, frozen=True):
    """An account; the key is told to whoever may use the control plane."""

    customer_id: str
    manager_id: str
    api_key: str
    credits: int
    clock: ClockInfo
    scenario: Any
    next_scenarios: tuple[Any, ...]
    requests_per_minute: int | None
    concurrent_batches: int | None


class AccountList(Answer, frozen=True):
    """Every account."""

    accounts: tuple[AccountInfo, ...]


class FaultInfo(Answer, frozen=True):
    """A fault, and how often it was met (`fired`) by how many calls (`matched`)."""

    kind: FaultKind
    operation: str
    nth: int
    times: int | None
    status: int
    headers: Mapping[str, str]
    body: str | None
    delay: Written
    delay_to: Written | None
    matched: int
    fired: int

    def __str__(self) -> str:
        aimed = f"call {self.nth} of {self.operation or 'any operation'}"
        return f"{self.kind.value} at {aimed}; {self.matched} such calls came"


class FaultList(Answer, frozen=True):
    """Every fault of an account, in the order of planning."""

    faults: tuple[FaultInfo, ...]


class EventInfo(Answer, frozen=True):
    """One thing that happened, in a few words."""

    at: datetime
    kind: EventKind
    what: str
    batch_id: str = ""


class Moved(Answer, frozen=True):
    """What a clock shows after it was moved, and what happened on the way.

    `nothing_to_come` says that it was not moved, since nothing will happen by itself any more.
    """

    now: datetime
    events: tuple[EventInfo, ...]
    nothing_to_come: bool = False


class Story(Answer, frozen=True):
    """Everything that happened to an account; `written` is the same for a terminal."""

    events: tuple[EventInfo, ...]
    written: str


class LedgerLine(Answer, frozen=True):
    """One movement of credits: negative for a charge; `balance` is what stands after it."""

    at: datetime
    amount: int
    balance: int
    reason: Reason
    batch_id: str = ""
    submission: int = 0


class Ledger(Answer, frozen=True):
    """Where every credit went, oldest entry first."""

    credits: int
    entries: tuple[LedgerLine, ...]


class BatchInfo(Answer, frozen=True):
    """A batch as it stands now."""

    id: str
    title: str
    status: BatchStatus
    progress: int
    message: str
    medias: int
    submissions: int
    created_at: datetime


class BatchList(Answer, frozen=True):
    """Every batch of an account, oldest first."""

    batches: tuple[BatchInfo, ...]


class AttemptInfo(Answer, frozen=True):
    """One try to deliver a webhook; `took` is in seconds.

    What was sent and what came back is there without secrets, and shortened where it is long.
    `pretended` says that a delivery plan made up the answer, and that nothing was sent; `came` is
    the answer in a few words.
    """

    at: datetime
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
    due_at: datetime
    body: Mapping[str, Any]
    attempts: tuple[AttemptInfo, ...]
    number: int = 1
    variant: Variant = Variant.NONE
    answers: tuple[str, ...] = ()


class WebhookList(Answer, frozen=True):
    """Every webhook of an account, in the order of planning."""

    webhooks: tuple[WebhookInfo, ...]


class ChangeWebhooks(Body, frozen=True):
    """How webhooks are to be delivered; what is not given stays as it is.

    `plan` holds for every submission (null for none), `next_plans` for one each of the next.
    `retry_after` are the spans after which a failed attempt is repeated. `secrets` sign, the newest
    first; an empty list ends signing.
    """

    plan: str | UnsetType | None = UNSET
    next_plans: tuple[str, ...] | UnsetType = UNSET
    retry_after: tuple[Written, ...] | UnsetType = UNSET
    secrets: tuple[str, ...] | UnsetType = UNSET


class AddPlans(Body, frozen=True):
    """Delivery plans for one each of the next submissions that have a webhook."""

    plans: tuple[str, ...]


class WebhookSettingsInfo(Answer, frozen=True):
    """How webhooks are delivered; `retry_after` is in seconds.

    The secrets are told to whoever may use the control plane.
    """

    plan: str | None
    next_plans: tuple[str, ...]
    retry_after: tuple[float, ...]
    secrets: tuple[str, ...]


class ExchangeInfo(Answer, frozen=True):
    """One request and its answer; `took` is in seconds, `operation` empty where none matched."""

    at: datetime
    took: float
    method: str
    path: str
    operation: str
    status: int
    headers: Mapping[str, str]
    form: Mapping[str, tuple[str, ...]]
    answer_headers: Mapping[str, str]
    answer: str
    batch_id: str = ""
    batch_status: str = ""
    progress: int = 0
    charges: tuple[LedgerLine, ...] = ()
    fault: str = ""


class Journal(Answer, frozen=True):
    """The last exchanges of an account, oldest first."""

    exchanges: tuple[ExchangeInfo, ...]


class Refusal(Answer, frozen=True):
    """Why something was not done: a word for programs, a sentence for people."""

    error: str
    message: str


class OperationInfo(Answer, frozen=True):
    """One operation of the control plane."""

    method: str
    path: str
    summary: str


class Index(Answer, frozen=True):
    """What can be done here."""

    operations: tuple[OperationInfo, ...]
    openapi: str


ENCODER: Final = msgspec.json.Encoder()


def read_opening(body: OpenAccount) -> Opening:
    """Read how an account begins.

    Raises:
        InvalidError: the clock, the scenario or a name makes no sense.
    """
    return Opening(**{**msgspec.structs.asdict(body), "scenario": read_scenario(body.scenario)})


def write_opening(opening: Opening) -> OpenAccount:
    """Write how an account begins."""
    return OpenAccount(**{**asdict(opening), "scenario": msgspec.to_builtins(opening.scenario)})


def read_webhook_settings(body: ChangeWebhooks, present: WebhookSettings) -> WebhookSettings:
    """Read how webhooks are to be delivered; what is not given stays as it is.

    Raises:
        PlanError: a plan makes no sense.
        SpanError: a delay is no span.
        WebhookSettingsError: there are too many retries or secrets, or one is no secret.
    """
    changed: dict[str, Any] = {}
    if body.plan is not msgspec.UNSET:
        changed["plan"] = None if body.plan is None else parse_plan(body.plan)
    if body.next_plans is not msgspec.UNSET:
        changed["next_plans"] = tuple(map(parse_plan, body.next_plans))
    if body.retry_after is not msgspec.UNSET:
        changed["retry_delays"] = tuple(map(parse_span, body.retry_after))
    if body.secrets is not msgspec.UNSET:
        changed["secrets"] = body.secrets
    return replace(present, **changed)


def read_scenario(wanted: str | Mapping[str, Any]) -> Scenario:
    """Read a scenario: a preset's name, or its details.

    Raises:
        UnknownScenarioError: no preset has that name.
        ScenarioError: the details make no sense.
    """
    return scenarios.read_scenario(wanted)
