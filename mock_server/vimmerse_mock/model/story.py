"""The story of an account: everything that happened, on its own clock, in one order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vimmerse_mock.model.batch import Batch, Submission, SubmissionKind
from vimmerse_mock.model.clock import Instant, in_seconds
from vimmerse_mock.model.journal import Exchange
from vimmerse_mock.model.ledger import LedgerEntry
from vimmerse_mock.model.outbox import Attempt, Message
from vimmerse_mock.model.timeline import Timeline, plan


class EventKind(StrEnum):
    """What sort of thing happened."""

    REQUEST = "request"
    FAULT = "fault"
    LEDGER = "ledger"
    TRANSITION = "transition"
    DELIVERY = "delivery"


_RANK: Final = {kind: rank for rank, kind in enumerate(EventKind)}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened at an instant of the account's clock, in a few words."""

    at: Instant
    kind: EventKind
    what: str
    batch_id: str = ""


def transitions(batch: Batch) -> Iterator[Event]:
    """Tell what happens to a batch, submission by submission, until the next one supersedes it."""
    for number, submission in enumerate(batch.submissions):
        following = batch.submissions[number + 1 :]
        until = following[0].at if following else None
        for event in _course(batch, submission):
            if until is None or event.at <= until:
                yield event


def _course(batch: Batch, submission: Submission) -> Iterator[Event]:
    timeline, total = plan(submission, len(batch.medias)), len(batch.medias)
    verb = "composes" if submission.kind is SubmissionKind.COMPOSE else "processes"
    yield _transition(batch, submission.at, f"{verb} (submission {submission.number})")
    for place, at in enumerate(timeline.media_ends):
        end = "failed" if place in timeline.failing else "finished"
        yield _transition(batch, at, f"media {place + 1} of {total} {end}")
    yield from _end(batch, timeline)


def _end(batch: Batch, timeline: Timeline) -> Iterator[Event]:
    yield _transition(batch, timeline.ends_at, f"processing -> {timeline.outcome.value}")


def _transition(batch: Batch, at: Instant, what: str) -> Event:
    return Event(at, EventKind.TRANSITION, what, batch.id)


def deliveries(message: Message) -> Iterator[Event]:
    """Tell every attempt to deliver a message."""
    for number, attempt in enumerate(message.attempts, start=1):
        what = f"webhook '{message.status}' to {message.url}, attempt {number}: {_came(attempt)}"
        yield Event(attempt.at, EventKind.DELIVERY, what, message.batch_id)


def _came(attempt: Attempt) -> str:
    return attempt.error if attempt.status is None else str(attempt.status)


def movement(entry: LedgerEntry) -> Event:
    """Tell one movement of credits."""
    what = f"{entry.amount:+d} credits ({entry.reason.value}), {entry.balance} left"
    return Event(entry.at, EventKind.LEDGER, what, entry.batch_id)


def requests(exchange: Exchange) -> Iterator[Event]:
    """Tell one request, and the fault that it met."""
    known = exchange.operation or "no such operation"
    told = f"{exchange.method} {exchange.path} ({known}): {exchange.status}"
    if exchange.batch_status:
        told += f", {exchange.batch_status} {exchange.progress} %"
    yield Event(exchange.at, EventKind.REQUEST, told, exchange.batch_id)
    if exchange.fault:
        yield Event(exchange.at, EventKind.FAULT, f"fault: {exchange.fault}", exchange.batch_id)


def in_order(events: Iterable[Event], until: Instant) -> tuple[Event, ...]:
    """Sort what happened until an instant; of one instant, causes come before effects."""
    kept = (event for event in events if event.at <= until)
    return tuple(sorted(kept, key=lambda event: (event.at, _RANK[event.kind])))


def written(events: Iterable[Event], most: int) -> str:
    """Write a story for a terminal: seconds since its beginning, the middle left out if long."""
    told = list(events)
    if not told:
        return "nothing happened"
    begin, batches = told[0].at, _short_names(told)
    lines = [_line(event, begin, batches) for event in told]
    if len(lines) > most:
        left_out = len(lines) - most
        lines[most // 2 : most // 2 + left_out] = [f"{'...':>12}  {left_out} events left out"]
    return "\n".join(lines)


def _short_names(events: Iterable[Event]) -> dict[str, str]:
    """Name batches A, B, ... in the order of their appearance."""
    ids = dict.fromkeys(event.batch_id for event in events if event.batch_id)
    return {batch_id: f"batch {number}" for number, batch_id in enumerate(ids, start=1)}


def _line(event: Event, begin: Instant, batches: dict[str, str]) -> str:
    where = batches.get(event.batch_id, "")
    return (
        f"{in_seconds(event.at - begin):>+11.3f}s  {event.kind.value:<10}  {where:<8}  {event.what}"
    )
