"""Encode the prepared frames of `vimmerse_mock/videos/`; needs PyAV, and is run by hand.

The mock has no encoder at run time: it repeats what is made here. Run it again after a change to
the sizes, colours or numbers: `.venv/bin/python scripts/prepare_frames.py`.
"""

from __future__ import annotations

import colorsys
from typing import Final

import av
import msgspec

from vimmerse_mock.videos.encoder import encode, paint
from vimmerse_mock.videos.prepared import (
    AUDIO_RATE,
    FRAME_RATE,
    PATH,
    PICTURES,
    SIZES,
    STEP,
    Footage,
    Prepared,
    Silence,
)

FONT: Final = {
    "0": "###/#.#/#.#/#.#/###",
    "1": ".#./##./.#./.#./###",
    "2": "###/..#/###/#../###",
    "3": "###/..#/.##/..#/###",
    "4": "#.#/#.#/###/..#/..#",
    "5": "###/#../###/..#/###",
    "6": "###/#../###/#.#/###",
    "7": "###/..#/..#/.#./.#.",
    "8": "###/#.#/###/#.#/###",
    "9": "###/#.#/###/..#/###",
}
MACROBLOCK: Final = 16
DOT: Final = 5
"""How many macroblocks wide a dot of a digit is; edges between macroblocks cost no bytes."""
ENCODER: Final = {
    "preset": "veryslow",
    "tune": "stillimage",
    "crf": "24",
    "x264-params": "aq-mode=0:mbtree=0",
}


def main() -> None:
    """Encode everything and write it where the package reads it."""
    footage = {ratio: encode_footage(*size) for ratio, size in SIZES.items()}
    data = msgspec.msgpack.encode(Prepared(footage, encode_silence()))
    PATH.write_bytes(data)
    print(f"{PATH.name}: {len(data):,} bytes")  # noqa: T201 - a script says what it did


def encode_footage(width: int, height: int) -> Footage:
    """Encode a key frame for each number, and the frames that repeat whichever came before."""
    size = width, height
    configuration, (first, *repeats) = encode_number(1, size, frames=STEP)
    pictures = [encode_number(number, size)[1][0] for number in range(PICTURES)]
    if pictures[1] != first:
        raise SystemExit("the encoder makes another key frame of the same picture")
    return Footage(width, height, configuration, tuple(pictures), tuple(repeats))


def encode_number(
    number: int, size: tuple[int, int], *, frames: int = 1
) -> tuple[bytes, list[bytes]]:
    """Encode a number, shown by so many frames."""
    return encode([draw(number, size) for _ in range(frames)], size, FRAME_RATE, STEP, ENCODER)


def draw(number: int, size: tuple[int, int]) -> av.VideoFrame:
    """Draw a number in white, in the middle of its colour."""
    columns, rows = (side // MACROBLOCK for side in size)
    dots = set(dots_of(number, columns, rows))
    background, white = yuv(*colour(number)), yuv(1, 1, 1)
    planes = []
    for plane, side in enumerate((MACROBLOCK, MACROBLOCK // 2, MACROBLOCK // 2)):
        lines = [
            b"".join(
                bytes([(white if (x, y) in dots else background)[plane]]) * side
                for x in range(columns)
            )
            for y in range(rows)
        ]
        planes.append(b"".join(line * side for line in lines))
    return paint(size, planes)


def dots_of(number: int, columns: int, rows: int) -> list[tuple[int, int]]:
    """Return the macroblocks that a number covers."""
    digits = [FONT[digit].split("/") for digit in str(number)]
    lines = [".".join(rows) for rows in zip(*digits, strict=True)]
    left = (columns - len(lines[0]) * DOT) // 2
    top = (rows - len(lines) * DOT) // 2
    return [
        (left + x * DOT + dx, top + y * DOT + dy)
        for y, line in enumerate(lines)
        for x, dot in enumerate(line)
        if dot == "#"
        for dx in range(DOT)
        for dy in range(DOT)
    ]


def colour(number: int) -> tuple[float, float, float]:
    """Return a number's colour: four are a quarter turn apart, and the next four turn further."""
    turns, quarter = divmod(number, 4)
    hue = (turns * 0.618034 + quarter / 4) % 1
    return colorsys.hls_to_rgb(hue, (0.25, 0.5, 0.35, 0.6)[quarter], 0.75)


def yuv(red: float, green: float, blue: float) -> tuple[int, int, int]:
    """Convert a colour to BT.709 in video range."""
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    cb, cr = (blue - luma) / 1.8556, (red - luma) / 1.5748
    return round(16 + 219 * luma), round(128 + 224 * cb), round(128 + 224 * cr)


def encode_silence() -> Silence:
    """Encode a frame of stereo silence, as every frame after the first is."""
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = AUDIO_RATE, "stereo", "fltp"
    encoder.open()
    packets = []
    for i in range(8):
        frame = av.AudioFrame("fltp", "stereo", encoder.frame_size)
        frame.sample_rate, frame.pts = AUDIO_RATE, i * encoder.frame_size
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        packets += encoder.encode(frame)
    samples = [bytes(packet) for packet in packets]
    if samples[-1] != samples[-2] or encoder.extradata is None:
        raise SystemExit("the encoder does not repeat itself on silence")
    return Silence(encoder.extradata, samples[-1])


if __name__ == "__main__":
    main()
