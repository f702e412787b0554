"""The story of an account: everything that happened, on its own clock, in one order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from itertools import zip_longest
from typing import Final

from vimmerse_contracts.secrecy import without_credentials
from vimmerse_contracts.vocabulary import BatchStatus
from vimmerse_mock.model.batch import Batch, Submission, SubmissionKind
from vimmerse_mock.model.clock import Instant, in_seconds
from vimmerse_mock.model.credits import LedgerEntry
from vimmerse_mock.model.exchange import Exchange
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.model.snapshot import Deed, Recent, Snapshot
from vimmerse_mock.model.timeline import plan


class EventKind(StrEnum):
    """What sort of thing happened."""

    REQUEST = "request"
    FAULT = "fault"
    LEDGER = "ledger"
    TRANSITION = "transition"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened at an instant of the account's clock, in a few words."""

    at: Instant
    kind: EventKind
    what: str
    batch_id: str = ""


class _Rank(IntEnum):
    """What comes first of things that happen at one instant: causes, then effects."""

    MONEY = 0
    COURSE = 1
    DELIVERY = 2
    REQUEST = 3
    BEGINNING = 4
    COURSE_AT_ONCE = 5
    DELIVERY_AT_ONCE = 6


_DELIVERIES: Final = (_Rank.DELIVERY, _Rank.DELIVERY_AT_ONCE)

_Ranked = tuple[_Rank, Event, Deed | None]


def events_of(snapshot: Snapshot, until: Instant) -> tuple[Event, ...]:
    """Return everything that happened to an account until an instant, in order."""
    return _in_order(each for each in _everything(snapshot) if each[1].at <= until)


def events_since(recent: Recent) -> tuple[Event, ...]:
    """Return what happened beyond a position, in order."""

    def is_new(rank: _Rank, event: Event, deed: Deed | None) -> bool:
        if deed is None or rank in _DELIVERIES:
            return deed is None or deed in recent.deeds
        if deed in recent.deeds:
            return event.at <= recent.until.at
        return rank is not _Rank.BEGINNING and recent.since.at < event.at <= recent.until.at

    return _in_order(each for each in _everything(recent.written) if is_new(*each))


def _in_order(ranked: Iterable[_Ranked]) -> tuple[Event, ...]:
    return tuple(event for _, event, _ in sorted(ranked, key=lambda each: (each[1].at, each[0])))


def _everything(snapshot: Snapshot) -> Iterator[_Ranked]:
    begun = {(b.id, s.number): s.at for b in snapshot.batches for s in b.submissions}
    for batch in snapshot.batches:
        yield from _ranked_transitions(batch)
    for message in snapshot.messages:
        submitted_at = begun.get((message.batch_id, message.submission))
        for number, event in enumerate(_deliveries(message), start=1):
            rank = _Rank.DELIVERY_AT_ONCE if event.at == submitted_at else _Rank.DELIVERY
            yield rank, event, (*message.key, number)
    charged = {entry for exchange in snapshot.journal for entry in exchange.charges}
    for entry in snapshot.ledger:
        if entry not in charged:
            yield _Rank.MONEY, _movement(entry), None
    for exchange in snapshot.journal:
        for event in _requests(exchange):
            yield _Rank.REQUEST, event, None


def transitions(batch: Batch) -> Iterator[Event]:
    """Yield what happens to a batch, submission by submission, until the next one supersedes it."""
    return (event for _, event, _ in _ranked_transitions(batch))


def _ranked_transitions(batch: Batch) -> Iterator[_Ranked]:
    for submission, following in zip_longest(batch.submissions, batch.submissions[1:]):
        deed = batch.id, submission.number, 0, 0
        verb = "composes" if submission.kind is SubmissionKind.CONCAT else "processes"
        what = f"{verb} (submission {submission.number})"
        yield _Rank.BEGINNING, _transition(batch, submission.at, what), deed
        for event in _course(batch, submission):
            if following is None or event.at <= following.at:
                at_once = event.at == submission.at
                yield _Rank.COURSE_AT_ONCE if at_once else _Rank.COURSE, event, deed


def _course(batch: Batch, submission: Submission) -> Iterator[Event]:
    timeline, total = plan(submission, len(batch.medias)), len(batch.medias)
    if timeline.new_until > timeline.begins_at:
        yield _transition(batch, timeline.new_until, "new -> processing")
    for place, at in enumerate(timeline.media_ends):
        if at <= timeline.halts_at:
            end = "failed" if place in timeline.failing else "finished"
            yield _transition(batch, at, f"media {place + 1} of {total} {end}")
    ended = f"stuck at {timeline.most} %" if timeline.is_stuck else timeline.outcome.value
    yield _transition(batch, timeline.halts_at, f"processing -> {ended}")
    if timeline.video_at > timeline.halts_at and timeline.outcome is BatchStatus.SUCCESS:
        yield _transition(batch, timeline.video_at, "the composed video is there")


def _transition(batch: Batch, at: Instant, what: str) -> Event:
    return Event(at, EventKind.TRANSITION, what, batch.id)


def _deliveries(message: Message) -> Iterator[Event]:
    for number, attempt in enumerate(message.attempts, start=1):
        variant = f" ({message.variant.value})" if message.variant else ""
        where = without_credentials(message.url)
        what = f"webhook '{message.status}'{variant} to {where}, attempt {number}: {attempt.came}"
        yield Event(attempt.at, EventKind.DELIVERY, what, message.batch_id)


def _movement(entry: LedgerEntry) -> Event:
    what = f"{entry.amount:+d} credits ({entry.reason.value}), {entry.balance} left"
    return Event(entry.at, EventKind.LEDGER, what, entry.batch_id)


def _requests(exchange: Exchange) -> Iterator[Event]:
    """Yield a request, its fault, and what it cost."""
    known = exchange.operation or "no such operation"
    answered = exchange.status or "no whole answer"
    what = f"{exchange.method} {exchange.path} ({known}): {answered}"
    if exchange.batch_status:
        what += f", {exchange.batch_status} {exchange.progress} %"
    if exchange.why and not exchange.fault:
        what += f": {exchange.why}"
    yield Event(exchange.at, EventKind.REQUEST, what, exchange.batch_id)
    if exchange.fault:
        yield Event(exchange.at, EventKind.FAULT, exchange.fault, exchange.batch_id)
    yield from map(_movement, exchange.charges)


def lines_of(events: Sequence[Event], most: int) -> str:
    """Write a story for a terminal: seconds since its beginning, the middle left out if long."""
    if not events:
        return "nothing happened"
    ids = dict.fromkeys(event.batch_id for event in events if event.batch_id)
    names = {batch_id: f"batch {number}" for number, batch_id in enumerate(ids, start=1)}
    lines = [_line(event, events[0].at, names) for event in events]
    if len(lines) > most:
        left_out = len(lines) - most
        lines[most // 2 : most // 2 + left_out] = [f"{'...':>12}  {left_out} events left out"]
    return "\n".join(lines)


def _line(event: Event, begin: Instant, names: dict[str, str]) -> str:
    where, what = names.get(event.batch_id, ""), event.what
    if event.batch_id:
        what = what.replace(event.batch_id, f"<{where}>")
    return f"{in_seconds(event.at - begin):>+11.3f}s  {event.kind.value:<10}  {where:<8}  {what}"
