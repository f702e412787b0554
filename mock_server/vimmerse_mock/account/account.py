"""Accounts as a test holds them: one interface, wherever the mock runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypedDict, TypeVar, Unpack

import msgspec

from vimmerse_contracts.secrecy import without_credentials
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
Listing = TypeVar("Listing", bound=o.Listed)


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
    waits_as_new: bool
    video_after: str | float
    translated_prompt: str


class Account:
    """A customer of the mock, isolated from all others.

    Configure a client with `url` and `key`. Everything else calls the control plane, through
    `control`. `info` is the account as it was when it was opened or found.
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
        return f"<Account {self.customer_id} at {without_credentials(self.url)}>"

    @property
    def credits(self) -> int:
        """The balance in credits, which is the sum of the ledger."""
        return self.call(o.SHOW_ACCOUNT).credits

    @property
    def ledger(self) -> tuple[r.LedgerLine, ...]:
        """Every charge and top-up, oldest first."""
        return tuple(each for page in self._pages(o.SHOW_LEDGER) for each in page.entries)

    @property
    def batches(self) -> tuple[r.BatchInfo, ...]:
        """Every batch as it is now, oldest first."""
        return tuple(each for page in self._pages(o.LIST_BATCHES) for each in page.batches)

    @property
    def outbox(self) -> tuple[r.WebhookInfo, ...]:
        """Every planned webhook with its attempts, in the order in which they were planned."""
        return tuple(each for page in self._pages(o.LIST_WEBHOOKS) for each in page.webhooks)

    @property
    def next_webhooks(self) -> tuple[r.WebhookInfo, ...]:
        """The webhook that comes next at each URL, the first to come first."""
        return self.call(o.NEXT_WEBHOOKS).webhooks

    @property
    def webhook_settings(self) -> r.WebhookSettingsInfo:
        """How webhooks are delivered: plans, retries, secrets."""
        return self.call(o.SHOW_WEBHOOK_SETTINGS)

    def batch(self, batch_id: str) -> r.BatchInfo:
        """Return one batch, as it stands now.

        Raises:
            BatchNotFoundError: the account has none with that id.
        """
        return self.call(o.SHOW_BATCH, batch_id=batch_id)

    def webhook(self, message_id: str) -> r.WebhookInfo:
        """Return one webhook of the outbox, as it is now.

        Raises:
            UnknownMessageError: no webhook has that id.
        """
        return self.call(o.SHOW_WEBHOOK, message_id=message_id)

    def redeliver(self, message_id: str) -> r.WebhookInfo:
        """Send a webhook again, as a further attempt, and return it with that attempt.

        Raises:
            UnknownMessageError: no webhook has that id.
        """
        return self.call(o.REDELIVER, message_id=message_id)

    def plan_webhooks(self, plan: str | None) -> None:
        """Set the delivery plan for the webhooks of all later submissions; None for no plan.

        `500, timeout, ok` pretends two failed attempts, and then sends the webhook.
        docs/webhooks.md lists all steps.

        Raises:
            PlanError: the plan is not valid; the message says what is allowed.
        """
        self.call(o.CHANGE_WEBHOOK_SETTINGS, o.ChangeWebhooks(plan=plan))

    def plan_next_webhooks(self, *plans: str) -> None:
        """Set a delivery plan for each of the next submissions with a webhook, in their order.

        Raises:
            PlanError: a plan is not valid; the message says what is allowed.
        """
        self.call(o.ADD_DELIVERY_PLANS, o.AddPlans(plans=plans))

    def retry_webhooks_after(self, *spans: str | float) -> None:
        """Set the delays before the first retry of a webhook, the second, and so on.

        Without a delay, a webhook is sent only once.

        Raises:
            SpanError: a delay is not a span of time.
            WebhookSettingsError: there are too many delays.
        """
        self.call(o.CHANGE_WEBHOOK_SETTINGS, o.ChangeWebhooks(retry_after=spans))

    def sign_webhooks(self, *secrets: str) -> None:
        """Sign webhooks with these secrets (`whsec_...`), the newest first.

        Without a secret, webhooks are not signed.

        Raises:
            WebhookSettingsError: a secret is not valid, or there are more than two.
        """
        self.call(o.CHANGE_WEBHOOK_SETTINGS, o.ChangeWebhooks(secrets=secrets))

    def rotate_webhook_secret(self) -> str:
        """Generate a new signing secret and return it; the current one keeps signing beside it."""
        return self.call(o.ROTATE_SECRET).secrets[0]

    def pay_in(self, amount: int) -> None:
        """Add credits.

        Raises:
            InvalidRequestError: the amount is less than 1.
        """
        self.call(o.PAY_IN, o.PayIn(amount=amount))

    def use_scenario(self, wanted: str | Scenario) -> None:
        """Set the scenario of all later submissions: the name of a preset, or a `Scenario`.

        Raises:
            UnknownScenarioError: no preset has that name.
        """
        written = wanted if isinstance(wanted, str) else msgspec.to_builtins(wanted)
        self.call(o.CHANGE_ACCOUNT, o.ChangeAccount(scenario=written))

    def next_batch(self, *names: str, **details: Unpack[Details]) -> None:
        """Set the scenarios of the next batches, in their order.

        `next_batch("stuck", "success")` is for two batches. `next_batch(queue="2s",
        fail_medias=[1])` is for one, with the fields of `Scenario`. `next_batch("slow",
        fail_medias=[1])` is for one, too: a preset with changes.

        Raises:
            UnknownScenarioError: no preset has that name.
            ScenarioError: a field is not valid, or there are fields and several names.
        """
        if details and len(names) > 1:
            raise ScenarioError("details are for one batch: call next_batch for each")
        scenarios = tuple({"name": name, **details} for name in names) or (details,)
        self.call(o.ADD_SCENARIOS, o.AddScenarios(scenarios=scenarios))

    def forget_next_batches(self) -> None:
        """Remove the scenarios of `next_batch` that no batch has taken yet."""
        self.call(o.CLEAR_SCENARIOS)

    def limit(
        self,
        *,
        requests_per_minute: int | None = None,
        concurrent_batches: int | None = None,
    ) -> None:
        """Set rate limits; whatever exceeds one is answered with 429 and Retry-After.

        `concurrent_batches` is how many batches may process at the same time. None is no limit. The
        minute is one of the account's clock.

        Raises:
            InvalidLimitError: a limit is less than 1.
        """
        body = o.ChangeAccount(
            requests_per_minute=requests_per_minute, concurrent_batches=concurrent_batches
        )
        self.call(o.CHANGE_ACCOUNT, body)

    def story(self, most: int = 200) -> str:
        """Return everything that happened, as text for a terminal, in order.

        Times are those of the account's clock. If there are more than `most` lines, those in the
        middle are left out.
        """
        return self.call(o.SHOW_STORY, query={"most": str(most)}).written

    def events(self) -> tuple[r.EventInfo, ...]:
        """Return everything that happened, in order."""
        return self.call(o.SHOW_STORY).events

    def events_after(self, cursor: str = "") -> tuple[tuple[r.EventInfo, ...], str]:
        """Return what happened beyond a cursor, in order, and the cursor to go on from.

        Without one, that is everything; beyond `now` there is nothing yet. It costs what is new,
        not what is there.

        Raises:
            InvalidRequestError: it is no cursor that was returned here.
        """
        story = self.call(o.SHOW_STORY, query={"after": cursor, "most": "0"})
        return story.events, story.next

    def export(self) -> SnapshotFile:
        """Return a snapshot of the whole account; it contains the API key."""
        return self.call(o.EXPORT)

    def close(self) -> None:
        """Remove the account and everything that belongs to it. Closing twice is no error."""
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
            ControlError: the control plane refused the call, or was not reached.
        """
        return self.control.call(operation, body, query=query, customer_id=self.customer_id, **path)

    def _pages(self, operation: o.Operation[Any, Listing]) -> Iterator[Listing]:
        return self.control.pages(operation, customer_id=self.customer_id)


class RemoteMock:
    """A mock that runs in another process, such as one of `vimmerse-mock serve` or `run`.

    Args:
        url: The URL of the mock.
        token: The token for its control plane, if it needs one.
        control_url: The URL of its control plane, if it is not `url`.
    """

    in_process: Final = None
    """It delivers no webhooks within this process, as a `MockServer` may."""

    def __init__(self, url: str, token: str = "", *, control_url: str = "") -> None:
        self.url = url.rstrip("/")
        self.control = ControlClient(HttpCaller(control_url or self.url, token))

    def __repr__(self) -> str:
        return f"<RemoteMock at {without_credentials(self.url)}>"

    def open_account(self, opening: Opening | None = None) -> Account:
        """Open an account.

        Raises:
            DuplicateAccountError: its key or customer id is taken.
            ControlError: the mock refused, or was not reached.
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
