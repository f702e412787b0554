"""The outbox: webhooks planned with the submission that they report, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from vimmerse_mock.model.clock import SECOND, Instant, Span

RETRY_DELAYS: Final[tuple[Span, ...]] = (10 * SECOND, 60 * SECOND, 300 * SECOND, 1800 * SECOND)
"""How long after a failed attempt the next one follows, on the account's clock (A)."""

IN_FLIGHT_PER_ACCOUNT: Final = 4
"""How many messages of an account are under way at once: one's dead receiver is nobody else's."""


class MessageState(StrEnum):
    """Where a message stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    """Every attempt failed."""
    WITHDRAWN = "withdrawn"
    """Its submission was superseded before it ended."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver: when on the account's clock, what came back, and how long it took.

    `status` is the receiver's HTTP status, None where there was no answer, which `error` explains.
    """

    at: Instant
    status: int | None
    error: str
    took: Span

    @property
    def succeeded(self) -> bool:
        """Only 2xx counts (P26)."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Message:
    """One webhook: due at an instant of the account's clock, tried until it is through.

    `due_at` is when the next attempt is due while the message is pending.
    """

    id: str
    customer_id: str
    batch_id: str
    submission: int
    url: str
    status: str
    due_at: Instant
    state: MessageState = MessageState.PENDING
    attempts: tuple[Attempt, ...] = ()

    @property
    def body(self) -> dict[str, str]:
        """The documented body (S), in its order."""
        return {
            "customer_id": self.customer_id,
            "batch_id": self.batch_id,
            "status": self.status,
        }

    def after(self, attempt: Attempt) -> Message:
        """Record an attempt: delivered, due again, or exhausted."""
        tried = replace(self, attempts=(*self.attempts, attempt))
        if attempt.succeeded:
            return replace(tried, state=MessageState.DELIVERED)
        failures = len(tried.attempts)
        if failures > len(RETRY_DELAYS):
            return replace(tried, state=MessageState.EXHAUSTED)
        return replace(tried, due_at=attempt.at + RETRY_DELAYS[failures - 1])

    def withdrawn(self) -> Message:
        """Take the message back."""
        return replace(self, state=MessageState.WITHDRAWN)
