"""What must be true of an account that is imported, so that the mock can go on with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate
from uuid import UUID

from vimmerse_contracts.fields import url_problem
from vimmerse_mock.errors import OpeningError, PlanError
from vimmerse_mock.model.account import require_usable
from vimmerse_mock.model.batch import Batch, Submission
from vimmerse_mock.model.bounds import CREDITS, INSTANT, Place, Problem, out_of_bounds
from vimmerse_mock.model.delivery_plans import Step
from vimmerse_mock.model.outbox import BODY_FIELDS, Message
from vimmerse_mock.model.snapshot import Snapshot
from vimmerse_mock.model.timeline import plan


def problems_of(place: Place, snapshot: Snapshot) -> Iterator[Problem]:
    """Find in one account what is out of bounds, unsound, or somebody else's."""
    yield from out_of_bounds(snapshot, Snapshot, place)
    account = snapshot.account
    if not account.customer_id or not account.api_key:
        yield (*place, "account"), "an account has a customer_id and an api_key"
    try:
        require_usable(account.api_key, account.customer_id)
    except OpeningError as error:
        yield (*place, "account"), str(error)
    if account.batches < len(snapshot.batches):
        yield (*place, "account", "batches"), "it counts every batch that was ever created"
    yield from _unsound_money((*place, "ledger"), snapshot)
    for number, batch in enumerate(snapshot.batches):
        where = (*place, "batches", number)
        yield from _foreign(where, "batch", batch.customer_id, account.customer_id)
        yield from _unsound_batch(where, batch)
    begun = {(batch.id, each.number) for batch in snapshot.batches for each in batch.submissions}
    for number, message in enumerate(snapshot.messages):
        where = (*place, "messages", number)
        yield from _foreign(where, "webhook", message.customer_id, account.customer_id)
        if (message.batch_id, message.submission) not in begun:
            yield where, "a webhook reports a submission of a batch of the account"
        yield from _unsound_message(where, message)
    yield from _repeated((*place, "batches"), "id", (b.id for b in snapshot.batches))
    yield from _repeated((*place, "messages"), "id", (m.id for m in snapshot.messages))
    yield from _misnumbered((*place, "messages"), snapshot.messages)


def _foreign(place: Place, what: str, owner: str, customer_id: str) -> Iterator[Problem]:
    if owner != customer_id:
        yield (
            (*place, "customer_id"),
            f"the {what} belongs to another customer than {customer_id}",
        )


def _unsound_money(place: Place, snapshot: Snapshot) -> Iterator[Problem]:
    for number, entry in enumerate(snapshot.ledger):
        if entry.batch_id and not _is_uuid(entry.batch_id):
            yield (*place, number, "batch_id"), "a batch's id is a UUID in lower case, or empty"
    sums = accumulate(entry.amount for entry in snapshot.ledger)
    for number, balance in enumerate(sums):
        if balance not in CREDITS:
            yield (*place, number), f"the ledger comes to {balance} credits, not {CREDITS}"
    if snapshot.ledger and snapshot.ledger[-1].balance != snapshot.balance:
        last = (*place, len(snapshot.ledger) - 1, "balance")
        yield last, f"the last balance is the ledger's sum, {snapshot.balance}"


def _unsound_batch(place: Place, batch: Batch) -> Iterator[Problem]:
    if not _is_uuid(batch.id):
        yield (*place, "id"), "a batch's id is a UUID in lower case"
    if batch.webhook_url is not None and url_problem(batch.webhook_url) is not None:
        yield (*place, "webhook_url"), "a webhook goes to an http or https URL"
    if not batch.submissions or not batch.medias:
        yield place, "a batch has at least one submission and one media"
    for number, submission in enumerate(batch.submissions):
        where = (*place, "submissions", number)
        if submission.number != number + 1:
            yield (*where, "number"), "submissions are numbered from 1, in order"
        yield from _unsound_submission(where, submission, len(batch.medias))


def _unsound_submission(place: Place, submission: Submission, medias: int) -> Iterator[Problem]:
    script, timeline = submission.script, plan(submission, medias)
    named = {
        ("script", "fail_medias"): script.fail_medias,
        ("script", "refuse_medias"): script.refuse_medias,
        ("finished",): submission.finished,
        ("failed",): submission.failed,
    }
    for name, places in named.items():
        if len(set(places)) < len(places) or any(each >= medias for each in places):
            yield (*place, *name), f"these are places of the batch's {medias} media, each once"
    if not set(script.refuse_medias) <= set(script.fail_medias):
        yield (*place, "script", "refuse_medias"), "what is refused is in fail_medias as well"
    if max(timeline.halts_at, *timeline.media_ends, submission.at) not in INSTANT:
        yield (*place, "script"), "it goes on after the end of the calendar"


def _unsound_message(place: Place, message: Message) -> Iterator[Problem]:
    if not message.id.isprintable():
        yield (*place, "id"), "an id has no character that cannot be printed"
    if url_problem(message.url) is not None:
        yield (*place, "url"), "a webhook goes to an http or https URL"
    for number, answer in enumerate(message.answers):
        if not _is_answer(answer):
            yield (*place, "answers", number), "it is no answer that a delivery plan pretends"
    for number, (name, _) in enumerate(message.changes):
        if name not in BODY_FIELDS:
            yield (*place, "changes", number), f"a webhook's fields are {', '.join(BODY_FIELDS)}"


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _is_answer(word: str) -> bool:
    try:
        return Step(word).kind.apply is None
    except PlanError:
        return False


def _repeated(place: Place, name: str, values: Iterable[object]) -> Iterator[Problem]:
    seen: set[object] = set()
    for number, value in enumerate(values):
        if value in seen:
            yield (*place, number), f"another one has this {name} already"
        seen.add(value)


def _misnumbered(place: Place, messages: Iterable[Message]) -> Iterator[Problem]:
    counted = Counter((message.batch_id, message.submission) for message in messages)
    seen: set[object] = set()
    for number, message in enumerate(messages):
        if message.number > counted[message.batch_id, message.submission] or message.key in seen:
            yield (*place, number, "number"), "webhooks of a submission are numbered from 1"
        seen.add(message.key)
