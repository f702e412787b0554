"""Mocks whose Batch object is not as the contract says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import flask

from contracts.broken_mocks.building import (
    Answer,
    BrokenMock,
    Json,
    changed_answers,
    changed_batches,
    serving,
)
from vimmerse_mock.service import BatchService, BatchView

_OBJECT: Final = "test_create::test_an_object_has_the_keys_of_the_example"
_CREATED: Final = "test_create::test_a_creation_answers_with_the_batch_in_processing"


def _progress_as_text(batch: Json) -> None:
    batch["progress_percentage"] = str(batch["progress_percentage"])


def _id_last(batch: Json) -> None:
    batch["id"] = batch.pop("id")


def _numbered_medias(batch: Json) -> None:
    for name in ("medias", "finished_medias", "failed_medias"):
        for media in batch[name]:
            media["media_id"] = f"media-{media['media_id']}"


def _iso_timestamps(batch: Json) -> None:
    batch["created_at"] = batch["created_at"].replace(" ", "T")


def _slow_by_default(batch: Json) -> None:
    preset = batch["pose_preset"][0]
    preset["Params"] = preset["Params"].replace("MotionLength=5", "MotionLength=6")


def _ratio_first(batch: Json) -> None:
    preset = batch["pose_preset"][0]
    *others, last = preset["Params"].split("|")
    preset["Params"] = "|".join([last, *others])


def _motion_confused(batch: Json) -> None:
    preset = batch["pose_preset"][0]
    parts = dict(part.split("=", 1) for part in preset["Params"].split("|"))
    parts["MotionAmount"], parts["MotionLength"] = parts["MotionLength"], parts["MotionAmount"]
    preset["Params"] = "|".join(f"{name}={value}" for name, value in parts.items())


def _created_201(answer: Answer) -> Answer:
    if flask.request.method == "POST" and answer.status_code == 200:
        answer.status_code = 201
    return answer


def _bare_batch(answer: Answer) -> Answer:
    if answer.status_code == 200 and flask.request.path != "/health":
        answer.set_data(json.dumps(answer.get_json()["data"]))
    return answer


def _empty_concat(answer: Answer) -> Answer:
    if flask.request.path.endswith("/concat") and answer.status_code == 200:
        answer.set_data("{}")
    return answer


def _another_health(answer: Answer) -> Answer:
    if flask.request.path == "/health":
        answer.set_data('{"status":"up"}')
    return answer


class _StaleUpdate(BatchService):
    """Answers an update with the batch as it was before."""

    def update(self, customer_id: str, batch_id: str, form: Mapping[str, Any]) -> BatchView:
        before = self.read(self.store.account(customer_id), batch_id)
        super().update(customer_id, batch_id, form)
        return before


MOCKS: Final[Sequence[BrokenMock]] = (
    BrokenMock(
        "progress is text",
        "object.keys",
        changed_batches(_progress_as_text),
        _OBJECT,
        "progress_percentage",
    ),
    BrokenMock(
        "a key is missing",
        "object.keys",
        changed_batches(lambda batch: batch.pop("feedback")),
        _OBJECT,
        "feedback",
    ),
    BrokenMock(
        "keys in another order", "object.keys", changed_batches(_id_last), _OBJECT, "key order"
    ),
    BrokenMock(
        "is_transition is a boolean",
        "read.object",
        changed_batches(lambda batch: batch.update(is_transition=False)),
        "test_read::test_a_read_answers_with_the_batch",
        "is_transition",
    ),
    BrokenMock(
        "media ids are no UUIDs",
        "object.ids",
        changed_batches(_numbered_medias),
        "test_create::test_ids_are_of_version_4",
        "UUIDs of version 4",
    ),
    BrokenMock(
        "timestamps with a T",
        "object.timestamps",
        changed_batches(_iso_timestamps),
        "test_create::test_timestamps_are_written_as_in_the_example",
        "created_at",
    ),
    BrokenMock(
        "another default",
        "create.defaults",
        changed_batches(_slow_by_default),
        "test_create::test_what_is_not_given_takes_its_default",
        "MotionLength=6",
    ),
    BrokenMock(
        "AspectRatio leads Params",
        "create.aspect_ratio",
        changed_batches(_ratio_first),
        "test_create::test_an_aspect_ratio_ends_params",
        "AspectRatio=9:16",
    ),
    BrokenMock(
        "motion range and duration are confused",
        "object.motion",
        changed_batches(_motion_confused),
        "test_create::test_motion_is_range_and_duration",
        "('2', '9')",
    ),
    BrokenMock(
        "creation answers 201",
        "create.object",
        changed_answers(_created_201),
        _CREATED,
        "expected HTTP 200",
    ),
    BrokenMock(
        "a Batch without its envelope",
        "create.object",
        changed_answers(_bare_batch),
        _CREATED,
        "envelope",
    ),
    BrokenMock(
        "an update answers what was before",
        "update.object",
        serving(_StaleUpdate),
        "test_update::test_an_update_answers_with_the_updated_batch",
        "New title",
    ),
    BrokenMock(
        "a concat answers nothing",
        "concat.object",
        changed_answers(_empty_concat),
        "test_concat::test_a_concat_answers_with_the_batch",
        "envelope",
    ),
    BrokenMock(
        "health in other words",
        "health.body",
        changed_answers(_another_health),
        "test_health::test_health_says_ok",
        "{'status': 'up'}",
    ),
)
