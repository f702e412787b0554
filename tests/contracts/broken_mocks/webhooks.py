"""Mocks that send webhooks otherwise: twice, to nobody, too early, too late, or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import requests

from contracts.broken_mocks.building import BrokenMock, Json, patched, sending, serving
from vimmerse_mock.delivery import HttpSender, Post, Reply
from vimmerse_mock.model.batch import Batch, SubmissionKind
from vimmerse_mock.model.clock import SECOND
from vimmerse_mock.model.credits import Reason
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.service import BatchService, Submitted
from vimmerse_mock.stores import Transaction

_ONE_WEBHOOK: Final = "test_webhook::test_one_webhook_comes_when_a_batch_is_done"


def _saying(post: Post, body: Json) -> Post:
    said = json.dumps(body).encode()
    headers = {**dict(post.headers), "Content-Length": str(len(said))}
    return replace(post, body=said, headers=tuple(headers.items()))


class _Twice(HttpSender):
    """Sends everything twice."""

    def send(self, post: Post) -> Reply:
        super().send(post)
        return super().send(post)


class _Backwards(HttpSender):
    """Sends the keys in another order."""

    def send(self, post: Post) -> Reply:
        return super().send(_saying(post, dict(reversed(list(json.loads(post.body).items())))))


class _Anonymous(HttpSender):
    """Does not say whose batch it is."""

    def send(self, post: Post) -> Reply:
        return super().send(_saying(post, {**json.loads(post.body), "customer_id": ""}))


class _SilentOnFailure(HttpSender):
    """Reports success only."""

    def send(self, post: Post) -> Reply:
        failed = json.loads(post.body)["status"] == "fail"
        return Reply(200) if failed else super().send(post)


class _AsForm(HttpSender):
    """Sends a form instead of JSON."""

    def send(self, post: Post) -> Reply:
        with requests.Session() as session:
            session.trust_env = False
            form = json.loads(post.body)
            return Reply(session.post(post.url, data=form, timeout=10).status_code)


def _too_early(**planned: Any) -> Message:
    return replace(Message(**planned), due_at=planned["due_at"] - SECOND)


def _too_late(**planned: Any) -> Message:
    return replace(Message(**planned), due_at=planned["due_at"] + 7200 * SECOND)


class _SilentOnConcat(BatchService):
    """Reports the end of a generation only."""

    def _submit(self, tx: Transaction, batch: Batch, reason: Reason) -> Submitted:
        submitted = super()._submit(tx, batch, reason)
        if batch.submission.kind is SubmissionKind.CONCAT:
            for message in tx.messages(batch.id, batch.submission.number):
                tx.save_message(message.withdrawn())
        return submitted


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
        patched("vimmerse_mock.delivery.planning.Message", _too_early),
        "test_webhook::test_no_webhook_comes_before_the_end",
        "assert {0, 1} == {0}",
    ),
    BrokenMock(
        "a webhook hours after the end",
        "webhook.when",
        patched("vimmerse_mock.delivery.planning.Message", _too_late),
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
        "concats are not reported",
        "concat.webhook",
        serving(_SilentOnConcat),
        "test_webhook::test_a_concat_is_reported_too",
        "expected 2 webhooks; saw 1",
    ),
    BrokenMock(
        "replaced submissions are reported",
        "update.supersedes",
        patched("vimmerse_mock.service.withdraw_webhooks", _nothing),
        "test_webhook::test_a_replaced_submission_is_not_reported",
        "expected 1 webhooks; saw 2",
    ),
)
