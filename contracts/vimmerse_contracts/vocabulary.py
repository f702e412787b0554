"""The words of the API: statuses, choices, limits, headers, and the fields that resubmit."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

PRODUCTION_URL: Final = "https://api.vimmerse.net"
"""Base URL of the real service (S)."""

PRODUCTION_HOSTS: Final = ("api.vimmerse.net", "media.vimmerse.net")
"""Hosts of the real service: the API (S) and the media files (P26, O)."""

PRODUCTION_DOMAIN: Final = "vimmerse.net"
"""Every host under it is the company's."""

API_KEY_HEADER: Final = "X-Api-Key"
"""Request header that carries the key (S)."""

SAMPLE_API_KEY: Final = "YOUR_API_KEY"
"""The key in the reference's samples (S)."""

SAMPLE_CUSTOMER_ID: Final = "YOUR_CUSTOMER_ID"
"""The customer in the reference's samples (S)."""


WHY_HEADER: Final = "X-Vimmerse-Mock-Why"
"""A mock's refusals say in it why, in one sentence; the real service has no such header."""

CONTROL_ROOT: Final = "/__admin"
"""Where a mock's control plane begins; the real service has nothing there."""

CONTROL_HEADER: Final = "X-Vimmerse-Control"
"""Request header, of any value, without which a mock's control plane changes nothing."""


class BatchStatus(StrEnum):
    """What may stand in a batch's `status` (P26)."""

    NEW = "new"
    PROCESSING = "processing"
    SUCCESS = "success"
    FAIL = "fail"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens until somebody updates the batch or asks for a concat."""
        return self in {BatchStatus.SUCCESS, BatchStatus.FAIL}


YES: Final = "Yes"
NO: Final = "No"
YES_NO: Final = (YES, NO)

VISIBILITY_STATUSES: Final = ("0", "1", "2")
"""Private, unlisted, public (P25)."""

RATINGS: Final = ("1", "2", "3", "4", "5")
"""What `rating` accepts on update (S)."""

MOTION_TYPES: Final = (
    "Auto",
    "LumaAI",
    "LumaRay2",
    "KlingAI",
    "Kling2",
    "MinimaxHailuo",
    "Seedance",
    "Hunyuan",
    "RunwayML",
    "Wan",
    "Pixverse",
    "Veo",
    "VeoFast",
    "TryOnVideo",
)
"""The video models a batch may ask for (P25)."""

ASPECT_RATIOS: Final = ("16:9", "4:3", "1:1", "3:4", "9:16")

MOTION_RANGE: Final = (1, 10)
QUANTITY: Final = (1, 4)
DURATION_SECONDS: Final = (1, 10)
LOOP: Final = (1, 6)

LINE_CHARACTERS: Final = 1_000
"""The longest title, and is_highlights (A)."""
TEXT_CHARACTERS: Final = 10_000
"""The longest description and prompt (A)."""
WEBHOOK_URL_CHARACTERS: Final = 2_083
"""The longest address of a receiver (A): pydantic's bound of a URL."""
IMAGE_URL_CHARACTERS: Final = 8_192
"""The longest address of an image (A); those that are signed have some thousand."""

RESUBMITTING_FIELDS: Final = (
    "prompt",
    "motion_type",
    "quantity",
    "duration",
    "loop",
    "aspect_ratio",
    "sound_effects",
)
"""Fields of an update that process the batch again, and cost again (S)."""

METADATA_FIELDS: Final = ("title", "description", "rating", "visibility_status", "webhook_url")
"""Fields of an update that never cost (S; webhook_url P26)."""

POLL_SECONDS: Final = 30.0
"""How often the reference tells its users to poll (P26)."""

WEBHOOK_TIMEOUT_SECONDS: Final = 10
"""How long a receiver has to answer with 2xx (P26)."""
