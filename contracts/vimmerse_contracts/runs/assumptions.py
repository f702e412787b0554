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
from typing import Any, Final, Protocol
from uuid import UUID

from vimmerse_contracts.operations import CONCAT, CREATE, ERRORS, HEALTH, UPDATE, all_rules
from vimmerse_contracts.provenance import Rule, Standing
from vimmerse_contracts.schemas import CreateBatchSchema, UpdateBatchSchema
from vimmerse_contracts.vocabulary import RESUBMITTING_FIELDS, BatchStatus


@dataclass(frozen=True, slots=True)
class Step:
    """One request and its answer, as a journal has it.

    `operation` is the contract's id; `batch_status` and `progress` are what the answer said.
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
        """Say whether the answer was 200."""
        return self.status == HTTPStatus.OK

    @property
    def processes_again(self) -> bool:
        """Say whether it was an update that started the batch again."""
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


class World(Protocol):
    """What is asked only where it matters."""

    def ends(self, batch_id: str) -> Sequence[datetime]:
        """Return the instants at which submissions of a batch came to their end."""

    def sent(self) -> Sequence[Sent]:
        """Return the webhooks that were sent."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """An assumed rule that was relied on, and by what first."""

    rule: Rule
    how: str

    def __str__(self) -> str:
        return f"{self.rule.id} ({self.how}): {self.rule.text}; assumed, because {self.rule.reason}"


@dataclass(slots=True)
class _Course:
    """What was submitted for a batch so far: True for a composition."""

    submissions: list[bool] = field(default_factory=list)
    begun_again: bool = False


_Found = Iterator[tuple[str, str]]


def relied_on(steps: Iterable[Step], world: World) -> tuple[Assumption, ...]:
    """Find the assumed rules that a test relied on, in the order in which it did."""
    steps = tuple(steps)
    assumed = {rule.id: rule for rule in all_rules() if rule.standing is Standing.ASSUMED}
    first: dict[str, str] = {}
    for rule_id, how in _found(steps, world):
        first.setdefault(rule_id, how)
    return tuple(Assumption(assumed[name], how) for name, how in first.items() if name in assumed)


def _found(steps: Sequence[Step], world: World) -> _Found:
    courses: dict[str, _Course] = {}
    for step in steps:
        for detect in _BY_STEP:
            yield from ((rule_id, str(step)) for rule_id in detect(step))
        course = courses.setdefault(step.batch_id, _Course())
        yield from ((rule_id, str(step)) for rule_id in _by_course(step, course, world))
    if any("webhook_url" in step.form for step in steps):
        yield from _by_webhooks(courses, world)


def _errors(step: Step) -> Iterator[str]:
    yield from (error.rule.id for error in ERRORS if error.status == step.status)


def _health(step: Step) -> Iterator[str]:
    if step.operation == HEALTH.id and step.accepted:
        yield "health.body"


def _too_early(step: Step) -> Iterator[str]:
    refused = step.operation == CONCAT.id and step.status == HTTPStatus.BAD_REQUEST
    if refused and _is_uuid(step.path.strip("/").split("/")[1]):
        yield "concat.too_early"


def _bad_images(step: Step) -> Iterator[str]:
    wrong = step.status == HTTPStatus.UNPROCESSABLE_ENTITY
    if wrong and ("image_files" in step.answer or "image_urls" in step.answer):
        yield "create.image_content"


def _forms(step: Step) -> Iterator[str]:
    """What was accepted though the form is odd."""
    known = _FIELDS.get(step.operation, frozenset())
    if not step.accepted or not known:
        return
    if not known.issuperset(step.form):
        yield "create.unknown_fields"
    single = [values for name, values in step.form.items() if name not in _LISTS]
    if any(len(values) > 1 or "" in values for values in single):
        yield "create.empty_is_absent"


def _transitions(step: Step) -> Iterator[str]:
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


_BY_STEP: Final[Sequence[Callable[[Step], Iterator[str]]]] = (
    _errors,
    _health,
    _too_early,
    _bad_images,
    _forms,
    _transitions,
)
_LISTS: Final = frozenset({"image_files", "image_urls"})
_FIELDS: Final = {
    CREATE.id: frozenset(CreateBatchSchema().fields),
    UPDATE.id: frozenset(UpdateBatchSchema().fields),
}


def _by_course(step: Step, course: _Course, world: World) -> Iterator[str]:
    """What depends on what was asked of the batch before."""
    if not step.batch_id or not step.accepted:
        return
    composes = step.operation == CONCAT.id
    if composes:
        yield "concat.processing"
    if step.processes_again and _is_running(step, course, world):
        yield "update.supersedes"
    if composes or step.processes_again or step.operation == CREATE.id:
        course.begun_again = step.processes_again
        course.submissions.append(composes)
    elif course.begun_again and step.batch_status == BatchStatus.PROCESSING:
        yield "update.no_video_meanwhile"


def _is_running(step: Step, course: _Course, world: World) -> bool:
    ended = [at for at in world.ends(step.batch_id) if at <= step.at]
    return len(ended) < len(course.submissions)


def _by_webhooks(courses: Mapping[str, _Course], world: World) -> _Found:
    for sent in world.sent():
        submissions = courses.get(sent.batch_id, _Course()).submissions
        if sent.attempts > 1:
            yield "webhook.retries", f"a webhook was sent {sent.attempts} times"
        if sent.attempts and submissions[sent.submission - 1 : sent.submission] == [True]:
            yield "concat.webhook", "a composition's webhook was sent"


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
