"""Credits: the price list, and the ledger whose sum is the balance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Final

from vimmerse_mock.errors import InvalidLimitError
from vimmerse_mock.model.batch import VideoSettings
from vimmerse_mock.model.bounds import BOOKED, COUNT, CREDITS, NAME, PRICE, quoted
from vimmerse_mock.model.clock import Instant


class Reason(StrEnum):
    """Why credits moved."""

    OPENING = "opening"
    TOP_UP = "top_up"
    CREATE = "create"
    RESUBMIT = "resubmit"
    CONCAT = "concat"
    CARRIED = "carried"
    """The sum of the entries of batches that are no longer kept."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One movement of credits.

    `amount` is negative for a charge; `balance` is what stands after it. `batch_id` and
    `submission` name what was paid for, and are empty for an opening.
    """

    at: Instant
    amount: Annotated[int, BOOKED]
    balance: Annotated[int, CREDITS]
    reason: Reason
    batch_id: Annotated[str, NAME] = ""
    submission: Annotated[int, COUNT] = 0


_PER_SECOND: Final[dict[str, int]] = {
    "Auto": 1,
    "LumaAI": 2,
    "LumaRay2": 3,
    "KlingAI": 2,
    "Kling2": 4,
    "MinimaxHailuo": 2,
    "Seedance": 2,
    "Hunyuan": 1,
    "RunwayML": 3,
    "Wan": 1,
    "Pixverse": 2,
    "Veo": 8,
    "VeoFast": 4,
    "TryOnVideo": 2,
}


@dataclass(frozen=True, slots=True)
class PriceList:
    """Credits for one second of video, by motion type, and for a concat.

    No price list is public (A): these are round numbers, to be set as wanted. A motion type that
    is not listed costs what `Auto` does.
    """

    per_second: Mapping[str, int] = field(default_factory=_PER_SECOND.copy, hash=False)
    concat: int = 0

    def __post_init__(self) -> None:
        """Refuse a price that is none.

        Raises:
            InvalidLimitError: it is no whole number, or out of its bounds.
        """
        for price in (*self.per_second.values(), self.concat):
            if price not in PRICE:
                raise InvalidLimitError(f"a price is {PRICE} credits, not {quoted(price)}")

    def generation(self, settings: VideoSettings, images: int) -> int:
        """Return seconds x quantity x images at the motion type's rate."""
        rate = self.per_second.get(settings.motion_type, self.per_second["Auto"])
        return rate * settings.duration * settings.quantity * images
