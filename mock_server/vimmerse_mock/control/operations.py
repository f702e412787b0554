"""The table of the control plane's operations: routes, document and facade follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vimmerse_contracts.vocabulary import CONTROL_ROOT as ROOT
from vimmerse_mock.control import messages as r
from vimmerse_mock.control.snapshots import SnapshotFile
from vimmerse_mock.model.clock import ClockSetting

_ACCOUNT: Final = ROOT + "/accounts/{customer_id}"


@dataclass(frozen=True, slots=True)
class ControlOperation:
    """One operation: `takes` is the type of its body, `gives` of its answer; None for neither."""

    id: str
    method: str
    path: str
    summary: str
    takes: type[Any] | None = None
    gives: type[Any] | None = None
    status: int = 200
    query: tuple[str, ...] = ()


INDEX: Final = ControlOperation("index", "GET", ROOT + "/", "List these operations", gives=r.Index)
OPENAPI: Final = ControlOperation(
    "openapi",
    "GET",
    ROOT + "/openapi.json",
    "The OpenAPI document of the control plane",
    gives=dict,
)
OPEN_ACCOUNT: Final = ControlOperation(
    "open_account",
    "POST",
    ROOT + "/accounts",
    "Open an account: a customer with a key, credits and a clock of its own",
    takes=r.OpenAccount,
    gives=r.AccountInfo,
    status=201,
)
LIST_ACCOUNTS: Final = ControlOperation(
    "list_accounts", "GET", ROOT + "/accounts", "List the accounts", gives=r.AccountList
)
SHOW_ACCOUNT: Final = ControlOperation(
    "show_account", "GET", _ACCOUNT, "Show an account", gives=r.AccountInfo
)
CHANGE_ACCOUNT: Final = ControlOperation(
    "change_account",
    "PATCH",
    _ACCOUNT,
    "Change an account's settings",
    takes=r.ChangeAccount,
    gives=r.AccountInfo,
)
CLOSE_ACCOUNT: Final = ControlOperation(
    "close_account", "DELETE", _ACCOUNT, "Remove an account and everything of it", status=204
)
PAY_IN: Final = ControlOperation(
    "pay_in", "POST", _ACCOUNT + "/credits", "Add credits", takes=r.PayIn, gives=r.Ledger
)
SHOW_LEDGER: Final = ControlOperation(
    "show_ledger", "GET", _ACCOUNT + "/ledger", "Show where the credits went", gives=r.Ledger
)
SHOW_CLOCK: Final = ControlOperation(
    "show_clock",
    "GET",
    _ACCOUNT + "/clock",
    "Tell the time on an account's clock",
    gives=r.ClockInfo,
)
SET_CLOCK: Final = ControlOperation(
    "set_clock",
    "PUT",
    _ACCOUNT + "/clock",
    "Let the clock go on from its present: live, manual or stepping",
    takes=ClockSetting,
    gives=r.ClockInfo,
)
ADVANCE: Final = ControlOperation(
    "advance",
    "POST",
    _ACCOUNT + "/clock/advance",
    "Move the clock forward by a span; due webhooks are delivered on the way, each at its instant",
    takes=r.AdvanceBy,
    gives=r.Moved,
)
MOVE_TO: Final = ControlOperation(
    "move_to",
    "POST",
    _ACCOUNT + "/clock/move_to",
    "Move the clock forward to an instant, as advancing does",
    takes=r.MoveTo,
    gives=r.Moved,
)
ADVANCE_TO_NEXT: Final = ControlOperation(
    "advance_to_next",
    "POST",
    _ACCOUNT + "/clock/next",
    "Move the clock to the next instant at which a batch moves on or a webhook falls due",
    gives=r.Moved,
)
ADD_SCENARIOS: Final = ControlOperation(
    "add_scenarios",
    "POST",
    _ACCOUNT + "/next_scenarios",
    "Decide what becomes of the next batches, one scenario for each",
    takes=r.AddScenarios,
    gives=r.AccountInfo,
    status=201,
)
CLEAR_SCENARIOS: Final = ControlOperation(
    "clear_scenarios",
    "DELETE",
    _ACCOUNT + "/next_scenarios",
    "Take back the scenarios that no batch has taken",
    status=204,
)
LIST_FAULTS: Final = ControlOperation(
    "list_faults",
    "GET",
    _ACCOUNT + "/faults",
    "List the faults and how often they were met",
    gives=r.FaultList,
)
PLAN_FAULT: Final = ControlOperation(
    "plan_fault",
    "POST",
    _ACCOUNT + "/faults",
    "Plan a fault: what goes wrong with which call",
    takes=r.PlanFault,
    gives=r.FaultList,
    status=201,
)
CLEAR_FAULTS: Final = ControlOperation(
    "clear_faults", "DELETE", _ACCOUNT + "/faults", "Take every fault back", status=204
)
LIST_BATCHES: Final = ControlOperation(
    "list_batches",
    "GET",
    _ACCOUNT + "/batches",
    "List the batches as they stand",
    gives=r.BatchList,
)
LIST_WEBHOOKS: Final = ControlOperation(
    "list_webhooks",
    "GET",
    _ACCOUNT + "/webhooks",
    "List the outbox: every webhook with its attempts",
    gives=r.WebhookList,
)
SHOW_WEBHOOK: Final = ControlOperation(
    "show_webhook",
    "GET",
    _ACCOUNT + "/webhooks/{message_id}",
    "Show one webhook with its attempts",
    gives=r.WebhookInfo,
)
REDELIVER: Final = ControlOperation(
    "redeliver",
    "POST",
    _ACCOUNT + "/webhooks/{message_id}/redeliver",
    "Send a webhook again, as a further attempt",
    gives=r.WebhookInfo,
)
SHOW_WEBHOOK_SETTINGS: Final = ControlOperation(
    "show_webhook_settings",
    "GET",
    _ACCOUNT + "/webhook_settings",
    "Show how webhooks are delivered: plans, retries, secrets",
    gives=r.WebhookSettingsInfo,
)
CHANGE_WEBHOOK_SETTINGS: Final = ControlOperation(
    "change_webhook_settings",
    "PATCH",
    _ACCOUNT + "/webhook_settings",
    "Change how webhooks are delivered from now on",
    takes=r.ChangeWebhooks,
    gives=r.WebhookSettingsInfo,
)
ADD_DELIVERY_PLANS: Final = ControlOperation(
    "add_delivery_plans",
    "POST",
    _ACCOUNT + "/webhook_settings/next_plans",
    "Plan how badly the webhooks of the next submissions are delivered",
    takes=r.AddPlans,
    gives=r.WebhookSettingsInfo,
)
ROTATE_SECRET: Final = ControlOperation(
    "rotate_secret",
    "POST",
    _ACCOUNT + "/webhook_settings/secrets",
    "Make up a new secret to sign webhooks with; the present one goes on to sign beside it",
    gives=r.WebhookSettingsInfo,
)
SHOW_JOURNAL: Final = ControlOperation(
    "show_journal",
    "GET",
    _ACCOUNT + "/journal",
    "Show the requests of an account with their answers",
    gives=r.Journal,
    query=("operation", "status"),
)
SHOW_UNAUTHENTICATED: Final = ControlOperation(
    "show_unauthenticated",
    "GET",
    ROOT + "/unauthenticated",
    "Show the requests that came without a known key",
    gives=r.Journal,
    query=("operation", "status"),
)
SHOW_STORY: Final = ControlOperation(
    "show_story",
    "GET",
    _ACCOUNT + "/story",
    "Tell everything that happened to an account, in order, on its own clock",
    gives=r.Story,
    query=("most",),
)
EXPORT: Final = ControlOperation(
    "export", "GET", _ACCOUNT + "/export", "Export an account's whole state", gives=SnapshotFile
)
IMPORT: Final = ControlOperation(
    "import_accounts",
    "POST",
    ROOT + "/import",
    "Import accounts from an export or a seed file: all of them, or none",
    takes=SnapshotFile,
    gives=r.AccountList,
    status=201,
)
OPERATIONS: Final = (
    INDEX,
    OPENAPI,
    LIST_ACCOUNTS,
    OPEN_ACCOUNT,
    SHOW_ACCOUNT,
    CHANGE_ACCOUNT,
    CLOSE_ACCOUNT,
    PAY_IN,
    SHOW_LEDGER,
    SHOW_CLOCK,
    SET_CLOCK,
    ADVANCE,
    MOVE_TO,
    ADVANCE_TO_NEXT,
    ADD_SCENARIOS,
    CLEAR_SCENARIOS,
    LIST_FAULTS,
    PLAN_FAULT,
    CLEAR_FAULTS,
    LIST_BATCHES,
    LIST_WEBHOOKS,
    SHOW_WEBHOOK,
    REDELIVER,
    SHOW_WEBHOOK_SETTINGS,
    CHANGE_WEBHOOK_SETTINGS,
    ADD_DELIVERY_PLANS,
    ROTATE_SECRET,
    SHOW_JOURNAL,
    SHOW_UNAUTHENTICATED,
    SHOW_STORY,
    EXPORT,
    IMPORT,
)
