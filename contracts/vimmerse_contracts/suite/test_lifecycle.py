"""The course of a batch in time: from processing to success or failure."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import pytest

from vimmerse_contracts.checks import Batch, check_progress, check_video
from vimmerse_contracts.operations import READ
from vimmerse_contracts.runs.prices import creation
from vimmerse_contracts.suite.api import IMAGE_URL, LONG, TINY, Api, download
from vimmerse_contracts.suite.shared import COURSE, Shared
from vimmerse_contracts.suite.target import Capability, Target

_POLLS: Final = 10
_AHEAD_PERCENT: Final = 25
"""What one batch may be ahead of another that was created just after it, on a live service."""


@pytest.mark.vimmerse_costs(COURSE)
def test_a_batch_processes_and_then_succeeds(contract_shared: Shared) -> None:
    """The status is 'processing' until it is 'success' (read.status)."""
    *course, end = (batch["status"] for batch in contract_shared.course)
    assert (set(course), end) == ({"processing"}, "success")


@pytest.mark.vimmerse_costs(COURSE)
def test_progress_rises_to_100(contract_shared: Shared) -> None:
    """Progress starts at 0, never falls, and is 100 on success (read.progress)."""
    course = contract_shared.course
    check_progress(course, READ.id)
    assert course[0]["progress_percentage"] == 0
    assert course[-1]["progress_percentage"] == 100


@pytest.mark.vimmerse_costs(creation(LONG), creation(LONG))
def test_progress_is_of_time_and_not_of_polls(contract_api: Api) -> None:
    """Of two batches of an age, the one that was read often is not ahead (read.progress)."""
    polled, other = (contract_api.created(LONG)["id"] for _ in range(2))
    readings = [contract_api.seen(polled) for _ in range(_POLLS)]
    ahead = readings[-1]["progress_percentage"] - contract_api.seen(other)["progress_percentage"]
    assert ahead <= _AHEAD_PERCENT, "the same progress at an age, however often either was read"


@pytest.mark.vimmerse_costs(COURSE)
def test_medias_end_all(contract_shared: Shared) -> None:
    """None is finished at first and all are in the end, shaped like medias (read.medias)."""
    course = contract_shared.course
    assert course[0]["finished_medias"] == []
    assert course[-1]["finished_medias"] == course[-1]["medias"]
    assert course[-1]["failed_medias"] == []


@pytest.mark.vimmerse_costs(COURSE)
def test_medias_finish_one_by_one(contract_shared: Shared, vimmerse_target: Target) -> None:
    """From one reading to the next, at most one media is added (read.medias)."""
    course = contract_shared.course
    added = max(_added(before, after) for before, after in pairwise(course))
    if added > 1 and Capability.VIRTUAL_CLOCK not in vimmerse_target.capabilities:
        pytest.skip(f"not run, because {vimmerse_target.name} ended medias between two readings")
    assert added == 1


@pytest.mark.vimmerse_costs(COURSE)
def test_a_finished_batch_has_a_video(contract_shared: Shared) -> None:
    """There is a video_url on success, not before, and it leads to a video (read.video)."""
    *course, end = contract_shared.course
    assert not any("video_url" in batch for batch in course)
    check_video(download(end["video_url"]))


@pytest.mark.vimmerse_needs(Capability.FAILING_MEDIAS)
@pytest.mark.vimmerse_costs(creation({**TINY, "image_urls": [IMAGE_URL] * 3}))
def test_a_batch_with_one_finished_media_succeeds(
    contract_api: Api, contract_failing: Callable[[int], None]
) -> None:
    """A batch succeeds without the media that failed (read.partial)."""
    contract_failing(1)
    course = contract_api.course({**TINY, "image_urls": [IMAGE_URL] * 3})
    first, *others = course[-1]["medias"]
    assert course[-1]["status"] == "success"
    assert (course[-1]["failed_medias"], course[-1]["finished_medias"]) == ([first], others)
    check_progress(course, READ.id)
    check_video(download(course[-1]["video_url"]))


@pytest.mark.vimmerse_needs(Capability.FAILING_MEDIAS)
@pytest.mark.vimmerse_costs(creation({**TINY, "image_urls": [IMAGE_URL] * 2}))
def test_a_batch_without_a_finished_media_fails(
    contract_api: Api, contract_failing: Callable[[int], None]
) -> None:
    """A batch of which all medias failed is 'fail', with a message and no video (read.partial)."""
    contract_failing(2)
    course = contract_api.course({**TINY, "image_urls": [IMAGE_URL] * 2})
    assert course[-1]["status"] == "fail"
    assert course[-1]["failed_medias"] == course[-1]["medias"]
    assert course[-1]["message"]
    assert "video_url" not in course[-1]
    check_progress(course, READ.id)


@pytest.mark.vimmerse_needs(Capability.FAILING_MEDIAS)
@pytest.mark.vimmerse_costs(creation(TINY))
def test_what_was_submitted_stays_as_it_was_submitted(
    contract_api: Api, contract_failing: Callable[[int], None]
) -> None:
    """What later batches meet with does not reach one that was accepted before (read.status)."""
    created = contract_api.created(TINY)
    contract_failing(1)
    assert contract_api.watch(created["id"])[-1]["status"] == "success"


def _added(before: Batch, after: Batch) -> int:
    return len(after["finished_medias"]) - len(before["finished_medias"])
