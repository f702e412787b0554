"""What an account has sent to an inbox, and has yet to send: the inbox's source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from vimmerse_mock.account import Account
from vimmerse_mock.inbox import IsOurs
from vimmerse_mock.model.clock import Instant, from_datetime, in_seconds
from vimmerse_mock.model.outbox import Attempt, Message, MessageState

_SHOWN: Final = 10


class AccountSource:
    """An account as the source of an inbox."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def due_in(self, is_ours: IsOurs) -> float | None:
        """Tell in how many seconds of the account's clock the next webhook is due."""
        pending = [m.due_at for m in self._ours(is_ours) if m.state is MessageState.PENDING]
        return max(0.0, in_seconds(min(pending) - self._now())) if pending else None

    def advance(self, span: float) -> None:
        """Move the account's clock forward by seconds, and deliver what falls due."""
        self._account.clock.advance(span)

    def describe(self, is_ours: IsOurs) -> Sequence[str]:
        """Tell of each message for the inbox; where there is none, where the others go."""
        ours = [_line(message, self._now()) for message in self._ours(is_ours)]
        return ours[-_SHOWN:] or [_nothing(self._account.outbox)]

    def _ours(self, is_ours: IsOurs) -> Iterator[Message]:
        return (message for message in self._account.outbox if is_ours(message.url))

    def _now(self) -> Instant:
        return from_datetime(self._account.clock.now())


def _line(message: Message, now: Instant) -> str:
    name = f"batch {message.batch_id}, submission {message.submission}, {message.status!r}"
    return f"{name}: {message.state.value}{_tried(message.attempts)}{_due(message, now)}"


def _tried(attempts: Sequence[Attempt]) -> str:
    if not attempts:
        return ""
    answers = ", ".join(str(each.status or each.error) for each in attempts)
    return f" after {len(attempts)} attempt{'s' * (len(attempts) > 1)} ({answers})"


def _due(message: Message, now: Instant) -> str:
    if message.state is not MessageState.PENDING:
        return ""
    span = max(0.0, in_seconds(message.due_at - now))
    return f", due in {span:g} s: expect it within {span:g} s, or advance the clock by {span:g} s"


def _nothing(outbox: Sequence[Message]) -> str:
    if not outbox:
        return "nothing: no batch was created with a webhook_url"
    others = sorted({urlsplit(message.url).netloc.rpartition("@")[2] for message in outbox})
    return f"nothing for this URL; webhook_url led elsewhere: {', '.join(others[:3])}"
