"""H.264 by PyAV: for the extra [video] at run time, for `scripts/prepare_frames.py` once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final

import av
from av.video.codeccontext import VideoCodecContext

_COLOURS: Final = "colorprim=bt709:transfer=bt709:colormatrix=bt709:range=tv"
_NON_IDR, _IDR, _SPS, _PPS = 1, 5, 7, 8


def encode(
    frames: Iterable[av.VideoFrame],
    size: tuple[int, int],
    rate: int,
    step: int,
    options: Mapping[str, str],
) -> tuple[bytes, list[bytes]]:
    """Encode frames, every `step`th a key frame; return the decoder's configuration and samples.

    The configuration is an AVCDecoderConfigurationRecord (ISO 14496-15), a sample an access unit
    whose NAL units are prefixed by their lengths. Each is decoded in the order in which it is seen.
    """
    encoder = VideoCodecContext.create("libx264", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.profile = "yuv420p", "Main"
    encoder.time_base, encoder.framerate = Fraction(1, rate), Fraction(rate)
    groups = f"keyint={step}:min-keyint={step}:scenecut=0:bframes=0:ref=1:weightp=0:threads=1"
    extra = options.get("x264-params", "")
    encoder.options = {**options, "x264-params": f"{groups}:{_COLOURS}:{extra}"}
    samples = [_units(packet) for packet in _packets(encoder, frames)]
    sps, pps = (next(u for u in samples[0] if u[0] & 31 == kind) for kind in (_SPS, _PPS))
    return _configuration(sps, pps), [
        b"".join(len(u).to_bytes(4, "big") + u for u in units if u[0] & 31 in (_NON_IDR, _IDR))
        for units in samples
    ]


def _packets(encoder: VideoCodecContext, frames: Iterable[av.VideoFrame]) -> Iterator[bytes]:
    for number, frame in enumerate(frames):
        frame.pts = number
        yield from map(bytes, encoder.encode(frame))
    yield from map(bytes, encoder.encode(None))


def _units(stream: bytes) -> Sequence[bytes]:
    """Split an Annex B stream into its NAL units."""
    parts = stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    return [part for part in parts if part]


def _configuration(sps: bytes, pps: bytes) -> bytes:
    """Write the record, with one parameter set each, and lengths of four bytes."""
    sets = b"\xe1" + len(sps).to_bytes(2, "big") + sps + b"\x01" + len(pps).to_bytes(2, "big") + pps
    return bytes([1, *sps[1:4], 0xFC | 3]) + sets


def paint(size: tuple[int, int], planes: Sequence[bytes]) -> av.VideoFrame:
    """Make a frame of its three planes, each without padding between its rows."""
    frame = av.VideoFrame(*size, "yuv420p")
    for plane, data in zip(frame.planes, planes, strict=True):
        padding = bytes(plane.line_size - plane.width)
        rows = range(0, len(data), plane.width)
        plane.update(b"".join(data[at : at + plane.width] + padding for at in rows))
    return frame
