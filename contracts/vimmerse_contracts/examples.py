"""Examples of what is sent and said, as data; a test holds each to its schema.

The first Batch is the seed's, with identifiers as they were observed (S, O); the others are the
same batch later on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from marshmallow import Schema

from vimmerse_contracts.schemas import (
    BatchAnswerSchema,
    BatchSchema,
    CreateBatchSchema,
    HealthSchema,
    UpdateBatchSchema,
    ValidationErrorSchema,
    WebhookSchema,
)

BATCH_ID: Final = "5d2e6f0a-9c41-4b0e-8a37-1f6b2c9d4e55"
CUSTOMER_ID: Final = "customer_id"
"""The customer of the seed's example (S)."""

_MEDIAS: Final = (
    {"media_id": "0b5f1c52-6f0e-4a3b-9d57-3f1f4b8f7a10", "item": "item_key"},
    {"media_id": "e3a8b9d4-1c2f-4f6e-8b1a-7d9c0e5f2a31", "item": "item_key"},
)


@dataclass(frozen=True, slots=True)
class Example:
    """One example: what it shows, in a line, and the JSON value (of a form: field by field)."""

    summary: str
    value: Mapping[str, Any]


def _batch(**seen: object) -> dict[str, Any]:
    """Write the seed's Batch, with what is seen of it at another instant."""
    batch: dict[str, Any] = {
        "id": BATCH_ID,
        "email": "",
        "manager_id": "user_id",
        "customer_id": CUSTOMER_ID,
        "title": "New Batch Example",
        "description": "",
        "visibility_status": "1",
        "idea": "",
        "storyboard": {},
        "scenes": [],
        "message": "",
        "note": "",
        "feedback": "",
        "is_transition": "No",
        "filenames": [],
        "files": [],
        "medias": list(_MEDIAS),
        "upload_urls": {},
        "finished_medias": [],
        "failed_medias": [],
        "pose_preset": [
            {
                "MotionType": "Auto",
                "Params": "Prompt=|CameraPath=|Quantity=1|MotionAmount=5|MotionLength=5|Loop=1",
            }
        ],
        "submit_params": {
            "scale_factor": "1",
            "pipeline_preset": "Fast",
            "file_size": "",
            "sound_effects": "Yes",
        },
        "progress_percentage": 0,
        "status": "processing",
        "generate_type": "GENERATE_VIDEO",
        "version": "2",
        "created_at": "2025-04-02 16:21:42.465259+00:00",
        "updated_at": "2025-04-02 16:21:42.465259+00:00",
    }
    return batch | seen


_ENDED_AT: Final = "2025-04-02 16:31:42.465259+00:00"
_VIDEO_URL: Final = f"https://media.vimmerse.net/{CUSTOMER_ID}/{BATCH_ID}/video-1.mp4"

BATCHES: Final[Mapping[str, Example]] = MappingProxyType(
    {
        "processing": Example("Just created, or processed again", _batch()),
        "success": Example(
            "Done: every media has its video, and video_url the composed one",
            _batch(
                finished_medias=list(_MEDIAS),
                progress_percentage=100,
                status="success",
                updated_at=_ENDED_AT,
                video_url=_VIDEO_URL,
            ),
        ),
        "partial": Example(
            "Done: one media failed, the others make the video",
            _batch(
                finished_medias=list(_MEDIAS[1:]),
                failed_medias=list(_MEDIAS[:1]),
                progress_percentage=100,
                status="success",
                updated_at=_ENDED_AT,
                video_url=_VIDEO_URL,
            ),
        ),
        "fail": Example(
            "Done: every media failed, and the message says so",
            _batch(
                message="All medias failed.",
                failed_medias=list(_MEDIAS),
                progress_percentage=99,
                status="fail",
                updated_at=_ENDED_AT,
            ),
        ),
    }
)
_WRONG: Final = {
    "detail": [
        {
            "loc": ["body", "duration"],
            "msg": "Input should be less than or equal to 10",
            "type": "less_than_equal",
        },
        {
            "loc": ["body", "image_urls", 0],
            "msg": "URL scheme should be 'http' or 'https'",
            "type": "url_scheme",
        },
    ]
}

EXAMPLES: Final[Mapping[type[Schema], Mapping[str, Example]]] = MappingProxyType(
    {
        BatchSchema: BATCHES,
        BatchAnswerSchema: {
            name: Example(each.summary, {"data": each.value}) for name, each in BATCHES.items()
        },
        CreateBatchSchema: {
            "image_urls": Example(
                "The reference's sample with image URLs, upright, with a webhook",
                {
                    "title": "New batch example with image URLs.",
                    "aspect_ratio": "9:16",
                    "image_urls": [
                        f"https://media.vimmerse.net/image/url/{number}.jpg"
                        for number in range(1, 5)
                    ],
                    "webhook_url": "https://receiver.example/webhook",
                },
            )
        },
        UpdateBatchSchema: {
            "metadata": Example(
                "Without processing again, at no cost",
                {
                    "title": "New Updated Title",
                    "description": "New updated description",
                    "rating": "5",
                    "visibility_status": "2",
                },
            ),
            "resubmit": Example(
                "Processed again, and paid again",
                {"title": "New Updated Title", "motion_type": "RunwayML", "duration": 9},
            ),
        },
        ValidationErrorSchema: {"wrong_fields": Example("Every wrong field, at once", _WRONG)},
        HealthSchema: {"ok": Example("The service is up", {"status": "ok"})},
        WebhookSchema: {
            status: Example(
                summary, {"customer_id": CUSTOMER_ID, "batch_id": BATCH_ID, "status": status}
            )
            for status, summary in (
                ("success", "The request is done"),
                ("fail", "The request is done, and every media failed"),
            )
        },
    }
)
"""By the schema that they are of, then by name; an error with a code needs none but its body."""
