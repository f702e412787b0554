"""Mocks that send webhooks otherwise: twice, to nobody, too early, too late, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import requests

from contracts.broken_mocks.building import BrokenMock, patched, sending, serving
from vimmerse_mock.delivery import HttpSender, Reply
from vimmerse_mock.model.batch import Batch, SubmissionKind
from vimmerse_mock.model.clock import SECOND
from vimmerse_mock.model.ledger import LedgerEntry, Reason
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.service import BatchService
from vimmerse_mock.stores import Transaction

_ONE_WEBHOOK: Final = "test_webhook::test_one_webhook_comes_when_a_batch_is_done"


class _Twice(HttpSender):
    """Sends everything twice."""

    def send(self, url: str, body: Mapping[str, str]) -> Reply:
        super().send(url, body)
        return super().send(url, body)


class _Backwards(HttpSender):
    """Sends the keys in another order."""

    def send(self, url: str, body: Mapping[str, str]) -> Reply:
        return super().send(url, dict(reversed(list(body.items()))))


class _Anonymous(HttpSender):
    """Does not say whose batch it is."""

    def send(self, url: str, body: Mapping[str, str]) -> Reply:
        return super().send(url, {**body, "customer_id": ""})


class _SilentOnFailure(HttpSender):
    """Reports success only."""

    def send(self, url: str, body: Mapping[str, str]) -> Reply:
        return Reply(200) if body["status"] == "fail" else super().send(url, body)


class _AsForm(HttpSender):
    """Sends a form instead of JSON."""

    def send(self, url: str, body: Mapping[str, str]) -> Reply:
        with requests.Session() as session:
            session.trust_env = False
            return Reply(session.post(url, data=body, timeout=10).status_code)


def _too_early(**planned: Any) -> Message:
    return replace(Message(**planned), due_at=planned["due_at"] - SECOND)


def _too_late(**planned: Any) -> Message:
    return replace(Message(**planned), due_at=planned["due_at"] + 7200 * SECOND)


class _SilentOnComposition(BatchService):
    """Reports the end of a generation only."""

    def _submit(self, tx: Transaction, batch: Batch, reason: Reason) -> tuple[LedgerEntry, ...]:
        entries = super()._submit(tx, batch, reason)
        message = tx.message(batch.id, batch.submission.number)
        if message and batch.submission.kind is SubmissionKind.COMPOSE:
            tx.save_message(message.withdrawn())
        return entries


def _nothing(*_args: object) -> None:
    """Do nothing in place of what should be done."""


MOCKS: Final[Sequence[BrokenMock]] = (
    BrokenMock(
        "a double webhook",
        "webhook.when",
        sending(_Twice()),
        _ONE_WEBHOOK,
        "expected 1 webhooks; saw 2",
    ),
    BrokenMock(
        "a webhook that is a form",
        "webhook.body",
        sending(_AsForm()),
        _ONE_WEBHOOK,
        "application/json",
    ),
    BrokenMock(
        "a webhook backwards", "webhook.body", sending(_Backwards()), _ONE_WEBHOOK, "webhook body"
    ),
    BrokenMock(
        "a webhook of nobody", "webhook.body", sending(_Anonymous()), _ONE_WEBHOOK, "webhook body"
    ),
    BrokenMock(
        "a webhook before the end",
        "webhook.when",
        patched("vimmerse_mock.service.Message", _too_early),
        "test_webhook::test_no_webhook_comes_before_the_end",
        "assert {0, 1} == {0}",
    ),
    BrokenMock(
        "a webhook hours after the end",
        "webhook.when",
        patched("vimmerse_mock.service.Message", _too_late),
        _ONE_WEBHOOK,
        "expected 1 webhooks; saw 0",
    ),
    BrokenMock(
        "failures are not reported",
        "webhook.fail",
        sending(_SilentOnFailure()),
        "test_webhook::test_a_failure_is_reported_too",
        "expected 1 webhooks; saw 0",
    ),
    BrokenMock(
        "compositions are not reported",
        "concat.webhook",
        serving(_SilentOnComposition),
        "test_webhook::test_a_composition_is_reported_too",
        "expected 2 webhooks; saw 1",
    ),
    BrokenMock(
        "replaced submissions are reported",
        "update.supersedes",
        patched("vimmerse_mock.service._withdraw_webhook", _nothing),
        "test_webhook::test_a_replaced_submission_is_not_reported",
        "expected 1 webhooks; saw 2",
    ),
)
