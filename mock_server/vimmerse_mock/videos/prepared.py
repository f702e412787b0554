"""What `scripts/prepare_frames.py` encoded once, so that nothing has to be at run time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

PATH: Final = Path(__file__).with_name("prepared.msgpack")
SIZES: Final = {
    "16:9": (1280, 720),
    "4:3": (960, 720),
    "1:1": (720, 720),
    "3:4": (720, 960),
    "9:16": (720, 1280),
}
"""Width and height for each aspect ratio (A); of a batch that asked for none, the first."""
FRAME_RATE: Final = 24
STEP: Final = 12
"""How many frames a key frame and its repeats are: half a second."""
PICTURES: Final = 100
"""How many numbers were drawn: from 100 on, a media shows the last two digits of its own."""

AUDIO_RATE: Final = 48_000
AUDIO_FRAME: Final = 1024
"""How many samples an AAC frame has."""


@dataclass(frozen=True, slots=True)
class Footage:
    """Encoded video of one size: H.264 access units, their NAL units prefixed by lengths.

    `pictures[i]` is a key frame that shows the number i; `repeats` are frames that may follow any
    of them, and show the same. `configuration` is an AVCDecoderConfigurationRecord.
    """

    width: int
    height: int
    configuration: bytes
    pictures: tuple[bytes, ...]
    repeats: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Silence:
    """One AAC frame of stereo silence, which may be repeated; its AudioSpecificConfig."""

    configuration: bytes
    frame: bytes


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that was prepared; `footage` by aspect ratio."""

    footage: dict[str, Footage]
    silence: Silence


@cache
def prepared() -> Prepared:
    """Return what was prepared, read once."""
    import msgspec  # noqa: PLC0415 - only who wants a video pays for it

    return msgspec.msgpack.decode(PATH.read_bytes(), type=Prepared)


def number_of(place: int) -> int:
    """Return the number that stands for a media: its place in the batch, counted from 1."""
    return (place + 1) % PICTURES
