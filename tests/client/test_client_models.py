from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime
from typing import Any

import pytest
from marshmallow import Schema, ValidationError

from vimmerse_client import Batch, BatchFailed, MediaReference, PosePreset, SubmitParams
from vimmerse_contracts import schemas
from vimmerse_contracts.vocabulary import BatchStatus


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        (Batch, schemas.BatchSchema),
        (MediaReference, schemas.MediaReferenceSchema),
        (PosePreset, schemas.PosePresetSchema),
        (SubmitParams, schemas.SubmitParamsSchema),
    ],
)
def test_models_have_the_fields_of_the_contract(model: type[Any], schema: type[Schema]) -> None:
    """A model has exactly its schema's fields, in its order, and `extra`."""
    assert [f.name for f in fields(model)] == [*schema().fields, "extra"]


def test_seed_batch_survives_the_round_trip(seed_batch: dict[str, Any]) -> None:
    """The JSON of a batch is the JSON that it was made from, key order and all."""
    assert json.dumps(Batch.from_dict(seed_batch).to_dict()) == json.dumps(seed_batch)


def test_values_have_types(seed_batch: dict[str, Any]) -> None:
    """Instants are aware, the status is of the vocabulary, nested objects are models."""
    batch = Batch.from_dict(seed_batch)
    assert batch.created_at == datetime(2025, 4, 2, 16, 21, 42, 465259, tzinfo=UTC)
    assert batch.status is BatchStatus.PROCESSING
    assert batch.medias[1] == MediaReference("media_id_2", "item_key_2")
    assert batch.pose_preset[0].MotionType == "Auto"
    assert batch.submit_params.sound_effects == "Yes"
    assert batch.video_url is None


def test_unknown_keys_are_kept_in_order(seed_batch: dict[str, Any]) -> None:
    """Keys that the contract does not know stand in `extra`, and come last in the JSON."""
    new = {f"new_{n}": n for n in range(20)}
    seed_batch["medias"][0]["width"] = 1080
    batch = Batch.from_dict({"used_credits": 176, **seed_batch, **new})
    assert list(batch.extra.items()) == [("used_credits", 176), *new.items()]
    assert batch.medias[0].extra == {"width": 1080}
    assert batch.to_dict() == {**seed_batch, "used_credits": 176, **new}


def test_unknown_key_called_extra_is_kept(seed_batch: dict[str, Any]) -> None:
    """A key that is called like the model's own field loses nothing."""
    assert Batch.from_dict({**seed_batch, "extra": 1}).to_dict()["extra"] == 1


def test_video_url_is_there_once_the_api_says_it(seed_batch: dict[str, Any]) -> None:
    """`video_url` is None without the key, and its text with it."""
    batch = Batch.from_dict({**seed_batch, "video_url": "https://media.example/v.mp4"})
    assert batch.video_url == "https://media.example/v.mp4"
    assert list(batch.to_dict())[-1] == "video_url"


def test_models_are_frozen(seed_batch: dict[str, Any]) -> None:
    """A batch is a reading; nobody can change it."""
    batch = Batch.from_dict(seed_batch)
    with pytest.raises(FrozenInstanceError):
        batch.title = "other"  # type: ignore[misc] # that is the point


def test_wrong_objects_say_which_fields(seed_batch: dict[str, Any]) -> None:
    """An object that is not the contract's names every field that is wrong."""
    seed_batch["progress_percentage"] = "0"
    del seed_batch["status"]
    with pytest.raises(ValidationError) as caught:
        Batch.from_dict(seed_batch)
    assert set(caught.value.messages_dict) == {"progress_percentage", "status"}


@pytest.mark.parametrize(
    ("status", "succeeded"), [("new", False), ("processing", False), ("success", True)]
)
def test_only_fail_is_an_error(seed_batch: dict[str, Any], status: str, *, succeeded: bool) -> None:
    """`raise_for_status` leaves every batch alone that has not failed."""
    batch = Batch.from_dict({**seed_batch, "status": status})
    batch.raise_for_status()
    assert batch.succeeded is succeeded


def test_failed_batch_says_why(seed_batch: dict[str, Any]) -> None:
    """`raise_for_status` of a failed batch carries the batch and the service's message."""
    failed = {"status": "fail", "message": "NSFW", "failed_medias": seed_batch["medias"]}
    batch = Batch.from_dict({**seed_batch, **failed})
    with pytest.raises(BatchFailed, match=r"failed \(2 of 2 medias\): NSFW") as caught:
        batch.raise_for_status()
    assert caught.value.batch is batch


def test_batches_can_be_pickled(seed_batch: dict[str, Any]) -> None:
    """A batch can be sent to another process."""
    batch = Batch.from_dict({**seed_batch, "used_credits": 1})
    assert pickle.loads(pickle.dumps(batch)) == batch  # noqa: S301 - our own bytes
