"""What the videos of a batch show and how long they last: pure functions of what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from vimmerse_contracts.vocabulary import YES
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.videos.mp4 import Chunk, Track, aac_track, h264_track, write_mp4
from vimmerse_mock.videos.prepared import (
    AUDIO_FRAME,
    AUDIO_RATE,
    FRAME_RATE,
    SIZES,
    Footage,
    number_of,
    prepared,
)
from vimmerse_mock.videos.studio import Span, Studio

LONGEST: Final = 2 * 60 * 60
"""The most seconds that a composed video has: clips that would go beyond are left out (A)."""
_SOUND_CHUNK: Final = 64


def media_video(batch: Batch, place: int, studio: Studio | None = None) -> bytes:
    """Return the MP4 of a media: its number, from 1, for `duration` times `loop` seconds (A).

    Where a studio has its picture, it shows that.
    """
    return _write(batch, [(place, place)], studio)


def composed_video(batch: Batch, finished: Sequence[int], studio: Studio | None = None) -> bytes:
    """Return the MP4 of a batch: the videos of the media that finished, in their order.

    With `is_transition` they are those between neighbours instead, one fewer (P25): each begins
    with the one and ends with the other. A single media has no neighbour, and is shown.
    """
    if batch.settings.is_transition and len(finished) > 1:
        return _write(batch, list(pairwise(finished)), studio)
    return _write(batch, [(place, place) for place in finished], studio)


def _write(batch: Batch, spans: Sequence[Span], studio: Studio | None) -> bytes:
    how = batch.settings
    footage = prepared().footage[
        how.aspect_ratio if how.aspect_ratio in SIZES else next(iter(SIZES))
    ]
    spans = spans[: LONGEST // (how.duration * how.loop)]
    seconds = len(spans) * how.duration * how.loop
    rate, configuration = FRAME_RATE, footage.configuration
    clips = [_numbers(footage, span, how.duration) for span in spans]
    encoded = studio.clips(batch, spans, footage) if studio else None
    if encoded:
        rate, configuration = encoded[0].rate, encoded[0].configuration
        clips = [clip.chunks for clip in encoded]
    chunks = [chunk for clip in clips for chunk in clip * how.loop]
    size = footage.width, footage.height
    tracks = [h264_track(chunks, rate, seconds, *size, configuration)]
    if how.sound_effects == YES:
        tracks.append(_silence(seconds))
    return write_mp4(tracks)


def _numbers(footage: Footage, span: Span, seconds: int) -> tuple[Chunk, ...]:
    """Return chunks of half a second: half of them with the one's number, half with the other's."""
    begins, ends = ((footage.pictures[number_of(p)], *footage.repeats) for p in span)
    return (begins,) * seconds + (ends,) * seconds


def _silence(seconds: int) -> Track:
    silence = prepared().silence
    frames = -(-seconds * AUDIO_RATE // AUDIO_FRAME)  # rounded up
    whole, rest = divmod(frames, _SOUND_CHUNK)
    chunks: list[Chunk] = [(silence.frame,) * _SOUND_CHUNK] * whole
    if rest:
        chunks.append((silence.frame,) * rest)
    return aac_track(chunks, AUDIO_RATE, seconds, AUDIO_FRAME, silence.configuration)
