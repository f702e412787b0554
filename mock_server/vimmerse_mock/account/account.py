"""Accounts as a test holds them: one interface, wherever the mock runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, TypedDict, TypeVar, Unpack

import msgspec

from vimmerse_mock.account.clock import AccountClock
from vimmerse_mock.account.faults import AccountFaults
from vimmerse_mock.account.journal import AccountJournal
from vimmerse_mock.control import messages as r
from vimmerse_mock.control import operations as o
from vimmerse_mock.control.calls import ControlClient, HttpCaller
from vimmerse_mock.control.snapshots import SnapshotFile
from vimmerse_mock.errors import ScenarioError, UnknownAccountError
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.scenarios import Scenario

Takes = TypeVar("Takes")
Gives = TypeVar("Gives")


class Details(TypedDict, total=False):
    """A scenario in detail, as `Scenario` describes it."""

    queue: str | float
    processing: str | float
    fail_medias: Sequence[int]
    refuse_medias: Sequence[int]
    fail_all: bool
    fail_at: int
    stuck_at: int
    message: str


class Account:
    """One customer of the fake, apart from all others.

    `url` and `key` are what a client needs. Everything else is asked of the control plane, by
    `control`; `info` is what that said when the account was opened or found.
    """

    def __init__(self, control: ControlClient, url: str, info: r.AccountInfo) -> None:
        self.control = control
        self.info = info
        self.url = url
        self.key = info.api_key
        self.customer_id = info.customer_id
        self.clock = AccountClock(self)
        self.faults = AccountFaults(self)
        self.journal = AccountJournal(self)

    def __repr__(self) -> str:
        return f"<Account {self.customer_id} at {self.url}>"

    @property
    def credits(self) -> int:
        """The credits left: the sum of the ledger."""
        return self.call(o.SHOW_ACCOUNT).credits

    @property
    def ledger(self) -> tuple[r.LedgerLine, ...]:
        """Where every credit went, oldest entry first."""
        return self.call(o.SHOW_LEDGER).entries

    @property
    def batches(self) -> tuple[r.BatchInfo, ...]:
        """Every batch as it stands now, oldest first."""
        return self.call(o.LIST_BATCHES).batches

    @property
    def outbox(self) -> tuple[r.WebhookInfo, ...]:
        """Every webhook that was planned, with its attempts, in the order of planning."""
        return self.call(o.LIST_WEBHOOKS).webhooks

    @property
    def webhook_settings(self) -> r.WebhookSettingsInfo:
        """How webhooks are delivered: plans, retries, secrets."""
        return self.call(o.SHOW_WEBHOOK_SETTINGS)

    def webhook(self, message_id: str) -> r.WebhookInfo:
        """Return one webhook of the outbox, as it is now.

        Raises:
            UnknownMessageError: the outbox has none with that id.
        """
        return self.call(o.SHOW_WEBHOOK, message_id=message_id)

    def redeliver(self, message_id: str) -> r.WebhookInfo:
        """Send a webhook again, really, as a further attempt; return it as it is then.

        Raises:
            UnknownMessageError: the outbox has none with that id.
        """
        return self.call(o.REDELIVER, message_id=message_id)

    def plan_webhooks(self, plan: str | None) -> None:
        """Deliver the webhooks of every submission from now on by a plan, None for as they should.

        `500, timeout, ok` pretends two answers and then really sends; docs/webhooks.md has all.

        Raises:
            PlanError: the plan makes no sense; the sentence says what is allowed.
        """
        self.call(o.CHANGE_WEBHOOK_SETTINGS, o.ChangeWebhooks(plan=plan))

    def plan_next_webhooks(self, *plans: str) -> None:
        """Deliver the webhooks of the next submissions by a plan each.

        Raises:
            PlanError: a plan makes no sense; the sentence says what is allowed.
        """
        self.call(o.ADD_DELIVERY_PLANS, o.AddPlans(plans=plans))

    def retry_webhooks_after(self, *spans: str | float) -> None:
        """Repeat a failed attempt after these spans, one after another; without any, never.

        Raises:
            SpanError: one is no span.
            WebhookSettingsError: there are too many.
        """
        self.call(o.CHANGE_WEBHOOK_SETTINGS, o.ChangeWebhooks(retry_after=spans))

    def sign_webhooks(self, *secrets: str) -> None:
        """Sign webhooks with these secrets (`whsec_...`), the newest first; without any, do not.

        Raises:
            WebhookSettingsError: one is no secret, or there are more than two.
        """
        self.call(o.CHANGE_WEBHOOK_SETTINGS, o.ChangeWebhooks(secrets=secrets))

    def rotate_webhook_secret(self) -> str:
        """Make up a new secret, and sign with the present one beside it; return the new one."""
        return self.call(o.ROTATE_SECRET).secrets[0]

    def pay_in(self, amount: int) -> None:
        """Add credits.

        Raises:
            InvalidRequestError: the amount is no number from 1 on.
        """
        self.call(o.PAY_IN, o.PayIn(amount=amount))

    def use_scenario(self, wanted: str | Scenario) -> None:
        """Decide what becomes of the submissions from now on, by a preset's name or in detail.

        Raises:
            UnknownScenarioError: no preset has that name.
        """
        written = wanted if isinstance(wanted, str) else msgspec.to_builtins(wanted)
        self.call(o.CHANGE_ACCOUNT, o.ChangeAccount(scenario=written))

    def next_batch(self, *names: str, **details: Unpack[Details]) -> None:
        """Decide what becomes of the next batches: one for each preset's name, or one in detail.

        `next_batch("stuck", "success")` is for two, `next_batch(queue="2s", processing="40s",
        fail_medias=[1], message="...")` for one; with a single name the details change that preset.

        Raises:
            UnknownScenarioError: no preset has that name.
            ScenarioError: a detail makes no sense, or there are details for several names.
        """
        if details and len(names) > 1:
            raise ScenarioError("details are for one batch: call next_batch for each")
        scenarios = tuple({"name": name, **details} for name in names) or (details,)
        self.call(o.ADD_SCENARIOS, o.AddScenarios(scenarios=scenarios))

    def forget_next_batches(self) -> None:
        """Take back what `next_batch` decided and no batch has taken."""
        self.call(o.CLEAR_SCENARIOS)

    def limit(
        self,
        *,
        requests_per_minute: int | None = None,
        concurrent_batches: int | None = None,
    ) -> None:
        """Answer more requests, or batches at once, with 429 and Retry-After; None lifts a limit.

        Minutes are counted on the account's clock.

        Raises:
            InvalidLimitError: a limit would let nothing through.
        """
        body = o.ChangeAccount(
            requests_per_minute=requests_per_minute, concurrent_batches=concurrent_batches
        )
        self.call(o.CHANGE_ACCOUNT, body)

    def story(self, most: int = 200) -> str:
        """Return everything that happened, in order, on the account's clock, for a terminal.

        Of more than `most` lines those in the middle are left out.
        """
        return self.call(o.SHOW_STORY, query={"most": str(most)}).written

    def events(self) -> tuple[r.EventInfo, ...]:
        """Return everything that happened, in order."""
        return self.call(o.SHOW_STORY).events

    def export(self) -> SnapshotFile:
        """Take a snapshot of the account's whole state; it has the key in it."""
        return self.call(o.EXPORT)

    def close(self) -> None:
        """Remove the account and everything of it; closing twice is no error."""
        try:
            self.call(o.CLOSE_ACCOUNT)
        except UnknownAccountError:
            return

    def call(
        self,
        operation: o.Operation[Takes, Gives],
        body: Takes | None = None,
        *,
        query: Mapping[str, str] = MappingProxyType({}),
        **path: str,
    ) -> Gives:
        """Call an operation of the control plane for this account, and return its answer.

        Raises:
            ControlError: it was refused, or not reached.
        """
        return self.control.call(operation, body, query=query, customer_id=self.customer_id, **path)


