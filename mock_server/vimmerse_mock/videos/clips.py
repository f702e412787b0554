"""Clips of pictures: a slow zoom, or a passage from one to the next (the extra [video])."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Final

import av
import msgspec
from PIL import Image

from vimmerse_mock.videos.encoder import encode, paint
from vimmerse_mock.videos.mp4 import Chunk
from vimmerse_mock.videos.prepared import Footage

FRAME_RATE: Final = 12
STEP: Final = 6
_ZOOM: Final = 0.15
"""How much of its size a picture has gained when its clip ends."""
_ENCODER: Final = {"preset": "superfast", "crf": "30"}
_BAND: Final = Image.Resampling.BILINEAR


class Clip(msgspec.Struct, frozen=True):
    """Encoded video of half a second a chunk; `configuration` is its decoder's."""

    configuration: bytes
    chunks: tuple[Chunk, ...]
    rate: int = FRAME_RATE

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return sum(len(sample) for chunk in self.chunks for sample in chunk)


class Picture:
    """A picture that fills a frame, of which each plane can be had at any zoom."""

    def __init__(self, frame: av.VideoFrame, size: tuple[int, int]) -> None:
        planes = frame.reformat(format="yuv444p", dst_colorspace="ITU709").planes
        self._planes = [
            Image.frombuffer("L", (p.width, p.height), bytes(p), "raw", "L", p.line_size, 1)
            for p in planes
        ]
        self._size = size

    def planes(self, zoom: float) -> list[Image.Image]:
        """Return what is in the middle, as large as a frame's planes are."""
        (width, height), (source_width, source_height) = self._size, self._planes[0].size
        scale = min(source_width / width, source_height / height) / zoom
        left, top = (source_width - width * scale) / 2, (source_height - height * scale) / 2
        box = left, top, left + width * scale, top + height * scale
        half = width // 2, height // 2
        return [
            plane.resize(to, _BAND, box)
            for plane, to in zip(self._planes, (self._size, half, half), strict=True)
        ]


def read_picture(jpeg: bytes, size: tuple[int, int]) -> Picture:
    """Read a picture that is to fill a frame."""
    with Image.open(BytesIO(jpeg)) as image:
        frame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call] # PyAV's
        return Picture(frame, size)


def read_number(footage: Footage, number: int) -> Picture:
    """Decode the prepared picture of a number."""
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = footage.configuration
    (frame,) = [*decoder.decode(av.Packet(footage.pictures[number])), *decoder.decode(None)]
    return Picture(frame, (footage.width, footage.height))


def encode_clip(begins: Picture, ends: Picture, size: tuple[int, int], seconds: int) -> Clip:
    """Encode a clip that begins with one picture and ends with another, or with the same."""
    configuration, samples = encode(
        _frames(begins, ends, size, seconds * FRAME_RATE), size, FRAME_RATE, STEP, _ENCODER
    )
    chunks = tuple(tuple(samples[at : at + STEP]) for at in range(0, len(samples), STEP))
    return Clip(configuration, chunks)


def _frames(
    begins: Picture, ends: Picture, size: tuple[int, int], count: int
) -> Iterator[av.VideoFrame]:
    for number in range(count):
        passed = number / count
        planes = begins.planes(1 + _ZOOM * passed)
        if ends is not begins:
            later = ends.planes(1 + _ZOOM * passed)
            planes = [Image.blend(*pair, passed) for pair in zip(planes, later, strict=True)]
        yield paint(size, [plane.tobytes() for plane in planes])
