"""The outbox: webhooks planned with the submission that they report, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import urlsplit

from vimmerse_mock.model.bounds import NAME, NUMBER, STATUS
from vimmerse_mock.model.clock import SECOND, Instant, Span

RETRY_DELAYS: Final[tuple[Span, ...]] = (10 * SECOND, 60 * SECOND, 300 * SECOND, 1800 * SECOND)
"""How long after a failed attempt the next one follows, on the account's clock (A)."""

GONE: Final = 410
"""The status by which a receiver says that it wants no more: the last attempt (A)."""

MOST_ATTEMPTS: Final = 100
"""How often a message is sent, by itself and by hand: every attempt is kept."""

LEASE: Final[Span] = 30 * SECOND
"""How long a message under way is kept from others, should whoever sends it die: three timeouts."""

BODY_FIELDS: Final = ("customer_id", "batch_id", "status")
"""What the documented body says, in its order (S)."""

MessageKey = tuple[str, int, int]
"""Batch, submission and number: what a message is kept under."""

Headers = tuple[tuple[str, str], ...]
"""Header fields in the order in which they went over the wire."""


class MessageState(StrEnum):
    """Where a message stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    """Every attempt failed, or the receiver answered 410."""
    WITHDRAWN = "withdrawn"
    """Its submission was superseded before it ended."""
    SET_ASIDE = "set_aside"
    """It could not be claimed, sent or recorded, and is not tried again: a mistake of the mock."""
    DROPPED = "dropped"
    """A delivery plan says that it never comes."""


class Variant(StrEnum):
    """What a delivery plan made of a message."""

    NONE = ""
    COPY = "copy"
    """The true webhook once more."""
    EARLY = "early"
    """Sent before the request that began the submission is answered."""
    STALE = "stale"
    """Says success while the batch still processes."""
    WRONG = "wrong"
    """A field has a value that it should not have."""
    MISSING = "missing"
    """A field is not there."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver: when on the account's clock, what came back, and how long it took.

    `status` is the receiver's HTTP status, None where there was no answer, which `error` explains.
    What was sent and what came back is kept as text, without secrets, and shortened where it is
    long. `pretended` says that a delivery plan made up the answer, and that nothing was sent.
    """

    at: Instant
    status: Annotated[int, STATUS] | None
    error: str
    took: Span
    url: str = ""
    request_headers: Headers = ()
    request_body: str = ""
    response_headers: Headers = ()
    response_body: str = ""
    pretended: bool = False

    @property
    def came(self) -> str:
        """What came back, in a few words."""
        if self.status is None:
            return self.error
        return f"{self.status} (pretended)" if self.pretended else str(self.status)

    @property
    def succeeded(self) -> bool:
        """Whether the receiver accepted it: only 2xx counts (P26)."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Message:
    """One webhook: due at an instant of the account's clock, tried until delivered or given up.

    `due_at` is when the next attempt is due while the message is pending. `number` counts the
    messages of one submission, from 1: without a delivery plan there is one. `answers` are what
    the mock pretends that its first attempts were answered. `changes` are fields of the body that
    differ from the truth, None for one that is left out. `event` is the id under which the receiver
    knows the message, where that is another message's, and `at_once` lifts the order.
    """

    id: Annotated[str, NAME]
    customer_id: str
    batch_id: str
    submission: Annotated[int, NUMBER]
    url: str
    status: str
    due_at: Instant
    state: MessageState = MessageState.PENDING
    attempts: tuple[Attempt, ...] = ()
    number: Annotated[int, NUMBER] = 1
    variant: Variant = Variant.NONE
    answers: tuple[str, ...] = ()
    changes: tuple[tuple[str, str | None], ...] = ()
    event: str = ""
    at_once: bool = False

    @property
    def key(self) -> MessageKey:
        """What the message is kept under in its account."""
        return self.batch_id, self.submission, self.number

    @property
    def event_id(self) -> str:
        """The `webhook-id` of a signed message: the same for every attempt, and for its copies."""
        return self.event or self.id

    @property
    def body(self) -> dict[str, str]:
        """The documented body (S), in its order, with what a delivery plan changed of it."""
        fields = {name: getattr(self, name) for name in BODY_FIELDS} | dict(self.changes)
        return {name: value for name, value in fields.items() if value is not None}

    @property
    def receiver(self) -> str:
        """Who is called: scheme, host and port."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()

    @property
    def lane(self) -> str:
        """What keeps its order: an account's messages to one URL, whatever its query."""
        lane = self.receiver + urlsplit(self.url).path
        return f"{lane}#{self.id}" if self.at_once else lane

    @property
    def pretended_answer(self) -> str:
        """What the next attempt is pretended to be answered; empty if it is really sent."""
        done = len(self.attempts)
        return self.answers[done] if done < len(self.answers) else ""

    def after(self, attempt: Attempt, delays: Sequence[Span] = RETRY_DELAYS) -> Message:
        """Return the message after an attempt: delivered, due again, or exhausted."""
        attempts = (*self.attempts, attempt)
        if attempt.succeeded:
            return replace(self, attempts=attempts, state=MessageState.DELIVERED)
        failures = len(attempts)
        if failures > len(delays) or attempt.status == GONE:
            return replace(self, attempts=attempts, state=MessageState.EXHAUSTED)
        return replace(self, attempts=attempts, due_at=attempt.at + delays[failures - 1])

    def besides(self, attempt: Attempt) -> Message:
        """Return the message after an attempt while it is not pending: it can still succeed."""
        tried = replace(self, attempts=(*self.attempts, attempt))
        if attempt.succeeded and self.state is not MessageState.WITHDRAWN:
            return replace(tried, state=MessageState.DELIVERED)
        return tried

    def withdrawn(self) -> Message:
        """Return the message withdrawn, if it is pending; else as it is."""
        if self.state is not MessageState.PENDING:
            return self
        return replace(self, state=MessageState.WITHDRAWN)
