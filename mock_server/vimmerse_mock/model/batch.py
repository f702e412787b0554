"""What was asked: a batch, its media, and its submissions. No state: that is `timeline`'s."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, TypeVar

from vimmerse_contracts import vocabulary
from vimmerse_mock.model.bounds import BYTES, NUMBER, PLACE, PLACES, Bounds
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.scenarios import Script

V = TypeVar("V", bound=Hashable)


_Places = Annotated[tuple[Annotated[int, PLACE], ...], PLACES]


@lru_cache(512)
def shared(value: V) -> V:
    """Return one object for equal values: thousands of batches ask for the same, and share it."""
    return value


@dataclass(frozen=True, slots=True)
class Image:
    """What is kept of an accepted image: never the bytes.

    `name` is the file's name or the URL; `format` is as sniffed (`png`) and `size` in bytes, both
    empty for an image that came as a URL. One `is_missing` that was to be fetched and couldn't be.
    """

    name: str
    format: str = ""
    size: Annotated[int, BYTES] = 0
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class Media:
    """One media of a batch, made from one image."""

    id: str
    image: Image

    @property
    def item(self) -> str:
        """The media's key as an item (A: no source says what it is), derived and so not kept."""
        return self.id.replace("-", "")


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """How the videos are to be made; `duration` in seconds."""

    motion_type: str
    prompt: str
    quantity: Annotated[int, Bounds(*vocabulary.QUANTITY)]
    duration: Annotated[int, Bounds(*vocabulary.DURATION_SECONDS)]
    loop: Annotated[int, Bounds(*vocabulary.LOOP)]
    aspect_ratio: str | None
    sound_effects: str
    motion_range: Annotated[int, Bounds(*vocabulary.MOTION_RANGE)]
    is_transition: bool


class SubmissionKind(StrEnum):
    """What a submission does with the batch's media."""

    GENERATE = "generate"
    CONCAT = "concat"


@dataclass(frozen=True, slots=True)
class Submission:
    """One request to process, the `number`th of its batch, from 1.

    `finished` and `failed` are the places of the media that a concat starts from; a
    generation starts from none.
    """

    number: Annotated[int, NUMBER]
    kind: SubmissionKind
    at: Instant
    script: Script
    finished: _Places = ()
    failed: _Places = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that was asked of one batch.

    `touched_at` is the instant of the last request that changed it. `submissions` are in order;
    the last one is in force.
    """

    id: str
    customer_id: str
    created_at: Instant
    touched_at: Instant
    title: str
    description: str
    visibility_status: str
    rating: str | None
    is_highlights: str
    webhook_url: str | None
    settings: VideoSettings
    medias: Annotated[tuple[Media, ...], PLACES]
    submissions: tuple[Submission, ...]

    @property
    def submission(self) -> Submission:
        """The submission in force."""
        return self.submissions[-1]

    @property
    def next_number(self) -> int:
        """The number of the submission to come."""
        return len(self.submissions) + 1

    def submitted(self, submission: Submission) -> Batch:
        """Return the batch with a further submission in force."""
        return replace(self, submissions=(*self.submissions, submission))
