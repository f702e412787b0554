"""Webhooks, planned with the submission that they report: in its transaction, or not at all."""

from __future__ import annotations

from dataclasses import replace

from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.delivery_plans import planned_messages, swapped
from vimmerse_mock.model.outbox import Message, MessageState, Variant
from vimmerse_mock.model.timeline import plan
from vimmerse_mock.model.webhook_settings import WebhookSettings
from vimmerse_mock.stores import Transaction


def plan_webhooks(tx: Transaction, batch: Batch) -> Message | None:
    """Plan the webhooks of the submission in force: one, unless a delivery plan says otherwise.

    Returns the one that is to be delivered before the request is answered. A submission that never
    ends has none.
    """
    true = _true_webhook(tx, batch)
    if true is None:
        return None
    delivery, settings = tx.account.webhooks.plan_taken()
    true, settings = _swapped(tx, true, settings, waits=delivery is not None and delivery.swaps)
    random = tx.account.random("delivery", batch.id, batch.submission.number)
    messages = planned_messages(delivery, true, batch.submission.at, random)
    for message in messages:
        tx.save_message(message)
    if settings != tx.account.webhooks:
        tx.save_account(replace(tx.account, webhooks=settings))
    return next((message for message in messages if message.variant is Variant.EARLY), None)


def redirect_webhooks(tx: Transaction, batch: Batch, url: str) -> None:
    """Send what is planned for the submission in force to another URL."""
    for message in _pending(tx, batch):
        tx.save_message(replace(message, url=url))


def withdraw_webhooks(tx: Transaction, batch: Batch) -> None:
    """Take back what is planned for the submission in force."""
    for message in _pending(tx, batch):
        tx.save_message(message.withdrawn())


def _pending(tx: Transaction, batch: Batch) -> list[Message]:
    messages = tx.messages(batch.id, batch.submission.number)
    return [message for message in messages if message.state is MessageState.PENDING]


def _true_webhook(tx: Transaction, batch: Batch) -> Message | None:
    """Return the webhook that says how the submission in force ends, if there is to be one."""
    number, timeline = batch.submission.number, plan(batch.submission, len(batch.medias))
    if batch.webhook_url is None or timeline.ends_at is None:
        return None
    random = tx.account.random("webhook", batch.id, number)
    return Message(
        id=f"msg_{random.getrandbits(96):024x}",
        customer_id=batch.customer_id,
        batch_id=batch.id,
        submission=number,
        url=batch.webhook_url,
        status=timeline.outcome.value,
        due_at=timeline.ends_at,
    )


def _swapped(
    tx: Transaction, coming: Message, settings: WebhookSettings, *, waits: bool
) -> tuple[Message, WebhookSettings]:
    """Swap a webhook with the one that waits for it; if none does, it may wait itself."""
    waiting = tx.message(*settings.swapping) if settings.swapping else None
    if waiting is None or waiting.state is not MessageState.PENDING or waiting.attempts:
        return coming, replace(settings, swapping=coming.key if waits else None)
    later, coming = swapped(waiting, coming)
    tx.save_message(later)
    return coming, replace(settings, swapping=None)
