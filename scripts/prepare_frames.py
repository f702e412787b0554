"""Encode the prepared frames of `vimmerse_mock/videos/`; needs PyAV, and is run by hand.

The mock has no encoder at run time: it repeats what is made here. Run it again after a change to
the sizes, colours or numbers: `.venv/bin/python scripts/prepare_frames.py`.
"""

from __future__ import annotations

import colorsys
from fractions import Fraction
from typing import Final

import av
import msgspec

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
    "x264-params": f"keyint={STEP}:min-keyint={STEP}:bframes=0:ref=1:weightp=0:scenecut=0:threads=1"
    ":aq-mode=0:mbtree=0:colorprim=bt709:transfer=bt709:colormatrix=bt709:range=tv",
}
NON_IDR, IDR, PARAMETER_SETS = 1, 5, (7, 8)


def main() -> None:
    """Encode everything and write it where the package reads it."""
    footage = {ratio: encode_footage(*size) for ratio, size in SIZES.items()}
    data = msgspec.msgpack.encode(Prepared(footage, encode_silence()))
    PATH.write_bytes(data)
    print(f"{PATH.name}: {len(data):,} bytes")  # noqa: T201 - a script says what it did


def encode_footage(width: int, height: int) -> Footage:
    """Encode a key frame for each number, and the frames that repeat whichever came before."""
    configuration, samples = encode(width, height, 1, frames=STEP)
    pictures = [encode(width, height, number, frames=1)[1][0] for number in range(PICTURES)]
    if pictures[1] != samples[0]:
        raise SystemExit("the encoder makes another key frame of the same picture")
    return Footage(width, height, configuration, tuple(pictures), tuple(samples[1:]))


def encode(width: int, height: int, number: int, *, frames: int) -> tuple[bytes, list[bytes]]:
    """Encode a still picture of a number; return the decoder's configuration and the samples."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, FRAME_RATE), Fraction(FRAME_RATE)
    encoder.profile = "Main"
    encoder.options = ENCODER
    packets = []
    for i in range(frames):
        frame = draw(width, height, number)
        frame.pts = i
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    units = [split(bytes(packet)) for packet in packets]
    sps, pps = (next(u for u in units[0] if u[0] & 31 == kind) for kind in PARAMETER_SETS)
    return configuration(sps, pps), [
        b"".join(len(u).to_bytes(4, "big") + u for u in each if u[0] & 31 in (NON_IDR, IDR))
        for each in units
    ]


def split(stream: bytes) -> list[bytes]:
    """Split an Annex B stream into its NAL units."""
    parts = stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    return [part for part in parts if part]


def configuration(sps: bytes, pps: bytes) -> bytes:
    """Write an AVCDecoderConfigurationRecord of one set each (ISO 14496-15)."""
    head = bytes([1, *sps[1:4], 0xFC | 3])
    return (
        head
        + b"\xe1" + len(sps).to_bytes(2, "big") + sps
        + b"\x01" + len(pps).to_bytes(2, "big") + pps
    )  # fmt: skip


def draw(width: int, height: int, number: int) -> av.VideoFrame:
    """Draw a number in white, in the middle of its colour."""
    frame = av.VideoFrame(width, height, "yuv420p")
    dots = set(dots_of(number, width // MACROBLOCK, height // MACROBLOCK))
    background, white = yuv(*colour(number)), yuv(1, 1, 1)
    for plane, side in zip(range(3), (MACROBLOCK, MACROBLOCK // 2, MACROBLOCK // 2), strict=True):
        stride = frame.planes[plane].line_size
        rows = []
        for y in range(height // MACROBLOCK):
            line = b"".join(
                bytes([(white if (x, y) in dots else background)[plane]]) * side
                for x in range(width // MACROBLOCK)
            )
            rows.append(line.ljust(stride, b"\0") * side)
        frame.planes[plane].update(b"".join(rows))
    return frame


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
