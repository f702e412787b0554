"""The marshmallow schemas: what the API accepts and says. The only definition of the Batch object.

Request schemas read text of forms; response schemas write and check JSON. Readers of responses load
with `unknown=INCLUDE`, since the real object has grown before and will again (P26).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from marshmallow import EXCLUDE, INCLUDE, Schema, fields, pre_load, validate

from vimmerse_contracts import vocabulary as v
from vimmerse_contracts.fields import (
    AtMost,
    Between,
    Choice,
    FormBoolean,
    FormInteger,
    HttpUrl,
    Text,
    Timestamp,
    Upload,
    UrlAtMost,
)


class FormSchema(Schema):
    """A form, read as FastAPI reads it: unknown fields ignored, an empty text means not given."""

    class Meta:
        """Unknown fields are ignored (FastAPI's habit)."""

        unknown = EXCLUDE

    @pre_load
    def drop_empty(self, data: Mapping[str, Any], **_kwargs: object) -> dict[str, Any]:
        """Take an empty text for a field that was not given."""
        given = {name: self._given(name, value) for name, value in data.items()}
        return {name: value for name, value in given.items() if value not in ("", [])}

    def _given(self, name: str, value: object) -> object:
        """Return what is given of a list: every URL that is not empty, and every file."""
        field = self.fields.get(name)
        if not isinstance(value, list) or not isinstance(field, fields.List):
            return value
        return value if isinstance(field.inner, Upload) else [item for item in value if item != ""]


class CreateBatchSchema(FormSchema):
    """The form of `POST /batch` (P25, S)."""

    needs_one_of: ClassVar = ("image_files", "image_urls")
    """There is no batch without an image (P26); who lacks one gets 400, after the form was read."""

    title = Text(load_default="", validate=AtMost(v.LINE_CHARACTERS))
    description = Text(load_default="", validate=AtMost(v.TEXT_CHARACTERS))
    visibility_status = Text(load_default="1", validate=Choice(v.VISIBILITY_STATUSES))
    image_files = fields.List(Upload(), load_default=list)
    image_urls = fields.List(HttpUrl(validate=UrlAtMost(v.IMAGE_URL_CHARACTERS)), load_default=list)
    is_highlights = Text(load_default="", validate=AtMost(v.LINE_CHARACTERS))
    is_transition = FormBoolean(load_default=False)
    motion_range = FormInteger(load_default=5, validate=Between(*v.MOTION_RANGE))
    motion_type = Text(load_default="Auto", validate=Choice(v.MOTION_TYPES))
    prompt = Text(load_default="", validate=AtMost(v.TEXT_CHARACTERS))
    quantity = FormInteger(load_default=1, validate=Between(*v.QUANTITY))
    duration = FormInteger(load_default=5, validate=Between(*v.DURATION_SECONDS))
    loop = FormInteger(load_default=1, validate=Between(*v.LOOP))
    aspect_ratio = Text(load_default=None, allow_none=False, validate=Choice(v.ASPECT_RATIOS))
    sound_effects = Text(load_default="No", validate=Choice(v.YES_NO))
    webhook_url = HttpUrl(
        load_default=None, allow_none=False, validate=UrlAtMost(v.WEBHOOK_URL_CHARACTERS)
    )

    @pre_load
    def files_win(self, data: Mapping[str, Any], **_kwargs: object) -> dict[str, Any]:
        """Ignore URLs where files are uploaded (P25)."""
        ignored = {"image_urls"} if data.get("image_files") else set()
        return {name: value for name, value in data.items() if name not in ignored}


class UpdateBatchSchema(FormSchema):
    """The form of `PUT /batch/{batch_id}/edit` (S); what is not given stays as it is."""

    title = Text(validate=AtMost(v.LINE_CHARACTERS))
    description = Text(validate=AtMost(v.TEXT_CHARACTERS))
    rating = Text(validate=Choice(v.RATINGS))
    visibility_status = Text(validate=Choice(v.VISIBILITY_STATUSES))
    webhook_url = HttpUrl(validate=UrlAtMost(v.WEBHOOK_URL_CHARACTERS))
    prompt = Text(validate=AtMost(v.TEXT_CHARACTERS))
    motion_type = Text(validate=Choice(v.MOTION_TYPES))
    quantity = FormInteger(validate=Between(*v.QUANTITY))
    duration = FormInteger(validate=Between(*v.DURATION_SECONDS))
    loop = FormInteger(validate=Between(*v.LOOP))
    aspect_ratio = Text(validate=Choice(v.ASPECT_RATIOS))
    sound_effects = Text(validate=Choice(v.YES_NO))


class AnswerSchema(Schema):
    """JSON that the API says: unknown keys are kept, since real services grow fields.

    What is written is always a mapping, which spares asking each value what kind of thing it is.
    """

    class Meta:
        """Readers keep what they do not know."""

        unknown = INCLUDE

    def get_attribute(self, obj: Mapping[str, Any], attr: str, default: Any) -> Any:  # noqa: ANN401 - marshmallow's
        """Look a key up."""
        return obj.get(attr, default)


class MediaReferenceSchema(AnswerSchema):
    """One media of a batch (S)."""

    media_id = fields.String(required=True)
    item = fields.String(required=True)


class PosePresetSchema(AnswerSchema):
    """How the videos are made; `Params` is a list of `Name=value` joined by `|` (S)."""

    MotionType = fields.String(required=True)
    Params = fields.String(required=True)


class SubmitParamsSchema(AnswerSchema):
    """How the batch was submitted (S)."""

    scale_factor = fields.String(required=True)
    pipeline_preset = fields.String(required=True)
    file_size = fields.String(required=True)
    # The real service was also seen to write "no" in lower case (O).
    sound_effects = fields.String(required=True, validate=validate.OneOf([*v.YES_NO, "yes", "no"]))


class BatchSchema(AnswerSchema):
    """The Batch object: exactly the seed's keys, in its order and with its types (S).

    `video_url` is there once a composed video is (S); its place at the end is assumed.
    """

    id = fields.String(required=True)
    email = fields.String(required=True)
    manager_id = fields.String(required=True)
    customer_id = fields.String(required=True)
    title = fields.String(required=True)
    description = fields.String(required=True)
    visibility_status = fields.String(required=True, validate=validate.OneOf(v.VISIBILITY_STATUSES))
    idea = fields.String(required=True)
    storyboard = fields.Dict(required=True)
    scenes = fields.List(fields.Raw(), required=True)
    message = fields.String(required=True)
    note = fields.String(required=True)
    feedback = fields.String(required=True)
    is_transition = fields.String(required=True, validate=validate.OneOf(v.YES_NO))
    filenames = fields.List(fields.String(), required=True)
    files = fields.List(fields.Raw(), required=True)
    medias = fields.List(fields.Nested(MediaReferenceSchema), required=True)
    upload_urls = fields.Dict(required=True)
    finished_medias = fields.List(fields.Nested(MediaReferenceSchema), required=True)
    failed_medias = fields.List(fields.Nested(MediaReferenceSchema), required=True)
    pose_preset = fields.List(fields.Nested(PosePresetSchema), required=True)
    submit_params = fields.Nested(SubmitParamsSchema, required=True)
    progress_percentage = fields.Integer(
        required=True, strict=True, validate=validate.Range(min=0, max=100)
    )
    status = fields.String(required=True, validate=validate.OneOf(list(v.BatchStatus)))
    generate_type = fields.String(required=True)
    version = fields.String(required=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)
    video_url = fields.String()


class BatchAnswerSchema(AnswerSchema):
    """Every successful answer about a batch: `{"data": Batch}` (S)."""

    data = fields.Nested(BatchSchema, required=True)


class HealthSchema(AnswerSchema):
    """The answer of `GET /health`; its body is assumed."""

    status = fields.String(required=True)


class MessageErrorSchema(AnswerSchema):
    """Every error but 422: `{"message": "NOT_FOUND"}` (P26)."""

    message = fields.String(required=True)


class ProblemSchema(AnswerSchema):
    """One wrong field of a 422, as FastAPI writes it (P26)."""

    loc = fields.List(fields.Raw(metadata={"type": ["string", "integer"]}), required=True)
    msg = fields.String(required=True)
    type = fields.String(required=True)
    input = fields.Raw(allow_none=True)
    ctx = fields.Dict()


class ValidationErrorSchema(AnswerSchema):
    """A 422: every wrong field (P26)."""

    detail = fields.List(fields.Nested(ProblemSchema), required=True)


class WebhookSchema(AnswerSchema):
    """The body of a webhook (S)."""

    customer_id = fields.String(required=True)
    batch_id = fields.String(required=True)
    status = fields.String(
        required=True,
        validate=validate.OneOf([v.BatchStatus.SUCCESS.value, v.BatchStatus.FAIL.value]),
    )


def fields_within(schema: type[Schema]) -> Iterator[tuple[str, fields.Field[Any]]]:
    """Yield every field of a schema and of those nested in it, by its path: `.medias[].item`."""
    for name, field in schema().fields.items():
        yield f".{name}", field
        inner, items = (field.inner, "[]") if isinstance(field, fields.List) else (field, "")
        if isinstance(inner, fields.Nested):
            for path, within in fields_within(type(inner.schema)):
                yield f".{name}{items}{path}", within
