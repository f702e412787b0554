"""State as a pure function of a submission and time: `plan(...)`, then `timeline.at(now)`.

Nothing here is ever stored. Whoever reads at the same instant sees the same, in any process and in
any order, and progress cannot fall within a submission.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vimmerse_contracts.vocabulary import BatchStatus
from vimmerse_mock.model.batch import Batch, Submission, SubmissionKind
from vimmerse_mock.model.clock import Instant, Span
from vimmerse_mock.model.scenarios import Script

PLAN_VERSION = 1
"""Grows when the same submission would be planned differently."""
NEVER: Instant = 2**63 - 1
"""After every instant that there will be; the last that a database's column takes."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a reader sees at an instant.

    `finished` and `failed` are places of media. `composed`: there is a composed video.
    `changed_at` is the instant of the last event before.
    """

    status: BatchStatus
    progress: int
    finished: tuple[int, ...]
    failed: tuple[int, ...]
    message: str
    composed: bool
    changed_at: Instant


@dataclass(frozen=True, slots=True)
class Timeline:
    """Every instant at which something happens to one submission.

    It is `new` until `new_until`, where it begins as such. Its video is there from `video_at` on.
    `media_ends[i]` is when media `i` ends, well if `i` is not in `failing`. `base_finished` and
    `base_failed` were so from the start. Progress rises from `rises_at`, to 100 after `whole`; it
    stops at `most`. After `halts_at` nothing happens any more: that is the end, unless it is stuck.
    """

    begins_at: Instant
    new_until: Instant
    rises_at: Instant
    whole: Span
    most: int
    halts_at: Instant
    video_at: Instant
    is_stuck: bool
    media_ends: tuple[Instant, ...]
    failing: frozenset[int]
    refused: frozenset[int]
    base_finished: tuple[int, ...]
    base_failed: tuple[int, ...]
    message: str

    @property
    def ends_at(self) -> Instant | None:
        """When it ends; None if it is stuck, and never does."""
        return None if self.is_stuck else self.halts_at

    @property
    def outcome(self) -> BatchStatus:
        """How it will end; what is stuck stays in 'processing'."""
        if self.is_stuck:
            return BatchStatus.PROCESSING
        works = self.base_finished or len(self.failing) < len(self.media_ends)
        return BatchStatus.SUCCESS if works else BatchStatus.FAIL

    @property
    def instants(self) -> set[Instant]:
        """Every instant at which something happens; what is stuck goes on to `NEVER`."""
        ends = {end for end in self.media_ends if end < self.halts_at}
        ends |= {self.halts_at, self.video_at}
        if self.new_until > self.begins_at:
            ends.add(self.new_until)
        return ends | {NEVER} if self.is_stuck else ends

    def begun(self) -> Observation:
        """Return what the answer to the submission shows, even if it ends in that instant."""
        return Observation(
            status=self._unfinished(self.begins_at),
            progress=0,
            finished=self.base_finished,
            failed=self.base_failed,
            message="",
            composed=False,
            changed_at=self.begins_at,
        )

    def at(self, now: Instant) -> Observation:
        """Return what a reader sees at an instant."""
        last = min(now, self.halts_at)
        ended = now >= self.halts_at and not self.is_stuck
        status = self.outcome if ended else self._unfinished(now)
        succeeded = status is BatchStatus.SUCCESS
        done = tuple(i for i, end in enumerate(self.media_ends) if end <= last)
        refused = any(i in self.refused for i in done)
        return Observation(
            status=status,
            progress=100 if succeeded else self._progress(last),
            finished=self.base_finished + tuple(i for i in done if i not in self.failing),
            failed=self.base_failed + tuple(i for i in done if i in self.failing),
            message=self.message if status is BatchStatus.FAIL or refused else "",
            composed=succeeded and now >= self.video_at,
            changed_at=self._changed_at(now, done, ended=ended),
        )

    def _progress(self, last: Instant) -> int:
        """Percent of the way to the end, at most 99: only a success is at 100."""
        if last < self.rises_at:
            return 0
        gone = last - self.rises_at
        return min(self.most, 100 * gone // self.whole) if self.whole else self.most

    def _unfinished(self, now: Instant) -> BatchStatus:
        return BatchStatus.NEW if now < self.new_until else BatchStatus.PROCESSING

    def _changed_at(self, now: Instant, done: tuple[int, ...], *, ended: bool) -> Instant:
        if ended:
            return self.video_at if now >= self.video_at else self.halts_at
        begun = self.new_until if now >= self.new_until else self.begins_at
        return max((self.media_ends[i] for i in done), default=min(begun, now))


def plan(submission: Submission, medias: int) -> Timeline:
    """Return the course of a submission of a batch with that many media."""
    script = submission.script
    count = medias if submission.kind is SubmissionKind.GENERATE else 0
    refused = frozenset(i for i in script.refuse_medias if i < count)
    turn = submission.at + script.queue
    rises_at = submission.at if script.queue_counts else turn
    whole = turn + script.media * (count - len(refused)) + script.finish - rises_at
    halt = script.fail_at if script.stuck_at is None else script.stuck_at
    halts_at = rises_at + -(-whole * (100 if halt is None else halt) // 100)  # rounded up
    at_once = None if script.fail_at is None else halts_at
    return Timeline(
        begins_at=submission.at,
        new_until=turn if script.waits_as_new else submission.at,
        rises_at=rises_at,
        whole=whole,
        most=99 if halt is None else halt,
        halts_at=halts_at,
        video_at=halts_at + script.video_after,
        is_stuck=script.stuck_at is not None,
        media_ends=tuple(_media_ends(script, turn, count, refused, at_once)),
        failing=frozenset(script.fail_medias if at_once is None else range(count)),
        refused=refused,
        base_finished=submission.finished,
        base_failed=submission.failed,
        message=script.message,
    )


def _media_ends(
    script: Script,
    turn: Instant,
    count: int,
    refused: frozenset[int],
    at_once: Instant | None,
) -> Iterator[Instant]:
    """Yield when each media ends: one after another from `turn` on, or all `at_once`."""
    end = turn
    for place in range(count):
        is_refused = place in refused
        end += 0 if is_refused else script.media
        if at_once is not None:
            yield at_once
        else:
            yield turn if is_refused else end


def ends_at(batch: Batch) -> Instant:
    """Return when the submission in force of a batch ends; `NEVER` if it is stuck."""
    end = plan(batch.submission, len(batch.medias)).ends_at
    return NEVER if end is None else end
