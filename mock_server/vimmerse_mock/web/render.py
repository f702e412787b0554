"""The Batch object, from a batch as it is seen at an instant."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from json import JSONEncoder
from typing import Any, Final
from urllib.parse import quote

import flask

from vimmerse_contracts.fields import format_timestamp
from vimmerse_contracts.vocabulary import NO, YES
from vimmerse_mock.model.batch import Batch, VideoSettings
from vimmerse_mock.model.clock import to_datetime
from vimmerse_mock.model.timeline import Observation
from vimmerse_mock.service import BatchView

_ENCODER: Final = JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def to_json(body: Any) -> str:  # noqa: ANN401 - any JSON
    """Write a JSON value."""
    return _ENCODER.encode(body)


def json_response(body: Any, status: int = 200) -> flask.Response:  # noqa: ANN401 - any JSON
    """Make an answer of a JSON value."""
    return text_response(to_json(body), status)


def text_response(text: str | bytes, status: int = 200) -> flask.Response:
    """Make an answer of JSON that is written already."""
    return flask.Response(text, status, mimetype="application/json")


FILES_PATH: Final = "/files"
"""Where the mock's files begin; the real service has them on a host of their own (P26, O)."""
_KEPT_ANSWERS: Final = 2048
_KEPT_MEDIAS: Final = 20
_KEPT_CHARACTERS: Final = 1024
"""An answer about more media or text is written afresh, so that what is kept stays small."""


class BatchRenderer:
    """Writes answers about batches, in the keys and order of the contract's schema.

    What is seen of a batch changes seldom and is read often, so the last answers are kept.
    """

    def __init__(self) -> None:
        self._write = lru_cache(_KEPT_ANSWERS)(_write)

    def render(self, view: BatchView, files_url: str) -> bytes:
        """Write `{"data": Batch}`; `files_url` is where the files of all customers begin."""
        batch = view.batch
        texts = (batch.title, batch.description, batch.settings.prompt, files_url)
        size = sum(map(len, texts))
        is_small = len(batch.medias) <= _KEPT_MEDIAS and size <= _KEPT_CHARACTERS
        write = self._write if is_small else _write
        return write(batch, view.seen, view.account.manager_id, files_url)


def _write(batch: Batch, seen: Observation, manager_id: str, files_url: str) -> bytes:
    return to_json({"data": batch_fields(batch, seen, manager_id, files_url)}).encode()


def video_name(batch: Batch) -> str:
    """Name the composed video of the submission in force."""
    return f"video-{batch.submission.number}.mp4"


def media_name(media_id: str) -> str:
    """Name the video of a media."""
    return f"{media_id}.mp4"


def batch_fields(
    batch: Batch, seen: Observation, manager_id: str, files_url: str
) -> dict[str, Any]:
    """Return the Batch object: what `BatchSchema` would write of it, as a test holds."""
    updated_at = max(batch.touched_at, seen.changed_at)
    fields: dict[str, Any] = {
        "id": batch.id,
        "email": "",
        "manager_id": manager_id,
        "customer_id": batch.customer_id,
        "title": batch.title,
        "description": batch.description,
        "visibility_status": batch.visibility_status,
        "idea": "",
        "storyboard": {},
        "scenes": [],
        "message": seen.message,
        "note": "",
        "feedback": "",
        "is_transition": YES if batch.settings.is_transition else NO,
        "filenames": [],
        "files": [],
        "medias": _references(batch, range(len(batch.medias))),
        "upload_urls": {},
        "finished_medias": _references(batch, seen.finished),
        "failed_medias": _references(batch, seen.failed),
        "pose_preset": [_pose_preset(batch.settings, batch.submission.script.translated_prompt)],
        "submit_params": {
            "scale_factor": "1",
            "pipeline_preset": "Fast",
            "file_size": "",
            "sound_effects": batch.settings.sound_effects,
        },
        "progress_percentage": seen.progress,
        "status": seen.status.value,
        "generate_type": "GENERATE_VIDEO",
        "version": "2",
        "created_at": format_timestamp(to_datetime(batch.created_at)),
        "updated_at": format_timestamp(to_datetime(updated_at)),
    }
    if seen.composed:
        customer = quote(batch.customer_id, safe="")
        fields["video_url"] = f"{files_url}/{customer}/{batch.id}/{video_name(batch)}"
    return fields


def _references(batch: Batch, places: Iterable[int]) -> list[dict[str, str]]:
    return [{"media_id": batch.medias[i].id, "item": batch.medias[i].item} for i in places]


def _pose_preset(settings: VideoSettings, translated_prompt: str) -> dict[str, str]:
    params = {
        "Prompt": translated_prompt or settings.prompt,
        "CameraPath": "",
        "Quantity": settings.quantity,
        "MotionAmount": settings.motion_range,
        "MotionLength": settings.duration,
        "Loop": settings.loop,
    }
    if settings.aspect_ratio:
        params["AspectRatio"] = settings.aspect_ratio
    if translated_prompt:
        params["OriginalPrompt"] = settings.prompt
    return {
        "MotionType": settings.motion_type,
        "Params": "|".join(f"{name}={value}" for name, value in params.items()),
    }
