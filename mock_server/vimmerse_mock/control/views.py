"""What the control plane says of the model's values."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from vimmerse_contracts.network import without_login
from vimmerse_mock.control import messages as r
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.clock import Instant, in_seconds, to_datetime
from vimmerse_mock.model.credits import LedgerEntry
from vimmerse_mock.model.delivery_plans import WebhookSettings
from vimmerse_mock.model.exchange import Exchange
from vimmerse_mock.model.outbox import Attempt, Message
from vimmerse_mock.model.scenarios import write_scenario
from vimmerse_mock.model.story import Event
from vimmerse_mock.service import BatchView


def account_info(account: AccountState, balance: int, real: Instant) -> r.AccountInfo:
    """Describe an account."""
    return r.AccountInfo(
        customer_id=account.customer_id,
        manager_id=account.manager_id,
        api_key=account.api_key,
        credits=balance,
        clock=clock_info(account, real),
        scenario=write_scenario(account.scenario),
        next_scenarios=tuple(map(write_scenario, account.next_scenarios)),
        requests_per_minute=account.throttle.requests_per_minute,
        concurrent_batches=account.throttle.concurrent_batches,
    )


def clock_info(account: AccountState, real: Instant) -> r.ClockInfo:
    """Describe a clock."""
    clock = account.clock
    now = to_datetime(clock.at(real))
    return r.ClockInfo(mode=clock.mode, speed=clock.rate, step=in_seconds(clock.step), now=now)


def fault_list(account: AccountState) -> r.FaultList:
    """Describe an account's faults."""
    return msgspec.convert({"faults": msgspec.to_builtins(account.faults)}, r.FaultList)


def event_infos(events: Iterable[Event]) -> tuple[r.EventInfo, ...]:
    """Describe events."""
    return tuple(
        r.EventInfo(at=to_datetime(e.at), kind=e.kind, what=e.what, batch_id=e.batch_id)
        for e in events
    )


def ledger_line(entry: LedgerEntry) -> r.LedgerLine:
    """Describe a movement of credits."""
    return r.LedgerLine(
        at=to_datetime(entry.at),
        amount=entry.amount,
        balance=entry.balance,
        reason=entry.reason,
        batch_id=entry.batch_id,
        submission=entry.submission,
    )


def batch_info(view: BatchView) -> r.BatchInfo:
    """Describe a batch as it is seen."""
    return r.BatchInfo(
        id=view.batch.id,
        title=view.batch.title,
        status=view.seen.status,
        progress=view.seen.progress,
        message=view.seen.message,
        medias=len(view.batch.medias),
        submissions=len(view.batch.submissions),
        created_at=to_datetime(view.batch.created_at),
    )


def webhook_info(message: Message) -> r.WebhookInfo:
    """Describe a webhook."""
    return r.WebhookInfo(
        id=message.id,
        batch_id=message.batch_id,
        submission=message.submission,
        url=without_login(message.url),
        status=message.status,
        state=message.state,
        due_at=to_datetime(message.due_at),
        body=message.body,
        attempts=tuple(map(_attempt_info, message.attempts)),
        number=message.number,
        variant=message.variant,
        answers=message.answers,
    )


def webhook_settings_info(settings: WebhookSettings) -> r.WebhookSettingsInfo:
    """Describe how webhooks are delivered."""
    return r.WebhookSettingsInfo(
        plan=None if settings.plan is None else str(settings.plan),
        next_plans=tuple(map(str, settings.next_plans)),
        retry_after=tuple(map(in_seconds, settings.retry_delays)),
        secrets=settings.secrets,
    )


def _attempt_info(attempt: Attempt) -> r.AttemptInfo:
    return r.AttemptInfo(
        at=to_datetime(attempt.at),
        status=attempt.status,
        error=attempt.error,
        took=in_seconds(attempt.took),
        came=attempt.came,
        url=attempt.url,
        request_headers=dict(attempt.request_headers),
        request_body=attempt.request_body,
        response_headers=dict(attempt.response_headers),
        response_body=attempt.response_body,
        pretended=attempt.pretended,
    )


def exchange_info(exchange: Exchange) -> r.ExchangeInfo:
    """Describe a request and its answer."""
    return r.ExchangeInfo(
        at=to_datetime(exchange.at),
        took=in_seconds(exchange.took),
        method=exchange.method,
        path=exchange.path,
        operation=exchange.operation,
        status=exchange.status,
        headers=exchange.headers,
        form=exchange.form,
        answer_headers=exchange.answer_headers,
        answer=exchange.answer,
        batch_id=exchange.batch_id,
        batch_status=exchange.batch_status,
        progress=exchange.progress,
        charges=tuple(map(ledger_line, exchange.charges)),
        fault=exchange.fault,
    )
