"""State as a pure function of a submission and time: `plan(...)`, then `timeline.at(now)`.

Nothing here is ever stored. Whoever reads at the same instant sees the same, in any process and in
any order, and progress cannot fall within a submission.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from vimmerse_contracts.vocabulary import BatchStatus
from vimmerse_mock.model.batch import Batch, Submission, SubmissionKind
from vimmerse_mock.model.clock import Instant

PLAN_VERSION = 1
"""Grows when the same submission would be planned differently."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a reader sees at an instant.

    `finished` and `failed` are places of media. `composed` says whether there is a composed video.
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

    `media_ends[i]` is when media `i` ends, well if `i` is not in `failing`. `base_finished` and
    `base_failed` were so from the start.
    """

    begins_at: Instant
    media_ends: tuple[Instant, ...]
    ends_at: Instant
    failing: tuple[int, ...]
    base_finished: tuple[int, ...]
    base_failed: tuple[int, ...]
    message: str

    @property
    def outcome(self) -> BatchStatus:
        """How it will end."""
        works = self.base_finished or len(self.failing) < len(self.media_ends)
        return BatchStatus.SUCCESS if works else BatchStatus.FAIL

    def at(self, now: Instant) -> Observation:
        """Tell what a reader sees at an instant."""
        done = bisect_right(self.media_ends, now)
        ended = now >= self.ends_at
        status = self.outcome if ended else BatchStatus.PROCESSING
        succeeded = status is BatchStatus.SUCCESS
        return Observation(
            status=status,
            progress=100 if succeeded else self._progress(now),
            finished=self.base_finished + tuple(i for i in range(done) if i not in self.failing),
            failed=self.base_failed + tuple(i for i in self.failing if i < done),
            message=self.message if status is BatchStatus.FAIL else "",
            composed=succeeded,
            changed_at=self._changed_at(now, done, ended=ended),
        )

    def _progress(self, now: Instant) -> int:
        """Percent of the way to the end, at most 99: only a success is at 100."""
        whole = self.ends_at - self.begins_at
        gone = min(now, self.ends_at) - self.begins_at
        return min(99, 100 * gone // whole) if whole else 99

    def _changed_at(self, now: Instant, done: int, *, ended: bool) -> Instant:
        if ended:
            return self.ends_at
        return self.media_ends[done - 1] if done else min(self.begins_at, now)


def plan(submission: Submission, medias: int) -> Timeline:
    """Lay out the course of a submission of a batch with that many media."""
    script = submission.script
    generates = submission.kind is SubmissionKind.GENERATE
    first = submission.at + script.queue
    ends = tuple(first + script.media * (i + 1) for i in range(medias if generates else 0))
    return Timeline(
        begins_at=submission.at,
        media_ends=ends,
        ends_at=(ends[-1] if ends else first) + script.finish,
        failing=script.fail_medias,
        base_finished=submission.finished,
        base_failed=submission.failed,
        message=script.message,
    )


def ends_at(batch: Batch) -> Instant:
    """Tell when the submission in force of a batch ends."""
    return plan(batch.submission, len(batch.medias)).ends_at
