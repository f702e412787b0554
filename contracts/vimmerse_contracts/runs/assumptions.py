"""What a test relied on that is only assumed: from what its account was asked, answered and sent.

Pure: steps of a journal in, rules out. What a test looked at elsewhere (its credits, say) does not
show in a journal, and is not counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from vimmerse_contracts.operations import CONCAT, CREATE, ERRORS, HEALTH, UPDATE, all_rules
from vimmerse_contracts.provenance import Rule, Standing
from vimmerse_contracts.schemas import CreateBatchSchema, UpdateBatchSchema
from vimmerse_contracts.vocabulary import RESUBMITTING_FIELDS, BatchStatus

_LISTS: Final = frozenset({"image_files", "image_urls"})
_FIELDS: Final = {
    CREATE.id: frozenset(CreateBatchSchema().fields),
    UPDATE.id: frozenset(UpdateBatchSchema().fields),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One request and its answer, as a mock's journal keeps them.

    `operation` is the contract's id. The journal may have cut `answer`, so it says for itself what
    the answer said: `batch_id`, `batch_status` and `progress`.
    """

    at: datetime
    operation: str
    path: str
    status: int
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)
    answer: str = ""
    batch_id: str = ""
    batch_status: str = ""
    progress: int = 0

    @property
    def accepted(self) -> bool:
        """Whether the answer was 200."""
        return self.status == HTTPStatus.OK

    @property
    def processes_again(self) -> bool:
        """Whether it was an update that started the batch again."""
        asked = any(any(self.form.get(name, ())) for name in RESUBMITTING_FIELDS)
        return self.accepted and self.operation == UPDATE.id and asked

    @property
    def batch(self) -> Mapping[str, Any]:
        """The Batch of the answer, as far as the journal kept it whole."""
        try:
            batch = json.loads(self.answer)["data"]
        except (KeyError, TypeError, ValueError):
            return {}
        return batch if isinstance(batch, dict) else {}

    def __str__(self) -> str:
        said = f", {self.batch_status} {self.progress} %" if self.batch_status else ""
        return f"{self.operation} answered {self.status}{said}"


@dataclass(frozen=True, slots=True)
class Sent:
    """A webhook that was sent: of which submission of a batch (from 1 on), and how often."""

    batch_id: str
    submission: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Assumption:
    """An assumed rule that was relied on, and by what first."""

    rule: Rule
    how: str

    def __str__(self) -> str:
        return f"{self.rule.id} ({self.how}): {self.rule.text}; assumed, because {self.rule.reason}"


@dataclass(slots=True)
class _Course:
    """What was submitted for a batch so far: True for a concat."""

    submissions: list[bool] = field(default_factory=list)
    begun_again: bool = False


_TOO_LONG: Final = ("string_too_long", "url_too_long")
Ends = Callable[[str], Sequence[datetime]]
"""Returns the instants at which submissions of a batch came to their end."""


def relied_on(
    steps: Iterable[Step], ends: Ends, sent: Callable[[], Sequence[Sent]]
) -> tuple[Assumption, ...]:
    """Find the assumed rules that a test relied on, in the order in which it did.

    `ends` and `sent` (the webhooks that were sent) are called only where it matters.
    """
    steps = tuple(steps)
    assumed = {rule.id: rule for rule in all_rules() if rule.standing is Standing.ASSUMED}
    first: dict[str, str] = {}
    courses: dict[str, _Course] = {}
    for step in steps:
        course = courses.setdefault(step.batch_id, _Course())
        for rule_id in (*_by_step(step), *_by_course(step, course, ends)):
            first.setdefault(rule_id, str(step))
    if any("webhook_url" in step.form for step in steps):
        for rule_id, how in _by_webhooks(courses, sent()):
            first.setdefault(rule_id, how)
    return tuple(Assumption(assumed[name], how) for name, how in first.items() if name in assumed)


def _by_step(step: Step) -> Iterator[str]:
    yield from (error.rule.id for error in ERRORS if error.status == step.status)
    if step.operation == HEALTH.id and step.accepted:
        yield "health.body"
    refused_concat = step.operation == CONCAT.id and step.status == HTTPStatus.BAD_REQUEST
    if refused_concat and _is_uuid(step.path.strip("/").split("/")[1]):
        yield "concat.too_early"
    wrong = step.status == HTTPStatus.UNPROCESSABLE_ENTITY
    if wrong and any(name in step.answer for name in _LISTS):
        yield "create.image_content"
    if wrong and any(kind in step.answer for kind in _TOO_LONG):
        yield "text.length"
    yield from _by_form(step)
    yield from _by_transition(step)


def _by_form(step: Step) -> Iterator[str]:
    """What was accepted though the form is odd."""
    known = _FIELDS.get(step.operation)
    if not step.accepted or known is None:
        return
    if not known.issuperset(step.form):
        yield "create.unknown_fields"
    single = [values for name, values in step.form.items() if name not in _LISTS]
    if any(len(values) > 1 or "" in values for values in single):
        yield "create.empty_is_absent"


def _by_transition(step: Step) -> Iterator[str]:
    """What was seen of a batch on its way, and at its end."""
    processing = step.batch_status == BatchStatus.PROCESSING
    if processing and 0 < step.progress < 100:
        yield "read.progress"
    if step.batch_status == BatchStatus.FAIL:
        yield "read.partial"
    if step.batch_status == BatchStatus.SUCCESS and step.batch.get("failed_medias"):
        yield "read.partial"
    if processing and step.operation != CONCAT.id and step.batch.get("finished_medias"):
        yield "read.medias"


def _by_course(step: Step, course: _Course, ends: Ends) -> Iterator[str]:
    """What depends on what was asked of the batch before."""
    if not step.batch_id or not step.accepted:
        return
    is_concat = step.operation == CONCAT.id
    if is_concat:
        yield "concat.processing"
    if step.processes_again:
        ended = [at for at in ends(step.batch_id) if at <= step.at]
        if len(ended) < len(course.submissions):
            yield "update.supersedes"
    if is_concat or step.processes_again or step.operation == CREATE.id:
        course.begun_again = step.processes_again
        course.submissions.append(is_concat)
    elif course.begun_again and step.batch_status == BatchStatus.PROCESSING:
        yield "update.no_video_meanwhile"


def _by_webhooks(courses: Mapping[str, _Course], sent: Iterable[Sent]) -> Iterator[tuple[str, str]]:
    for each in sent:
        submissions = courses.get(each.batch_id, _Course()).submissions
        if each.attempts > 1:
            yield "webhook.retries", f"a webhook was sent {each.attempts} times"
        if each.attempts and submissions[each.submission - 1 : each.submission] == [True]:
            yield "concat.webhook", "the webhook of a concat was sent"


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
