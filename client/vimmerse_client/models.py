"""The objects of the API, typed and frozen; keys that they do not know are kept.

These classes give the API's objects names and types; every field is called what the API calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from typing import Any, Final, TypeGuard, TypeVar

from vimmerse_client.errors import BatchFailed, ConfigurationError, excerpt
from vimmerse_client.reading import (
    UnknownStatus,
    deviations_of,
    read_instant,
    read_list,
    read_object,
    read_percentage,
    read_status,
    read_text,
    read_url,
)
from vimmerse_contracts.fields import format_timestamp
from vimmerse_contracts.schemas import BatchSchema
from vimmerse_contracts.vocabulary import BatchStatus

T = TypeVar("T")


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

    `progress_percentage` is 0 to 100. `status` is a `BatchStatus`, or an `UnknownStatus`, a text as
    well. `created_at` and `updated_at` are aware and in UTC, and None where the service wrote no
    instant. `video_url` is None until there is a composed video (S). `extra` holds, in the
    server's order, the keys that the contract does not know: the real object has grown before
    (P26).

    Whatever has an id and a status is a batch: a field that is missing or written otherwise is
    read as what it is meant to be. `deviations` says what was not as the contract has it, by its
    place, such as `{"is_transition": "Not a valid string."}`.
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
    status: BatchStatus | UnknownStatus
    generate_type: str
    version: str
    created_at: datetime | None
    updated_at: datetime | None
    video_url: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    deviations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Batch:
        """Make a batch from the API's JSON object.

        Raises:
            ConfigurationError: it has no id or no status.
        """
        if not is_batch(data):
            raise ConfigurationError(
                "Batch.from_dict: expected an object with the texts id and status, as the API has "
                f"them, got {excerpt(repr(data))}"
            )
        values = {name: _READERS.get(name, read_text)(data.get(name)) for name in _KEYS}
        extra = {key: value for key, value in data.items() if key not in _KEYS}
        return cls(**values, extra=extra, deviations=deviations_of(data))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object: the contract's keys in their order, then the unknown ones.

        Values are written as the contract has them, whatever `deviations` says.
        """
        plain: dict[str, Any] = _plain(self)
        return plain

    @property
    def succeeded(self) -> bool:
        """Whether the batch ended well."""
        return self.status == BatchStatus.SUCCESS

    def raise_for_status(self) -> None:
        """Raise an error if the batch ended, but not well; else do nothing.

        Raises:
            BatchFailed: the status is 'fail' or 'cancel'; carries the batch and its message.
        """
        if self.status.is_final and not self.succeeded:
            raise BatchFailed(self)


def is_batch(data: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether something is an object with an id and a status, which makes it a batch."""
    return isinstance(data, Mapping) and all(
        isinstance(data.get(key), str) and data[key] for key in ("id", "status")
    )


_KEYS: Final = tuple(BatchSchema().fields)


def _read_media(value: object) -> MediaReference:
    data = value if isinstance(value, Mapping) else {"media_id": value}
    return MediaReference(
        media_id=read_text(data.get("media_id")),
        item=read_text(data.get("item")),
        extra=_others(data, "media_id", "item"),
    )


def _read_pose_preset(value: object) -> PosePreset:
    """Read a pose preset; its keys are in snake case since 2026 (P26)."""
    data = read_object(value)
    return PosePreset(
        MotionType=read_text(data.get("MotionType", data.get("motion_type"))),
        Params=read_text(data.get("Params", data.get("params"))),
        extra=_others(data, "MotionType", "motion_type", "Params", "params"),
    )


def _read_submit_params(value: object) -> SubmitParams:
    data = read_object(value)
    names = ("scale_factor", "pipeline_preset", "file_size", "sound_effects")
    texts = {name: read_text(data.get(name)) for name in names}
    return SubmitParams(**texts, extra=_others(data, *names))


def _others(data: Mapping[str, Any], *known: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in known}


def _each(read: Callable[[object], T]) -> Callable[[object], tuple[T, ...]]:
    return lambda value: tuple(map(read, read_list(value)))


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "storyboard": read_object,
    "scenes": read_list,
    "filenames": _each(read_text),
    "files": read_list,
    "medias": _each(_read_media),
    "upload_urls": read_object,
    "finished_medias": _each(_read_media),
    "failed_medias": _each(_read_media),
    "pose_preset": _each(_read_pose_preset),
    "submit_params": _read_submit_params,
    "progress_percentage": read_percentage,
    "status": read_status,
    "created_at": read_instant,
    "updated_at": read_instant,
    "video_url": read_url,
}
"""How the fields of a batch are read that are no plain text."""


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    if isinstance(value, datetime):
        return format_timestamp(value)
    if isinstance(value, BatchStatus | UnknownStatus):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if not is_dataclass(value):
        return value
    named = {field.name: getattr(value, field.name) for field in fields(value)}
    named.pop("deviations", None)
    extra = named.pop("extra")
    # What is None has no key, as the API leaves `video_url` out.
    return {name: _plain(each) for name, each in named.items() if each is not None} | dict(extra)
