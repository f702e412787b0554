from __future__ import annotations

from typing import Any, Final

import pytest
from marshmallow import ValidationError, fields

from vimmerse_contracts import vocabulary as v
from vimmerse_contracts.fields import problems_in
from vimmerse_contracts.schemas import (
    BatchAnswerSchema,
    BatchSchema,
    CreateBatchSchema,
    UpdateBatchSchema,
    WebhookSchema,
)

DEFAULTS: Final[dict[str, Any]] = {
    "title": "",
    "description": "",
    "visibility_status": "1",
    "image_files": [],
    "image_urls": [],
    "is_highlights": "",
    "is_transition": False,
    "motion_range": 5,
    "motion_type": "Auto",
    "prompt": "",
    "quantity": 1,
    "duration": 5,
    "loop": 1,
    "aspect_ratio": None,
    "sound_effects": "No",
    "webhook_url": None,
}
"""The form of `POST /batch` and its defaults, as the reference's table has them (P25)."""

SEED_KEYS: Final = """
    id email manager_id customer_id title description visibility_status idea storyboard scenes
    message note feedback is_transition filenames files medias upload_urls finished_medias
    failed_medias pose_preset submit_params progress_percentage status generate_type version
    created_at updated_at
"""
"""The keys of the seed's example, in its order (S)."""


def test_an_empty_form_takes_the_documented_defaults() -> None:
    """A creation with nothing given is exactly the reference's table of defaults."""
    assert CreateBatchSchema().load({}) == DEFAULTS


@pytest.mark.parametrize("schema", [CreateBatchSchema, UpdateBatchSchema])
def test_empty_texts_and_unknown_fields_leave_no_trace(
    schema: type[CreateBatchSchema | UpdateBatchSchema],
) -> None:
    """An empty text and an unknown field load as if they were not there."""
    empty = dict.fromkeys(schema().fields, "")
    assert schema().load({**empty, "colour": "blue"}) == schema().load({})


def test_an_empty_update_changes_nothing() -> None:
    """An update has no defaults: what is not given is not there."""
    assert UpdateBatchSchema().load({}) == {}


def test_files_win_over_urls_however_wrong() -> None:
    """Where files are uploaded, URLs are neither kept nor looked at."""
    upload = object()
    form = CreateBatchSchema().load({"image_files": [upload], "image_urls": ["nonsense"]})
    assert (form["image_files"], form["image_urls"]) == ([upload], [])


def test_every_wrong_field_is_told_at_once() -> None:
    """All problems of a form are told together, each at its place."""
    form = {"loop": "7", "duration": "x", "image_urls": ["http://host/", "ftp://host/"]}
    with pytest.raises(ValidationError) as caught:
        CreateBatchSchema().load(form)
    places = {(loc, problem.type) for loc, problem in problems_in(caught.value.messages)}
    assert places == {
        (("loop",), "less_than_equal"),
        (("duration",), "int_parsing"),
        (("image_urls", 1), "url_scheme"),
    }


def test_an_update_takes_the_metadata_and_the_seven() -> None:
    """An update takes the five metadata fields and the seven that resubmit, and no others."""
    assert set(UpdateBatchSchema().fields) == {*v.METADATA_FIELDS, *v.RESUBMITTING_FIELDS}
    assert set(v.METADATA_FIELDS).isdisjoint(v.RESUBMITTING_FIELDS)


@pytest.mark.parametrize("name", sorted(set(v.RESUBMITTING_FIELDS)))
def test_a_setting_is_read_alike_on_create_and_update(name: str) -> None:
    """A field that both forms take is of the same kind and has the same limits in both."""
    create, update = CreateBatchSchema().fields[name], UpdateBatchSchema().fields[name]
    assert type(create) is type(update)
    assert [vars(each) for each in create.validators] == [vars(each) for each in update.validators]


def test_the_batch_has_the_keys_of_the_seed_in_order() -> None:
    """The Batch object is the seed's example, key by key, and video_url behind it."""
    assert list(BatchSchema().fields) == [*SEED_KEYS.split(), "video_url"]


def test_every_key_but_the_video_is_required() -> None:
    """Only video_url may be missing."""
    optional = [name for name, field in BatchSchema().fields.items() if not field.required]
    assert optional == ["video_url"]


def test_an_answer_keeps_what_is_not_known() -> None:
    """A reader keeps keys that the schema does not know, since the object grows."""
    assert (
        WebhookSchema().load(
            {"customer_id": "c", "batch_id": "b", "status": "fail", "signature": "s"}
        )["signature"]
        == "s"
    )


@pytest.mark.parametrize("status", ["new", "processing", "done", ""])
def test_a_webhook_reports_an_end(status: str) -> None:
    """A webhook's status is one of the two ends."""
    body = {"customer_id": "c", "batch_id": "b", "status": status}
    assert "status" in WebhookSchema().validate(body)


def test_an_answer_about_a_batch_has_its_envelope() -> None:
    """A Batch without 'data' around it is no answer."""
    assert "data" in BatchAnswerSchema().validate({})


def test_only_progress_is_a_number() -> None:
    """As in the seed's example, everything but progress_percentage is text, list or object."""
    numbers = [
        name for name, field in BatchSchema().fields.items() if isinstance(field, fields.Number)
    ]
    assert numbers == ["progress_percentage"]
