"""What a decoder sees in a video."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from itertools import groupby

import av

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Decoded:
    """A video as a decoder sees it: each frame's corner, and how much sound of which bytes."""

    seconds: float
    rate: int
    size: tuple[int, int]
    colours: tuple[Colour, ...]
    samples: int
    heard: frozenset[int]
    codecs: tuple[str, ...]

    @property
    def clips(self) -> list[tuple[Colour, float]]:
        """The colours in their order, and for how many seconds each is to be seen."""
        runs = [(colour, len(list(run))) for colour, run in groupby(self.colours)]
        return [(colour, frames / self.rate) for colour, frames in runs]


def decode(video: bytes, *, only_keys: bool = False) -> Decoded:
    """Decode every frame of a file, or its key frames only."""
    with av.open(BytesIO(video), mode="r") as container:
        assert container.duration is not None
        pictures = container.streams.video[0]
        if only_keys:
            pictures.codec_context.skip_frame = "NONKEY"
        colours, samples, heard = [], 0, set[int]()
        kinds = [stream.type for stream in container.streams]
        for frame in container.decode(**dict.fromkeys(kinds, 0)):
            if isinstance(frame, av.VideoFrame):
                colours.append(corner(frame))
            elif isinstance(frame, av.AudioFrame):
                samples += frame.samples
                heard.update(*map(bytes, frame.planes))
        return Decoded(
            rate=round(pictures.average_rate or 0),
            seconds=container.duration / av.time_base,
            size=(pictures.width, pictures.height),
            colours=tuple(colours),
            samples=samples,
            heard=frozenset(heard),
            codecs=tuple(stream.codec_context.name for stream in container.streams),
        )


def corner(frame: av.VideoFrame) -> Colour:
    """The colour of a frame's first pixel."""
    luma, blue, red = (bytes(plane)[0] for plane in frame.planes)
    return luma, blue, red
