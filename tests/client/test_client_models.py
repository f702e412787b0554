from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema

from vimmerse_client import (
    Batch,
    BatchFailed,
    ConfigurationError,
    MediaReference,
    PosePreset,
    SubmitParams,
    submission_key,
)
from vimmerse_contracts import schemas
from vimmerse_contracts.schemas import BatchSchema
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
    more = ["extra", "deviations"] if model is Batch else ["extra"]
    assert [f.name for f in fields(model)] == [*schema().fields, *more]


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


@pytest.mark.parametrize("missing", [{"id": ""}, {"id": 5}, {"status": None}, {"status": ""}])
def test_a_batch_needs_an_id_and_a_status(
    seed_batch: dict[str, Any], missing: dict[str, Any]
) -> None:
    """Nothing else makes a batch, and nothing less."""
    with pytest.raises(ConfigurationError, match="expected an object with the texts id and status"):
        Batch.from_dict({**seed_batch, **missing})


def test_an_id_and_a_status_are_enough() -> None:
    """Every other field has a value of its type, and stands in the deviations."""
    batch = Batch.from_dict({"id": "b", "status": "processing"})
    assert (batch.title, batch.medias, batch.storyboard, batch.progress_percentage) == (
        "",
        (),
        {},
        0,
    )
    assert batch.submit_params == SubmitParams("", "", "", "")
    assert (batch.created_at, batch.updated_at, batch.video_url) == (None, None, None)
    names = {field.name for field in fields(Batch)}
    assert set(batch.deviations) == names - {"id", "status", "video_url", "extra", "deviations"}
    assert set(batch.deviations.values()) == {"Missing data for required field."}


AT = datetime(2025, 4, 2, 16, 21, 42, tzinfo=UTC)
OTHERWISE: list[tuple[str, Any, Any]] = [
    ("is_transition", False, "No"),
    ("is_transition", True, "Yes"),
    ("version", 2, "2"),
    ("message", None, ""),
    ("files", None, ()),
    ("filenames", "a.png", ("a.png",)),
    ("scenes", {"a": 1}, ({"a": 1},)),
    ("storyboard", [], {}),
    ("upload_urls", None, {}),
    ("medias", ["m"], (MediaReference("m", ""),)),
    ("medias", [{"media_id": 7}], (MediaReference("7", ""),)),
    ("failed_medias", None, ()),
    ("pose_preset", [{"motion_type": "Auto", "params": "P="}], (PosePreset("Auto", "P="),)),
    ("pose_preset", {"MotionType": "Auto", "Params": "P="}, (PosePreset("Auto", "P="),)),
    ("pose_preset", ["Auto"], (PosePreset("", ""),)),
    ("submit_params", {"native_audio": True}, SubmitParams("", "", "", "", {"native_audio": True})),
    ("submit_params", "Fast", SubmitParams("", "", "", "")),
    ("progress_percentage", "40", 40),
    ("progress_percentage", " 40.7 ", 40),
    ("progress_percentage", 40.7, 40),
    ("progress_percentage", 101, 100),
    ("progress_percentage", -1, 0),
    ("progress_percentage", "half", 0),
    ("progress_percentage", None, 0),
    ("progress_percentage", float("nan"), 0),
    ("progress_percentage", float("inf"), 100),
    ("progress_percentage", 10**400, 0),
    ("created_at", "2025-04-02T16:21:42Z", AT),
    ("created_at", "2025-04-02T18:21:42.000+02:00", AT),
    ("created_at", "2025-04-02 16:21:42", AT),
    ("updated_at", "soon", None),
    ("updated_at", 1743610902, None),
    ("updated_at", "0001-01-01T00:00:00+14:00", None),
    ("video_url", None, None),
    ("video_url", {"url": "x"}, None),
    ("status", "cancel", "cancel"),
    ("status", "queued", "queued"),
    ("status", "SUCCESS", BatchStatus.SUCCESS),
]


@pytest.mark.parametrize(("name", "written", "read"), OTHERWISE)
def test_what_is_written_otherwise_is_read_and_named(
    seed_batch: dict[str, Any], name: str, written: object, read: object
) -> None:
    """A field of another type has the value that it is meant to have; `deviations` names it."""
    batch = Batch.from_dict({**seed_batch, name: written})
    assert getattr(batch, name) == read
    assert {place.partition(".")[0] for place in batch.deviations} == {name}
    assert Batch.from_dict(batch.to_dict()).id == batch.id


@pytest.mark.parametrize("timestamp", ["2025-04-02 16:21:42+00:00", "2025-04-02 16:21:42.5+00:00"])
def test_a_whole_second_is_no_deviation(seed_batch: dict[str, Any], timestamp: str) -> None:
    """Python leaves microseconds out where they are 0, and never writes fewer than six digits."""
    batch = Batch.from_dict({**seed_batch, "created_at": timestamp})
    assert bool(batch.deviations) is (".5" in timestamp)


def test_an_empty_video_url_is_none(seed_batch: dict[str, Any]) -> None:
    """There is nothing to download at it."""
    assert Batch.from_dict({**seed_batch, "video_url": ""}).video_url is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(BatchSchema().fields)), json_values))
def test_whatever_has_an_id_and_a_status_is_a_batch(data: dict[str, Any]) -> None:
    """No value of any other field keeps a paid batch from its caller, in no way of using it."""
    batch = Batch.from_dict({**data, "id": "b", "status": "queued"})
    json.dumps(batch.to_dict())
    assert pickle.loads(pickle.dumps(batch)).id == "b"  # noqa: S301 - our own bytes
    assert "b" in submission_key(batch)
    batch.raise_for_status()


@pytest.mark.parametrize(
    ("status", "final"),
    [("new", False), ("queued", False), ("success", True), ("fail", True), ("cancel", True)],
)
def test_a_status_is_final_or_not(seed_batch: dict[str, Any], status: str, *, final: bool) -> None:
    """Nobody knows what a new word means, so it is waited for."""
    batch = Batch.from_dict({**seed_batch, "status": status})
    assert (batch.status.is_final, batch.status.value) == (final, status)


def test_a_cancelled_batch_is_no_success(seed_batch: dict[str, Any]) -> None:
    """`raise_for_status` says how it ended."""
    with pytest.raises(BatchFailed, match=r"ended in 'cancel' \(0 of 2 medias\)"):
        Batch.from_dict({**seed_batch, "status": "cancel"}).raise_for_status()


@pytest.mark.parametrize(
    ("status", "succeeded"),
    [("new", False), ("processing", False), ("queued", False), ("success", True)],
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
