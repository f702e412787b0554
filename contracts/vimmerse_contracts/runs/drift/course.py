"""The course of batches in time compared: statuses in a row, progress, and how long it took."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
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
    yield from _compare_sequences(before, now)
    for kind, path, severity, expected, seen, holds in _HABITS:
        if all(map(holds, before)) and not all(map(holds, now)):
            yield Finding(severity, kind, PLACE, path, expected, seen)
    yield from _compare_steps(before, now)
    yield from _compare_durations(before, now)


def _compare_sequences(before: Sequence[Course], now: Sequence[Course]) -> Iterator[Finding]:
    known = {_sequence(course) for course in before if _is_whole(course)}
    seen = {_sequence(course) for course in now if _is_whole(course)}
    new = {each for each in seen - known if _stays_final_statuses(each)}
    if known and new:
        yield Finding(
            Severity.ADDITIVE, "statuses", PLACE, "$.data.status", listed(known), listed(new)
        )


def _compare_steps(before: Sequence[Course], now: Sequence[Course]) -> Iterator[Finding]:
    steps = [any(map(_is_stepwise, courses)) for courses in (before, now)]
    if steps[0] and not steps[1] and any(map(_is_long, now)):
        expected, seen = "steps between 0 and 100", "none"
        yield Finding(Severity.COSMETIC, "progress steps", PLACE, _PROGRESS, expected, seen)


def _compare_durations(before: Sequence[Course], now: Sequence[Course]) -> Iterator[Finding]:
    took = [list(_durations(courses)) for courses in (before, now)]
    if not all(took):
        return
    expected, seen = (median(each) for each in took)
    if abs(math.log10(seen) - math.log10(expected)) >= 1:
        sides = (f"about {each:.3g} s" for each in (expected, seen))
        yield Finding(Severity.COSMETIC, "duration", PLACE, "$.data.updated_at", *sides)


def _courses(evidence: Evidence) -> Iterator[Course]:
    batches: defaultdict[str, list[Reading]] = defaultdict(list)
    for exchange in evidence.exchanges:
        body = exchange.answer.body if exchange.answer is not None else None
        data = body.get("data") if isinstance(body, dict) else None
        if isinstance(data, dict) and isinstance(data.get("id"), str):
            batches[data["id"]].append(_reading(exchange.operation, data))
    for readings in batches.values():
        yield from _between_changes(readings)


def _reading(operation: str, data: dict[str, Any]) -> Reading:
    progress, updated = data.get("progress_percentage"), data.get("updated_at")
    age = _INSTANT.match(updated) if isinstance(updated, str) else None
    return Reading(
        operation,
        str(data.get("status")),
        progress if isinstance(progress, int) else None,
        float(age[1]) if age else None,
    )


def _between_changes(readings: Sequence[Reading]) -> Iterator[Course]:
    course: list[Reading] = []
    for reading in readings:
        if reading.operation != READ.id and course:
            yield course
            course = []
        course.append(reading)
    if course:
        yield course


def _sequence(course: Course) -> str:
    return " > ".join(status for status, _ in groupby(reading.status for reading in course))


def _is_whole(course: Course) -> bool:
    return course[0].status not in _FINAL and course[-1].status in _FINAL


def _stays_final_statuses(sequence: str) -> bool:
    return not any(status in _FINAL for status in sequence.split(" > ")[:-1])


def _stays_final(course: Course) -> bool:
    return not any(
        before.status in _FINAL and after.status in _KNOWN and after.status != before.status
        for before, after in pairwise(course)
    )


def _never_falls(course: Course) -> bool:
    progress = [reading.progress for reading in course if reading.progress is not None]
    return progress == sorted(progress)


def _ends_at_100(course: Course) -> bool:
    return all(
        reading.progress in (_DONE, None)
        for reading in course
        if reading.status == BatchStatus.SUCCESS
    )


def _is_long(course: Course) -> bool:
    return _is_whole(course) and len(course) > len(_FINAL)


def _is_stepwise(course: Course) -> bool:
    return any(reading.progress not in (0, _DONE, None) for reading in course)


def _durations(courses: Sequence[Course]) -> Iterator[float]:
    """Tell how old each batch was when its first submission succeeded, in seconds."""
    for course in courses:
        if course[0].operation == CREATE.id and course[-1].status == BatchStatus.SUCCESS:
            ends = [each.age for each in course if each.status == BatchStatus.SUCCESS]
            if ends[0]:
                yield abs(ends[0])


_PROGRESS: Final = "$.data.progress_percentage"
_HABITS: Final = (
    (
        "progress falls",
        _PROGRESS,
        Severity.BREAKING,
        "never falls",
        "falls",
        _never_falls,
    ),
    (
        "progress end",
        _PROGRESS,
        Severity.BREAKING,
        "100 on success",
        "less on success",
        _ends_at_100,
    ),
    (
        "end is no end",
        "$.data.status",
        Severity.BREAKING,
        "stays, once final",
        "changes by itself after it was final",
        _stays_final,
    ),
)
"""What every course did, or not: kind, path, severity, the two sides, and how it is told."""
