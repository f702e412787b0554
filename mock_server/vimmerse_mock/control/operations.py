"""The table of the control plane's operations, each with what it takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Generic, TypeVar

from msgspec import UNSET, Meta, UnsetType

from vimmerse_contracts.unfrozen import Moment
from vimmerse_contracts.vocabulary import CONTROL_ROOT as ROOT
from vimmerse_mock.control.messages import (
    AccountInfo,
    Answer,
    BatchInfo,
    Body,
    ClockInfo,
    EventInfo,
    ExchangeInfo,
    LedgerLine,
    OpenAccount,
    TopUp,
    WebhookInfo,
    WebhookSettingsInfo,
    WrittenSpan,
)
from vimmerse_mock.control.snapshots import SnapshotFile
from vimmerse_mock.model.clock import ClockSetting
from vimmerse_mock.model.faults import Fault

Takes = TypeVar("Takes")
Gives = TypeVar("Gives")
NOTHING: Final = type(None)


@dataclass(frozen=True, slots=True, eq=False)
class Operation(Generic[Takes, Gives]):
    """One operation: `takes` is the type of its body, `gives` of its answer.

    `query` has the type of each parameter. `ControlPlane` has a method of the same name as `id`.
    """

    id: str
    route: str
    summary: str
    takes: type[Takes]
    gives: type[Gives]
    status: int = 200
    query: Mapping[str, type[str | int]] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.route.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path, with its parameters in braces."""
        return ROOT + self.route.partition(" ")[2]


class OperationInfo(Answer, frozen=True):
    """One operation of the control plane."""

    method: str
    path: str
    summary: str


class Index(Answer, frozen=True):
    """What can be done here."""

    operations: tuple[OperationInfo, ...]
    openapi: str


INDEX: Final = Operation("index", "GET /", "List these operations", NOTHING, Index)
OPENAPI: Final = Operation(
    "openapi",
    "GET /openapi.json",
    "The OpenAPI document of the control plane",
    NOTHING,
    dict[str, Any],
)


PAGE: Final[Mapping[str, type[str | int]]] = {"after": str, "limit": int}
"""The query of a list: `next` of the page before, and how many to return at most."""
MOST_LISTED: Final = 1_000
"""How many a page has at most, and where no limit is given."""


NOW: Final = "now"
"""What to ask a story for `after`, to be given a cursor and nothing of what happened before."""


class Listed(Answer, frozen=True):
    """A page of a list; `next` is what to ask for `after`, empty on the last page."""

    next: str


class AccountList(Listed, frozen=True):
    """Accounts, by their customer ids."""

    accounts: tuple[AccountInfo, ...]


class ChangeAccount(Body, frozen=True):
    """Settings to replace; what is not given stays as it is."""

    scenario: str | Mapping[str, Any] | UnsetType = UNSET
    requests_per_minute: int | UnsetType | None = UNSET
    concurrent_batches: int | UnsetType | None = UNSET


LIST_ACCOUNTS: Final = Operation(
    "list_accounts", "GET /accounts", "List the accounts", NOTHING, AccountList, query=PAGE
)
OPEN_ACCOUNT: Final = Operation(
    "open_account",
    "POST /accounts",
    "Open an account: a customer with a key, credits and a clock of its own",
    OpenAccount,
    AccountInfo,
    status=201,
)
SHOW_ACCOUNT: Final = Operation(
    "show_account", "GET /accounts/{customer_id}", "Show an account", NOTHING, AccountInfo
)
CHANGE_ACCOUNT: Final = Operation(
    "change_account",
    "PATCH /accounts/{customer_id}",
    "Change an account's settings",
    ChangeAccount,
    AccountInfo,
)
CLOSE_ACCOUNT: Final = Operation(
    "close_account",
    "DELETE /accounts/{customer_id}",
    "Remove an account and everything that belongs to it",
    NOTHING,
    NOTHING,
    status=204,
)


class PayIn(Body, frozen=True):
    """Credits to add."""

    amount: TopUp


class Ledger(Listed, frozen=True):
    """Where every credit went, oldest entry first; `credits` are what is left now."""

    credits: int
    entries: tuple[LedgerLine, ...]


