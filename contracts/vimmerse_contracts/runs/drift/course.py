"""The course of batches in time compared: statuses in a row, progress, and how long it took."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median
from typing import Any, Final

from vimmerse_contracts.operations import CREATE, READ
from vimmerse_contracts.runs.drift.findings import Finding, Severity, listed
from vimmerse_contracts.runs.evidence.file import Evidence
from vimmerse_contracts.vocabulary import BatchStatus

PLACE: Final = "course"
_FINAL: Final = frozenset(status.value for status in BatchStatus if status.is_final)
_KNOWN: Final = frozenset(status.value for status in BatchStatus)
_DONE: Final = 100
_INSTANT: Final = re.compile(r"<instant:([+-][\d.]+)s")


@dataclass(frozen=True, slots=True)
class Reading:
    """A batch as one answer showed it; `age` is seconds from its creation, by its own instants."""

    operation: str
    status: str
    progress: int | None
    age: float | None


Course = Sequence[Reading]
"""The readings of a batch from one change by the client to the next."""


def compare_courses(first: Evidence, second: Evidence) -> Iterator[Finding]:
    """Compare how batches went."""
    before, now = list(_courses(first)), list(_courses(second))
    if not before or not now:
        return
    known, seen = _sequences(before), _sequences(now)
    # One that was final on its way is a broken habit, below.
    new = {each for each in seen - known if not _FINAL & {*each.split(" > ")[:-1]}}
    if known and new:
        sides = listed(known), listed(new)
        yield Finding(Severity.ADDITIVE, "statuses", PLACE, "$.data.status", *sides)
    for kind, path, expected, broken, holds in _HABITS:
        if all(map(holds, before)) and not all(map(holds, now)):
            yield Finding(Severity.BREAKING, kind, PLACE, path, expected, broken)
    long = any(_is_whole(course) and len(course) > len(_FINAL) for course in now)
    if long and any(map(_is_stepwise, before)) and not any(map(_is_stepwise, now)):
        sides = "steps between 0 and 100", "none"
        yield Finding(Severity.COSMETIC, "progress steps", PLACE, _PROGRESS, *sides)
    took = [list(_durations(courses)) for courses in (before, now)]
    if all(took):
        expected_seconds, seconds = (median(each) for each in took)
        if abs(math.log10(seconds) - math.log10(expected_seconds)) >= 1:
            sides = f"about {expected_seconds:.3g} s", f"about {seconds:.3g} s"
            yield Finding(Severity.COSMETIC, "duration", PLACE, "$.data.updated_at", *sides)


def _sequences(courses: Sequence[Course]) -> set[str]:
    """Return the statuses of each whole course, as they followed: `processing > success`."""
    return {
        " > ".join(status for status, _ in groupby(reading.status for reading in course))
        for course in courses
        if _is_whole(course)
    }


def _courses(evidence: Evidence) -> Iterator[Course]:
    batches: defaultdict[str, list[Reading]] = defaultdict(list)
    for exchange in evidence.exchanges:
        batch = exchange.answer.batch if exchange.answer is not None else {}
        if isinstance(batch.get("id"), str):
            batches[batch["id"]].append(_reading(exchange.operation, batch))
    for readings in batches.values():
        changes = [n for n, each in enumerate(readings) if each.operation != READ.id]
        for begin, end in pairwise(sorted({0, *changes, len(readings)})):
            yield readings[begin:end]


def _reading(operation: str, batch: Mapping[str, Any]) -> Reading:
    progress, updated = batch.get("progress_percentage"), batch.get("updated_at")
    age = _INSTANT.match(updated) if isinstance(updated, str) else None
    return Reading(
        operation,
        str(batch.get("status")),
        progress if isinstance(progress, int) else None,
        float(age[1]) if age else None,
    )


def _is_whole(course: Course) -> bool:
    return course[0].status not in _FINAL and course[-1].status in _FINAL


def _stays_final(course: Course) -> bool:
    return not any(
        before.status in _FINAL and after.status in _KNOWN and after.status != before.status
        for before, after in pairwise(course)
    )


def _never_falls(course: Course) -> bool:
    progress = [reading.progress for reading in course if reading.progress is not None]
    return progress == sorted(progress)


def _ends_at_100(course: Course) -> bool:
    return {each.progress for each in course if each.status == BatchStatus.SUCCESS} <= {_DONE, None}


def _is_stepwise(course: Course) -> bool:
    return any(reading.progress not in (0, _DONE, None) for reading in course)


def _durations(courses: Sequence[Course]) -> Iterator[float]:
    """Return how old each batch was when its first submission succeeded, in seconds."""
    for course in courses:
        if course[0].operation == CREATE.id and course[-1].status == BatchStatus.SUCCESS:
            ends = [each.age for each in course if each.status == BatchStatus.SUCCESS]
            if ends[0]:
                yield abs(ends[0])


_PROGRESS: Final = "$.data.progress_percentage"
_HABITS: Final = (
    ("progress falls", _PROGRESS, "never falls", "falls", _never_falls),
    ("progress end", _PROGRESS, "100 on success", "less on success", _ends_at_100),
    (
        "end is no end",
        "$.data.status",
        "stays, once final",
        "changes by itself after it was final",
        _stays_final,
    ),
)
"""What every course did, or not: kind, path, the two sides, and how it shows."""
