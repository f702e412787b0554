"""The objects of the API, typed and frozen; keys that they do not know are kept.

The contract's schemas decide what a valid object is; these classes give it names and types. Every
field is called what the API calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from typing import Any, TypeVar

from vimmerse_client.errors import BatchFailed
from vimmerse_contracts.fields import format_timestamp, parse_timestamp
from vimmerse_contracts.schemas import BatchSchema
from vimmerse_contracts.vocabulary import BatchStatus


@dataclass(frozen=True, slots=True)
class MediaReference:
    """One media of a batch (S). `extra` holds the keys that the contract does not know."""

    media_id: str
    item: str
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PosePreset:
    """How the videos are made (S); `Params` is a list of `Name=value` joined by `|`."""

    MotionType: str
    Params: str
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubmitParams:
    """How the batch was submitted (S); every value is text, `sound_effects` is Yes or No."""

    scale_factor: str
    pipeline_preset: str
    file_size: str
    sound_effects: str
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as the API describes it (S).

    `progress_percentage` is 0 to 100. `created_at` and `updated_at` are aware and in UTC.
    `video_url` is None until there is a composed video (S). `extra` holds, in the server's order,
    the keys that the contract does not know: the real object has grown before (P26).
    """

    id: str
    email: str
    manager_id: str
    customer_id: str
    title: str
    description: str
    visibility_status: str
    idea: str
    storyboard: Mapping[str, Any]
    scenes: tuple[Any, ...]
    message: str
    note: str
    feedback: str
    is_transition: str
    filenames: tuple[str, ...]
    files: tuple[Any, ...]
    medias: tuple[MediaReference, ...]
    upload_urls: Mapping[str, Any]
    finished_medias: tuple[MediaReference, ...]
    failed_medias: tuple[MediaReference, ...]
    pose_preset: tuple[PosePreset, ...]
    submit_params: SubmitParams
    progress_percentage: int
    status: BatchStatus
    generate_type: str
    version: str
    created_at: datetime
    updated_at: datetime
    video_url: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Batch:
        """Make a batch from the API's JSON object.

        Raises:
            marshmallow.ValidationError: the object is not what the contract says; `.messages` lists
                every field that is wrong.
        """
        loaded = BatchSchema().load(data)
        # marshmallow hands unknown keys over in the order of a set.
        ordered = {key: loaded[key] for key in data}
        typed = {
            "medias": _build_all(MediaReference, loaded["medias"]),
            "finished_medias": _build_all(MediaReference, loaded["finished_medias"]),
            "failed_medias": _build_all(MediaReference, loaded["failed_medias"]),
            "pose_preset": _build_all(PosePreset, loaded["pose_preset"]),
            "submit_params": _build(SubmitParams, loaded["submit_params"]),
            "status": BatchStatus(loaded["status"]),
            "created_at": parse_timestamp(loaded["created_at"]),
            "updated_at": parse_timestamp(loaded["updated_at"]),
        }
        lists = {key: tuple(value) for key, value in loaded.items() if isinstance(value, list)}
        return _build(cls, ordered | lists | typed)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object: the contract's keys in their order, then the unknown ones."""
        plain: dict[str, Any] = _plain(self)
        return plain

    @property
    def succeeded(self) -> bool:
        """Whether the batch ended well."""
        return self.status is BatchStatus.SUCCESS

    def raise_for_status(self) -> None:
        """Raise an error if the batch failed; else do nothing.

        Raises:
            BatchFailed: the status is 'fail'; carries the batch and the service's message.
        """
        if self.status is BatchStatus.FAIL:
            raise BatchFailed(self)


_M = TypeVar("_M", MediaReference, PosePreset, SubmitParams, Batch)


def _build(model: type[_M], loaded: Mapping[str, Any]) -> _M:
    names = {field.name for field in fields(model)} - {"extra"}
    known = {key: value for key, value in loaded.items() if key in names}
    extra = {key: value for key, value in loaded.items() if key not in names}
    return model(**known, extra=extra)


def _build_all(model: type[_M], loaded: list[Mapping[str, Any]]) -> tuple[_M, ...]:
    return tuple(_build(model, item) for item in loaded)


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    if isinstance(value, datetime):
        return format_timestamp(value)
    if isinstance(value, BatchStatus):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if not is_dataclass(value):
        return value
    named = {field.name: getattr(value, field.name) for field in fields(value)}
    extra = named.pop("extra")
    # Only `video_url` is ever None, and then the API leaves the key out.
    return {name: _plain(each) for name, each in named.items() if each is not None} | dict(extra)