PAY_IN: Final = Operation(
    "pay_in", "POST /accounts/{customer_id}/credits", "Add credits", PayIn, AccountInfo
)
SHOW_LEDGER: Final = Operation(
    "show_ledger",
    "GET /accounts/{customer_id}/ledger",
    "Show the ledger: every charge and top-up",
    NOTHING,
    Ledger,
    query=PAGE,
)


class AdvanceBy(Body, frozen=True):
    """By how much to move a clock forward."""

    by: WrittenSpan


class MoveTo(Body, frozen=True):
    """Where to move a clock forward to: an instant with its offset from UTC."""

    to: Annotated[Moment, Meta(tz=True)]


class Moved(Answer, frozen=True):
    """What a clock shows after it was moved, and what happened on the way.

    `nothing_to_come` says that it was not moved, since nothing will happen by itself any more.
    """

    now: Moment
    events: tuple[EventInfo, ...]
    nothing_to_come: bool = False


SHOW_CLOCK: Final = Operation(
    "show_clock",
    "GET /accounts/{customer_id}/clock",
    "Show the time on an account's clock",
    NOTHING,
    ClockInfo,
)
SET_CLOCK: Final = Operation(
    "set_clock",
    "PUT /accounts/{customer_id}/clock",
    "Set what moves the clock from now on: live, manual or stepping",
    ClockSetting,
    ClockInfo,
)
ADVANCE: Final = Operation(
    "advance",
    "POST /accounts/{customer_id}/clock/advance",
    "Move the clock forward by a span, and deliver the webhooks that fall due",
    AdvanceBy,
    Moved,
)
MOVE_TO: Final = Operation(
    "move_to",
    "POST /accounts/{customer_id}/clock/move_to",
    "Move the clock forward to an instant, and deliver the webhooks that fall due",
    MoveTo,
    Moved,
)
ADVANCE_TO_NEXT: Final = Operation(
    "advance_to_next",
    "POST /accounts/{customer_id}/clock/next",
    "Move the clock to the next instant at which a batch changes or a webhook falls due",
    NOTHING,
    Moved,
)


class AddScenarios(Body, frozen=True):
    """Scenarios for one each of the next batches: names, or details."""

    scenarios: tuple[str | Mapping[str, Any], ...]


ADD_SCENARIOS: Final = Operation(
    "add_scenarios",
    "POST /accounts/{customer_id}/next_scenarios",
    "Set the scenarios of the next batches, one for each",
    AddScenarios,
    AccountInfo,
    status=201,
)
CLEAR_SCENARIOS: Final = Operation(
    "clear_scenarios",
    "DELETE /accounts/{customer_id}/next_scenarios",
    "Remove the scenarios that no batch has taken yet",
    NOTHING,
    NOTHING,
    status=204,
)


class FaultList(Answer, frozen=True):
    """Every fault of an account, in the order of planning."""

    faults: tuple[Fault, ...]


LIST_FAULTS: Final = Operation(
    "list_faults",
    "GET /accounts/{customer_id}/faults",
    "List the faults, and how often each fired",
    NOTHING,
    FaultList,
)
PLAN_FAULT: Final = Operation(
    "plan_fault",
    "POST /accounts/{customer_id}/faults",
    "Plan a fault: what goes wrong with which call",
    Fault,
    FaultList,
    status=201,
)
CLEAR_FAULTS: Final = Operation(
    "clear_faults",
    "DELETE /accounts/{customer_id}/faults",
    "Remove every fault",
    NOTHING,
    NOTHING,
    status=204,
)


class BatchList(Listed, frozen=True):
    """Batches of an account, oldest first."""

    batches: tuple[BatchInfo, ...]


LIST_BATCHES: Final = Operation(
    "list_batches",
    "GET /accounts/{customer_id}/batches",
    "List the batches as they are now",
    NOTHING,
    BatchList,
    query=PAGE,
)
SHOW_BATCH: Final = Operation(
    "show_batch",
    "GET /accounts/{customer_id}/batches/{batch_id}",
    "Show one batch as it stands",
    NOTHING,
    BatchInfo,
)


class WebhookList(Listed, frozen=True):
    """Webhooks of an account, in the order of planning."""

    webhooks: tuple[WebhookInfo, ...]