class Accounts(Protocol):
    """Where accounts are opened: a mock in this process, or one that runs elsewhere."""

    @property
    def url(self) -> str:
        """The base URL of the API."""

    def open_account(self, opening: Opening | None = None) -> Account:
        """Open an account."""


class RemoteMock:
    """A mock that runs elsewhere, as `vimmerse-mock serve` or `run` started it.

    `url` is where its API is; `token` opens its control plane, if that asks for one.
    """

    def __init__(self, url: str, token: str = "", *, control_url: str = "") -> None:
        self.url = url.rstrip("/")
        self.control = ControlClient(HttpCaller(control_url or self.url, token))

    def __repr__(self) -> str:
        return f"<RemoteMock at {self.url}>"

    def open_account(self, opening: Opening | None = None) -> Account:
        """Open an account.

        Raises:
            DuplicateAccountError: its key or customer id is taken.
            ControlError: the mock is not reached, or refuses.
        """
        return open_account(self.control, self.url, opening or Opening())

    def close(self) -> None:
        """Close the connections."""
        self.control.close()


def open_account(control: ControlClient, url: str, opening: Opening) -> Account:
    """Open an account whose clients reach the mock at `url`.

    Raises:
        DuplicateAccountError: its key or customer id is taken.
    """
    return Account(control, url, control.call(o.OPEN_ACCOUNT, r.OpenAccount.of(opening)))


def find_account(control: ControlClient, url: str, customer_id: str) -> Account:
    """Take an account that exists.

    Raises:
        UnknownAccountError: there is none.
    """
    return Account(control, url, control.call(o.SHOW_ACCOUNT, customer_id=customer_id))
