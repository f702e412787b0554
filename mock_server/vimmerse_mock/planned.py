"""What an account has sent to an inbox, and has yet to send: the inbox's source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from vimmerse_mock.account import Account
from vimmerse_mock.control.resources import AttemptInfo, WebhookInfo
from vimmerse_mock.inbox import IsOurs
from vimmerse_mock.model.outbox import MessageState

_SHOWN: Final = 10


class AccountSource:
    """An account as the source of an inbox."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def due_in(self, is_ours: IsOurs) -> float | None:
        """Tell in how many seconds of the account's clock the next webhook is due."""
        pending = [w.due_at for w in self._ours(is_ours) if w.state is MessageState.PENDING]
        return _seconds(self._account.clock.now(), min(pending)) if pending else None

    def advance(self, span: float) -> None:
        """Move the account's clock forward by seconds, and deliver what falls due."""
        self._account.clock.advance(span)

    def describe(self, is_ours: IsOurs) -> Sequence[str]:
        """Tell of each webhook for the inbox; where there is none, where the others go."""
        now = self._account.clock.now()
        ours = [_line(webhook, now) for webhook in self._ours(is_ours)]
        return ours[-_SHOWN:] or [_nothing(self._account.outbox)]

    def _ours(self, is_ours: IsOurs) -> Iterator[WebhookInfo]:
        return (webhook for webhook in self._account.outbox if is_ours(webhook.url))


def _seconds(now: datetime, due_at: datetime) -> float:
    return max(0.0, (due_at - now).total_seconds())


def _line(webhook: WebhookInfo, now: datetime) -> str:
    name = f"batch {webhook.batch_id}, submission {webhook.submission}, {webhook.status!r}"
    return f"{name}: {webhook.state.value}{_tried(webhook.attempts)}{_due(webhook, now)}"


def _tried(attempts: Sequence[AttemptInfo]) -> str:
    if not attempts:
        return ""
    answers = ", ".join(str(each.status or each.error) for each in attempts)
    return f" after {len(attempts)} attempt{'s' * (len(attempts) > 1)} ({answers})"


def _due(webhook: WebhookInfo, now: datetime) -> str:
    if webhook.state is not MessageState.PENDING:
        return ""
    span = _seconds(now, webhook.due_at)
    return f", due in {span:g} s: expect it within {span:g} s, or advance the clock by {span:g} s"


def _nothing(outbox: Sequence[WebhookInfo]) -> str:
    if not outbox:
        return "nothing: no batch was created with a webhook_url"
    others = sorted({urlsplit(webhook.url).netloc.rpartition("@")[2] for webhook in outbox})
    return f"nothing for this URL; webhook_url led elsewhere: {', '.join(others[:3])}"
