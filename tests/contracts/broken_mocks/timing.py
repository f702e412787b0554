"""Mocks that are right in shape and wrong in time: progress, media, status, and the video."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from contracts.broken_mocks.building import (
    Answer,
    BrokenMock,
    Build,
    Json,
    changed_answers,
    changed_batches,
    patched,
)
from vimmerse_contracts.fields import format_timestamp, parse_timestamp
from vimmerse_mock.app import create_mock
from vimmerse_mock.model.clock import SECOND
from vimmerse_mock.model.scenarios import Pace
from vimmerse_mock.model.timeline import Timeline, plan

_COURSE: Final = "test_lifecycle::test_a_batch_processes_and_then_succeeds"
_PROGRESS: Final = "test_lifecycle::test_progress_rises_to_100"
_VIDEO: Final = "test_lifecycle::test_a_finished_batch_has_a_video"
_READ_AGAIN: Final = "test_read::test_reading_changes_nothing"


def counted(change: Callable[[Json, int], object]) -> Build:
    """Make a mock whose Batch depends on how often it was seen."""

    def build(patch: Any) -> Any:
        seen: Counter[str] = Counter()

        def edit(batch: Json) -> None:
            seen[batch["id"]] += 1
            change(batch, seen[batch["id"]])

        return changed_batches(edit)(patch)

    return build


def _falling_progress(batch: Json) -> None:
    if batch["status"] == "processing":
        batch["progress_percentage"] = 99 - batch["progress_percentage"]


def _never_at_100(batch: Json) -> None:
    batch["progress_percentage"] = min(99, batch["progress_percentage"])


def _progress_by_polls(batch: Json, times: int) -> None:
    if batch["status"] == "processing":
        batch["progress_percentage"] = min(99, 9 * (times - 1))


def _relapsing(batch: Json, times: int) -> None:
    if batch["status"] == "success" and times % 2:
        batch.update(status="processing", progress_percentage=99)
        batch.pop("video_url", None)


def _touched_by_reading(batch: Json, times: int) -> None:
    touched = parse_timestamp(batch["updated_at"]) + timedelta(seconds=times)
    batch["updated_at"] = format_timestamp(touched)


def _new_at_first(batch: Json) -> None:
    if batch["status"] == "processing" and batch["progress_percentage"] > 0:
        batch["status"] = "new"


def _all_at_once(batch: Json) -> None:
    if batch["status"] == "processing":
        batch["finished_medias"] = []


def _forgotten_medias(batch: Json) -> None:
    batch["finished_medias"] = batch["finished_medias"][-1:]


def _failed_without_a_word(batch: Json) -> None:
    batch["message"] = ""


def _partial_is_failure(batch: Json) -> None:
    if batch["failed_medias"]:
        batch.update(status="fail", message="Some failed.")


def _ended_before_the_last_media(*submitted: Any) -> Timeline:
    timeline = plan(*submitted)
    if not timeline.media_ends:
        return timeline
    early = timeline.media_ends[-1] - SECOND // 4
    return replace(timeline, halts_at=early, video_at=early)


def _broken_link(batch: Json) -> None:
    if "video_url" in batch:
        batch["video_url"] += ".html"


def _link_to_the_first_video(batch: Json) -> None:
    if "video_url" in batch:
        batch["video_url"] = batch["video_url"].replace("video-2", "video-1")


def _video_all_along(batch: Json) -> None:
    batch["video_url"] = f"https://media.vimmerse.net/{batch['id']}.mp4"


def _lied_about_type(answer: Answer) -> Answer:
    if answer.mimetype == "video/mp4":
        answer.direct_passthrough = False
        answer.set_data(b"<html>Not found</html>")
    return answer


MOCKS: Final[Sequence[BrokenMock]] = (
    BrokenMock(
        "a progress that falls",
        "read.progress",
        changed_batches(_falling_progress),
        _PROGRESS,
        "move forward only",
    ),
    BrokenMock(
        "a progress that stays at 99",
        "read.progress",
        changed_batches(_never_at_100),
        _PROGRESS,
        "progress 100",
    ),
    BrokenMock(
        "a progress that counts polls",
        "read.progress",
        counted(_progress_by_polls),
        "test_lifecycle::test_progress_is_of_time_and_not_of_polls",
        "however often either was read",
    ),
    BrokenMock(
        "a status that flips back",
        "read.object",
        counted(_relapsing),
        _READ_AGAIN,
        "processing",
    ),
    BrokenMock(
        "a batch that reading touches",
        "read.object",
        counted(_touched_by_reading),
        _READ_AGAIN,
        "updated_at",
    ),
    BrokenMock(
        "a status of its own while it processes",
        "read.status",
        changed_batches(_new_at_first),
        _COURSE,
        "new",
    ),
    BrokenMock(
        "a success before the last media",
        "read.medias",
        patched("vimmerse_mock.service.plan", _ended_before_the_last_media),
        "test_lifecycle::test_medias_end_all",
        "every media finished or failed",
    ),
    BrokenMock(
        "medias end all at once",
        "read.medias",
        changed_batches(_all_at_once),
        "test_lifecycle::test_medias_finish_one_by_one",
        "assert 3 == 1",
    ),
    BrokenMock(
        "finished medias are forgotten",
        "read.medias",
        changed_batches(_forgotten_medias),
        "test_lifecycle::test_medias_end_all",
        "every media finished or failed",
    ),
    BrokenMock(
        "a failure without a message",
        "read.partial",
        changed_batches(_failed_without_a_word),
        "test_lifecycle::test_a_batch_without_a_finished_media_fails",
        "a message",
    ),
    BrokenMock(
        "a partial success is a failure",
        "read.partial",
        changed_batches(_partial_is_failure),
        "test_lifecycle::test_a_batch_with_one_finished_media_succeeds",
        "fail",
    ),
    BrokenMock(
        "a link that leads nowhere",
        "read.video",
        changed_batches(_broken_link),
        _VIDEO,
        "HTTP 200",
    ),
    BrokenMock(
        "a page called video/mp4", "read.video", changed_answers(_lied_about_type), _VIDEO, "ftyp"
    ),
    BrokenMock(
        "a video before the end",
        "update.no_video_meanwhile",
        changed_batches(_video_all_along),
        "test_update::test_nothing_is_finished_while_it_processes_again",
        "no video_url",
    ),
    BrokenMock(
        "a concat takes no time",
        "concat.processing",
        lambda _patch: create_mock(pace=Pace(concat=0)),
        "test_concat::test_a_composing_batch_is_processing",
        "success",
    ),
    BrokenMock(
        "a concat without its video",
        "concat.video",
        changed_batches(_link_to_the_first_video),
        "test_concat::test_a_composed_batch_has_a_video",
        "HTTP 200",
    ),
)