class ChangeWebhooks(Body, frozen=True):
    """How webhooks are to be delivered; what is not given stays as it is.

    `plan` holds for every submission (null for none), `next_plans` for one each of the next.
    `retry_after` are the spans after which a failed attempt is repeated. `secrets` sign, the newest
    first; an empty list ends signing.
    """

    plan: str | UnsetType | None = UNSET
    next_plans: tuple[str, ...] | UnsetType = UNSET
    retry_after: tuple[WrittenSpan, ...] | UnsetType = UNSET
    secrets: tuple[str, ...] | UnsetType = UNSET


class AddPlans(Body, frozen=True):
    """Delivery plans for one each of the next submissions that have a webhook."""

    plans: tuple[str, ...]


LIST_WEBHOOKS: Final = Operation(
    "list_webhooks",
    "GET /accounts/{customer_id}/webhooks",
    "List the outbox: every webhook with its attempts",
    NOTHING,
    WebhookList,
    query=PAGE,
)
NEXT_WEBHOOKS: Final = Operation(
    "next_webhooks",
    "GET /accounts/{customer_id}/next_webhooks",
    "List the webhook that comes next at each URL, the first to come first",
    NOTHING,
    WebhookList,
)
SHOW_WEBHOOK: Final = Operation(
    "show_webhook",
    "GET /accounts/{customer_id}/webhooks/{message_id}",
    "Show one webhook with its attempts",
    NOTHING,
    WebhookInfo,
)
REDELIVER: Final = Operation(
    "redeliver",
    "POST /accounts/{customer_id}/webhooks/{message_id}/redeliver",
    "Send a webhook again, as a further attempt",
    NOTHING,
    WebhookInfo,
)
SHOW_WEBHOOK_SETTINGS: Final = Operation(
    "show_webhook_settings",
    "GET /accounts/{customer_id}/webhook_settings",
    "Show how webhooks are delivered: plans, retries, secrets",
    NOTHING,
    WebhookSettingsInfo,
)
CHANGE_WEBHOOK_SETTINGS: Final = Operation(
    "change_webhook_settings",
    "PATCH /accounts/{customer_id}/webhook_settings",
    "Change how webhooks are delivered from now on",
    ChangeWebhooks,
    WebhookSettingsInfo,
)
ADD_DELIVERY_PLANS: Final = Operation(
    "add_delivery_plans",
    "POST /accounts/{customer_id}/webhook_settings/next_plans",
    "Set a delivery plan for each of the next submissions with a webhook",
    AddPlans,
    WebhookSettingsInfo,
)
ROTATE_SECRET: Final = Operation(
    "rotate_secret",
    "POST /accounts/{customer_id}/webhook_settings/secrets",
    "Generate a new signing secret; the current one keeps signing beside it",
    NOTHING,
    WebhookSettingsInfo,
)


class Journal(Answer, frozen=True):
    """The last exchanges of an account, oldest first."""

    exchanges: tuple[ExchangeInfo, ...]


SHOW_JOURNAL: Final = Operation(
    "show_journal",
    "GET /accounts/{customer_id}/journal",
    "Show the requests of an account with their answers",
    NOTHING,
    Journal,
    query={"operation": str, "status": int},
)
SHOW_UNAUTHENTICATED: Final = Operation(
    "show_unauthenticated",
    "GET /unauthenticated",
    "Show the requests without a known API key",
    NOTHING,
    Journal,
    query={"operation": str, "status": int},
)


class Story(Answer, frozen=True):
    """What happened to an account; `written` is the same for a terminal.

    `next` is what to ask for `after`, to be given only what happened since.
    """

    events: tuple[EventInfo, ...]
    written: str
    next: str


SHOW_STORY: Final = Operation(
    "show_story",
    "GET /accounts/{customer_id}/story",
    "Show everything that happened to an account, in order, on its own clock",
    NOTHING,
    Story,
    query={"most": int, "after": str},
)
EXPORT: Final = Operation(
    "export",
    "GET /accounts/{customer_id}/export",
    "Export an account's whole state",
    NOTHING,
    SnapshotFile,
)
IMPORT: Final = Operation(
    "import_accounts",
    "POST /import",
    "Import accounts from an export or a seed file: all of them, or none",
    SnapshotFile,
    AccountList,
    status=201,
)
OPERATIONS: Final[tuple[Operation[Any, Any], ...]] = tuple(
    each for each in list(vars().values()) if isinstance(each, Operation)
)
