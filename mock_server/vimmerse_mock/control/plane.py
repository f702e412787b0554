"""The use cases of the control plane: one method for each operation, by its id. Knows no HTTP."""

# ruff: noqa: D102 - what a use case does is said in its row of operations.py

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from msgspec import UNSET

from vimmerse_contracts.secrecy import without_credentials
from vimmerse_contracts.vocabulary import CONTROL_ROOT
from vimmerse_mock.control import messages as r
from vimmerse_mock.control import operations as o
from vimmerse_mock.control.registry import AccountRegistry
from vimmerse_mock.control.snapshots import FORMAT, VERSION, SnapshotFile
from vimmerse_mock.delivery import Courier, new_secret
from vimmerse_mock.errors import (
    BatchNotFoundError,
    ClockError,
    InvalidRequestError,
    UnknownAccountError,
)
from vimmerse_mock.model import story
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.bounds import CREDITS
from vimmerse_mock.model.clock import (
    LAST,
    ClockSetting,
    Instant,
    from_datetime,
    in_seconds,
    parse_span,
    to_datetime,
)
from vimmerse_mock.model.credits import LedgerEntry, Reason
from vimmerse_mock.model.delivery_plans import parse_plan
from vimmerse_mock.model.exchange import Exchange
from vimmerse_mock.model.faults import Fault
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.model.scenarios import read_scenario, write_scenario
from vimmerse_mock.model.snapshot import Snapshot, parse_position
from vimmerse_mock.model.story import Event
from vimmerse_mock.model.webhook_settings import WebhookSettings
from vimmerse_mock.service import BatchService, BatchView
from vimmerse_mock.stores import UNAUTHENTICATED, Store
from vimmerse_mock.stores.conflicts import retried


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Everything that can be asked about accounts, and done with them.

    The method for an operation takes what its path names, its `body`, and the parameters of its
    query, and returns what the operation gives.
    """

    accounts: AccountRegistry
    service: BatchService

    @property
    def store(self) -> Store:
        """Where the accounts are kept."""
        return self.courier.store

    @property
    def courier(self) -> Courier:
        """What delivers the webhooks."""
        return self.accounts.courier

    def index(self) -> o.Index:
        listed = tuple(
            o.OperationInfo(method=each.method, path=each.path, summary=each.summary)
            for each in o.OPERATIONS
        )
        return o.Index(operations=listed, openapi=CONTROL_ROOT + "/openapi.json")

    def openapi(self) -> dict[str, Any]:
        from vimmerse_mock.control.openapi import control_document  # noqa: PLC0415 - apispec costs start-up

        return control_document()

    def list_accounts(self, after: str = "", limit: int = o.MOST_LISTED) -> o.AccountList:
        most = _checked_limit(limit)
        customer_ids = sorted(each for each in self.store.customers() if each > after)
        listed = []
        for customer_id in customer_ids[:most]:
            with suppress(UnknownAccountError):  # it was closed meanwhile
                listed.append(self.show_account(customer_id))
        cursor = customer_ids[most - 1] if len(customer_ids) > most else ""
        return o.AccountList(accounts=tuple(listed), next=cursor)

    def open_account(self, body: r.OpenAccount) -> r.AccountInfo:
        return self.show_account(self.accounts.open(body.opening()).customer_id)

    def show_account(self, customer_id: str) -> r.AccountInfo:
        account = self.store.account(customer_id)
        return r.AccountInfo(
            customer_id=account.customer_id,
            manager_id=account.manager_id,
            api_key=account.api_key,
            credits=self.store.balance(customer_id),
            clock=self._clock_info(account),
            scenario=write_scenario(account.scenario),
            next_scenarios=tuple(map(write_scenario, account.next_scenarios)),
            requests_per_minute=account.throttle.requests_per_minute,
            concurrent_batches=account.throttle.concurrent_batches,
        )

    def change_account(self, customer_id: str, body: o.ChangeAccount) -> r.AccountInfo:
        limits = msgspec.structs.asdict(body)
        scenario = limits.pop("scenario")
        limits = {name: limit for name, limit in limits.items() if limit is not UNSET}

        def change(account: AccountState) -> AccountState:
            if scenario is not UNSET:
                account = replace(account, scenario=read_scenario(scenario))
            return replace(account, throttle=replace(account.throttle, **limits))

        self.accounts.change(customer_id, change)
        return self.show_account(customer_id)

    def close_account(self, customer_id: str) -> None:
        self.store.remove_account(customer_id)

    @retried
    def pay_in(self, customer_id: str, body: o.PayIn) -> r.AccountInfo:
        with self.store.transaction(customer_id) as tx:
            now = tx.account.clock.at(self.courier.real_time())
            paid = tx.book(body.amount, Reason.TOP_UP, now)
            if paid.balance not in CREDITS:
                raise InvalidRequestError(f"an account has {CREDITS} credits, not {paid.balance}")
        return self.show_account(customer_id)

    def show_ledger(
        self, customer_id: str, after: str = "", limit: int = o.MOST_LISTED
    ) -> o.Ledger:
        page = self.store.page(customer_id, LedgerEntry, after, _checked_limit(limit))
        lines = tuple(r.view(r.LedgerLine, entry) for entry in page.items)
        return o.Ledger(credits=self.store.balance(customer_id), entries=lines, next=page.next)

    def show_clock(self, customer_id: str) -> r.ClockInfo:
        return self._clock_info(self.store.account(customer_id))

    def set_clock(self, customer_id: str, body: ClockSetting) -> r.ClockInfo:
        return self._clock_info(self.accounts.set_clock(customer_id, body))

    def advance(self, customer_id: str, body: o.AdvanceBy) -> o.Moved:
        return self._move(customer_id, self._now(customer_id) + parse_span(body.by))

    def move_to(self, customer_id: str, body: o.MoveTo) -> o.Moved:
        now, until = self._now(customer_id), from_datetime(body.to)
        if until < now:
            raise ClockError(
                f"a clock moves forward only: it shows {to_datetime(now)}, "
                f"asked for {to_datetime(until)}"
            )
        return self._move(customer_id, until)

    def advance_to_next(self, customer_id: str) -> o.Moved:
        now = self._now(customer_id)
        instants = [max(each.due_at, now) for each in self.store.upcoming(customer_id)]
        transition = self.store.next_transition(customer_id, now)
        if transition is not None:
            instants.append(transition)
        if not instants:
            now = self._now(customer_id)
            return o.Moved(now=to_datetime(now), events=(), nothing_to_come=True)
        return self._move(customer_id, min(instants))

    def add_scenarios(self, customer_id: str, body: o.AddScenarios) -> r.AccountInfo:
        scenarios = tuple(map(read_scenario, body.scenarios))
        self.accounts.change(
            customer_id, lambda a: replace(a, next_scenarios=(*a.next_scenarios, *scenarios))
        )
        return self.show_account(customer_id)

    def clear_scenarios(self, customer_id: str) -> None:
        self.accounts.change(customer_id, lambda account: replace(account, next_scenarios=()))

    def list_faults(self, customer_id: str) -> o.FaultList:
        return o.FaultList(faults=self.store.account(customer_id).faults)

    def plan_fault(self, customer_id: str, body: Fault) -> o.FaultList:
        fault = replace(body, matched=0, fired=0)
        changed = self.accounts.change(
            customer_id, lambda account: replace(account, faults=(*account.faults, fault))
        )
        return o.FaultList(faults=changed.faults)

    def clear_faults(self, customer_id: str) -> None:
        self.accounts.change(customer_id, lambda account: replace(account, faults=()))

    def list_batches(
        self, customer_id: str, after: str = "", limit: int = o.MOST_LISTED
    ) -> o.BatchList:
        account = self.store.account(customer_id)
        page = self.store.page(customer_id, Batch, after, _checked_limit(limit))
        views = self.service.seen(account, page.items)
        return o.BatchList(batches=tuple(map(_batch_info, views)), next=page.next)

    def show_batch(self, customer_id: str, batch_id: str) -> r.BatchInfo:
        account = self.store.account(customer_id)
        batch = self.store.batch(customer_id, batch_id)
        if batch is None:
            raise BatchNotFoundError(f"the account has no batch {batch_id}")
        (view,) = self.service.seen(account, [batch])
        return _batch_info(view)

    def list_webhooks(
        self, customer_id: str, after: str = "", limit: int = o.MOST_LISTED
    ) -> o.WebhookList:
        page = self.store.page(customer_id, Message, after, _checked_limit(limit))
        return o.WebhookList(webhooks=tuple(map(_webhook_info, page.items)), next=page.next)

    def next_webhooks(self, customer_id: str) -> o.WebhookList:
        coming = sorted(self.store.upcoming(customer_id), key=lambda each: each.due_at)
        return o.WebhookList(webhooks=tuple(map(_webhook_info, coming)), next="")

    def show_webhook(self, customer_id: str, message_id: str) -> r.WebhookInfo:
        return _webhook_info(self.courier.message(customer_id, message_id))

    def redeliver(self, customer_id: str, message_id: str) -> r.WebhookInfo:
        return _webhook_info(self.courier.redeliver(customer_id, message_id))

    def show_webhook_settings(self, customer_id: str) -> r.WebhookSettingsInfo:
        return _settings_info(self.store.account(customer_id))

    def change_webhook_settings(
        self, customer_id: str, body: o.ChangeWebhooks
    ) -> r.WebhookSettingsInfo:
        changes: dict[str, Any] = {}
        if body.plan is not UNSET:
            changes["plan"] = None if body.plan is None else parse_plan(body.plan)
        if body.next_plans is not UNSET:
            changes["next_plans"] = tuple(map(parse_plan, body.next_plans))
        if body.retry_after is not UNSET:
            changes["retry_delays"] = tuple(map(parse_span, body.retry_after))
        if body.secrets is not UNSET:
            changes["secrets"] = body.secrets
        return self._change_webhooks(customer_id, lambda settings: replace(settings, **changes))

    def add_delivery_plans(self, customer_id: str, body: o.AddPlans) -> r.WebhookSettingsInfo:
        plans = tuple(map(parse_plan, body.plans))
        return self._change_webhooks(customer_id, lambda settings: settings.followed_by(plans))

    def rotate_secret(self, customer_id: str) -> r.WebhookSettingsInfo:
        secret = new_secret()
        return self._change_webhooks(customer_id, lambda settings: settings.rotated(secret))

    def show_journal(self, customer_id: str, operation: str = "", status: int = 0) -> o.Journal:
        wanted = (
            r.view(r.ExchangeInfo, exchange)
            for exchange in self.store.journal(customer_id)
            if operation in ("", exchange.operation) and status in (0, exchange.status)
        )
        return o.Journal(exchanges=tuple(wanted))

    def show_unauthenticated(self, operation: str = "", status: int = 0) -> o.Journal:
        return self.show_journal(UNAUTHENTICATED, operation, status)

    def show_story(self, customer_id: str, most: int = 200, after: str = "") -> o.Story:
        now = self._now(customer_id)
        if after:
            present = self.store.position(customer_id, now)
            position = present if after == o.NOW else parse_position(after)
            recent = self.store.since(customer_id, position, now)
            events, read = story.events_since(recent), recent.until
        else:
            read, account = self.store.position(customer_id, now), self.store.account(customer_id)
            snapshot = self._snapshot(account, self.store.journal(customer_id))
            events = story.events_of(snapshot, now)
        written = story.lines_of(events, most)
        return o.Story(events=_event_infos(events), written=written, next=str(read))

    @retried
    def export(self, customer_id: str) -> SnapshotFile:
        """Take a snapshot of an account, all of it at one moment; its clock stands at the present.

        The journal alone is read a moment before, since it is written outside of transactions and
        must not wait for this one.
        """
        journal = self.store.journal(customer_id)
        with self.store.transaction(customer_id) as tx:
            account, real = tx.account, self.courier.real_time()
            clock = replace(account.clock, origin=account.clock.at(real), anchor=real)
            taken = self._snapshot(replace(account, clock=clock), journal)
        return SnapshotFile(format=FORMAT, version=VERSION, snapshots=(taken,))

    def import_accounts(self, body: SnapshotFile) -> o.AccountList:
        added = self.accounts.add([each.opening() for each in body.accounts], body.snapshots)
        self.accounts.wake()
        opened = tuple(self.show_account(account.customer_id) for account in added)
        return o.AccountList(accounts=opened, next="")

    def _now(self, customer_id: str) -> Instant:
        return self.store.account(customer_id).clock.at(self.courier.real_time())

    def _clock_info(self, account: AccountState) -> r.ClockInfo:
        clock = account.clock
        now = to_datetime(clock.at(self.courier.real_time()))
        return r.view(r.ClockInfo, clock, speed=clock.rate, now=now)

    def _change_webhooks(
        self, customer_id: str, change: Callable[[WebhookSettings], WebhookSettings]
    ) -> r.WebhookSettingsInfo:
        changed = self.accounts.change(
            customer_id, lambda account: replace(account, webhooks=change(account.webhooks))
        )
        return _settings_info(changed)

    def _move(self, customer_id: str, until: Instant) -> o.Moved:
        """Move a clock to an instant, or leave it where it is if it runs and came there first."""
        if until > LAST:
            raise ClockError(f"a clock goes no further than {to_datetime(LAST)}")
        now = self._now(customer_id)
        until = max(now, until)
        before = self.store.position(customer_id, now)
        self.courier.advance(customer_id, until)
        events = story.events_since(self.store.since(customer_id, before, until))
        return o.Moved(now=to_datetime(until), events=_event_infos(events))

    def _snapshot(self, account: AccountState, journal: tuple[Exchange, ...]) -> Snapshot:
        customer_id = account.customer_id
        return Snapshot(
            account,
            self.store.ledger(customer_id),
            self.store.batches(customer_id),
            self.store.messages(customer_id),
            journal,
        )


def _checked_limit(limit: int) -> int:
    if not 1 <= limit <= o.MOST_LISTED:
        raise InvalidRequestError(f"limit={limit}: expected a number from 1 to {o.MOST_LISTED}")
    return limit


def _batch_info(view: BatchView) -> r.BatchInfo:
    return r.view(
        r.BatchInfo,
        view.batch,
        status=view.seen.status,
        progress=view.seen.progress,
        message=view.seen.message,
        medias=len(view.batch.medias),
        submissions=len(view.batch.submissions),
    )


def _webhook_info(message: Message) -> r.WebhookInfo:
    return r.view(r.WebhookInfo, message, url=without_credentials(message.url))


def _settings_info(account: AccountState) -> r.WebhookSettingsInfo:
    settings = account.webhooks
    return r.WebhookSettingsInfo(
        plan=None if settings.plan is None else str(settings.plan),
        next_plans=tuple(map(str, settings.next_plans)),
        retry_after=tuple(map(in_seconds, settings.retry_delays)),
        secrets=settings.secrets,
    )


def _event_infos(events: Iterable[Event]) -> tuple[r.EventInfo, ...]:
    return tuple(r.view(r.EventInfo, event) for event in events)
