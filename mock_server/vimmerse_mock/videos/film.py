"""What the videos of a batch show and how long they last: pure functions of what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from vimmerse_contracts.vocabulary import YES
from vimmerse_mock.model.batch import Batch, VideoSettings
from vimmerse_mock.videos.mp4 import Chunk, Track, aac_track, h264_track, write_mp4
from vimmerse_mock.videos.prepared import (
    AUDIO_FRAME,
    AUDIO_RATE,
    FRAME_RATE,
    SIZES,
    STEP,
    Footage,
    prepared,
)

_STEPS: Final = FRAME_RATE // STEP
"""How many chunks of video a second has."""
_SOUND_CHUNK: Final = 64
LONGEST: Final = 2 * 60 * 60
"""The most seconds that a composed video has: clips that would go beyond are left out (A)."""


def media_video(batch: Batch, place: int) -> bytes:
    """Return the MP4 of a media: its number, from 1, for `duration` times `loop` seconds (A)."""
    return _write(batch.settings, [(place, place)])


def composed_video(batch: Batch, finished: Sequence[int]) -> bytes:
    """Return the MP4 of a batch: the videos of the media that finished, in their order.

    With `is_transition` they are those between neighbours instead, one fewer (P25): each begins
    with the one's number and ends with the other's. A single media has no neighbour, and is shown.
    """
    if batch.settings.is_transition and len(finished) > 1:
        return _write(batch.settings, list(pairwise(finished)))
    return _write(batch.settings, [(place, place) for place in finished])


def _write(settings: VideoSettings, clips: Sequence[tuple[int, int]]) -> bytes:
    """Write clips that last equally long, each with the media that it begins and ends with."""
    footage = prepared().footage[settings.aspect_ratio or next(iter(SIZES))]
    seconds = settings.duration * settings.loop
    steps = seconds * _STEPS
    chunks: list[Chunk] = []
    for begins, ends in clips[: LONGEST // seconds]:
        chunks += [_picture(footage, begins)] * (steps - steps // 2)
        chunks += [_picture(footage, ends)] * (steps // 2)
    whole = len(chunks) // _STEPS
    size = footage.width, footage.height
    tracks = [h264_track(chunks, FRAME_RATE, whole, *size, footage.configuration)]
    if settings.sound_effects == YES:
        tracks.append(_silence(whole))
    return write_mp4(tracks)


def _picture(footage: Footage, place: int) -> Chunk:
    number = (place + 1) % len(footage.pictures)
    return footage.pictures[number], *footage.repeats


def _silence(seconds: int) -> Track:
    silence = prepared().silence
    frames = -(-seconds * AUDIO_RATE // AUDIO_FRAME)  # rounded up
    whole, rest = divmod(frames, _SOUND_CHUNK)
    chunks: list[Chunk] = [(silence.frame,) * _SOUND_CHUNK] * whole
    if rest:
        chunks.append((silence.frame,) * rest)
    return aac_track(chunks, AUDIO_RATE, seconds, AUDIO_FRAME, silence.configuration)
