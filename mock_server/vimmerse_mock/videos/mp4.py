"""An MP4 writer (ISO 14496-12, -14 and -15) for samples that are encoded already, and repeat.

A chunk that is played a hundred times is stored once: the sample table points at it again. The
index (moov) comes before the samples (mdat), so that a player begins while it still downloads.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Final

Chunk = tuple[bytes, ...]
"""Samples that lie together. One of video begins with a key frame, and has no other."""

_MILLISECONDS: Final = 1000
_MATRIX: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDETERMINED: Final = 0x55C4
"""The language "und", five bits a letter."""
_VIDEO: Final = b"vide"
_SOUND: Final = b"soun"


@dataclass(frozen=True, slots=True)
class Track:
    """Chunks, played one after another, a sample for `ticks` of which a second has `rate`.

    The last sample is cut where `seconds` end. `entry` tells a decoder what the samples are.
    """

    handler: bytes
    entry: bytes
    chunks: Sequence[Chunk]
    rate: int
    ticks: int
    seconds: int
    width: int = 0
    height: int = 0


def h264_track(
    chunks: Sequence[Chunk], rate: int, seconds: int, width: int, height: int, configuration: bytes
) -> Track:
    """Return a video track of `rate` frames a second, by an AVCDecoderConfigurationRecord."""
    entry = _box(
        b"avc1",
        struct.pack(">6xH16xHH", 1, width, height),
        struct.pack(">IIIH32xHh", 72 << 16, 72 << 16, 0, 1, 24, -1),  # 72 dpi, 24 bits, no palette
        _box(b"avcC", configuration),
        _box(b"pasp", struct.pack(">II", 1, 1)),
    )
    return Track(_VIDEO, entry, chunks, rate, 1, seconds, width, height)


def aac_track(
    chunks: Sequence[Chunk], rate: int, seconds: int, samples: int, configuration: bytes
) -> Track:
    """Return a stereo track, by an AudioSpecificConfig; a frame has `samples` at `rate`."""
    decoder = _descriptor(
        4, struct.pack(">BBxHII", 0x40, 0x15, 0, 0, 0), _descriptor(5, configuration)
    )
    stream = _descriptor(3, struct.pack(">Hx", 0), decoder, _descriptor(6, b"\2"))
    entry = _box(
        b"mp4a",
        struct.pack(">6xH8xHH4xI", 1, 2, 16, rate << 16),
        _box(b"esds", bytes(4), stream),
    )
    return Track(_SOUND, entry, chunks, rate, samples, seconds)


def write_mp4(tracks: Sequence[Track]) -> bytes:
    """Write a file of tracks; what lasts longest decides how long it is."""
    stored = list(dict.fromkeys(chunk for track in tracks for chunk in track.chunks))
    data = [b"".join(chunk) for chunk in stored]
    head = _box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2avc1mp41")
    begins = dict(zip(stored, accumulate(map(len, data), initial=0), strict=False))
    first = len(head) + len(_moov(tracks, begins, 0)) + 8
    return head + _moov(tracks, begins, first) + _box(b"mdat", *data)


def _moov(tracks: Sequence[Track], begins: Mapping[Chunk, int], first: int) -> bytes:
    """Write the index; the chunks lie where they begin, counted from `first`."""
    seconds = max(track.seconds for track in tracks)
    mvhd = _full_box(
        b"mvhd",
        struct.pack(">8xIIIH10x", _MILLISECONDS, seconds * _MILLISECONDS, 0x10000, 0x100),
        _MATRIX,
        struct.pack(">24xI", len(tracks) + 1),
    )
    traks = [_trak(number, track, begins, first) for number, track in enumerate(tracks, start=1)]
    return _box(b"moov", mvhd, *traks)


def _trak(number: int, track: Track, begins: Mapping[Chunk, int], first: int) -> bytes:
    is_sound = track.handler == _SOUND
    tkhd = _full_box(
        b"tkhd",
        struct.pack(">8xI4xI", number, track.seconds * _MILLISECONDS),
        struct.pack(">8xHHHH", 0, number - 1, 0x100 if is_sound else 0, 0),
        _MATRIX,
        struct.pack(">II", track.width << 16, track.height << 16),
        flags=3,  # enabled, in the presentation
    )
    length = struct.pack(">8xIIHH", track.rate, track.seconds * track.rate, _UNDETERMINED, 0)
    hdlr = _full_box(b"hdlr", bytes(4), track.handler, bytes(12), b"\0")
    header = _full_box(b"smhd", bytes(4)) if is_sound else _full_box(b"vmhd", bytes(8), flags=1)
    here = _full_box(b"url ", flags=1)  # the samples are in this file
    dinf = _box(b"dinf", _full_box(b"dref", struct.pack(">I", 1), here))
    minf = _box(b"minf", header, dinf, _stbl(track, begins, first))
    return _box(b"trak", tkhd, _box(b"mdia", _full_box(b"mdhd", length), hdlr, minf))


def _stbl(track: Track, begins: Mapping[Chunk, int], first: int) -> bytes:
    """Write the sample table: what the samples are, how long each lasts, and where it lies."""
    chunks, lengths = track.chunks, [len(chunk) for chunk in track.chunks]
    count = sum(lengths)
    cut = track.seconds * track.rate - (count - 1) * track.ticks
    boxes = [
        _full_box(b"stsd", struct.pack(">I", 1), track.entry),
        _full_box(b"stts", struct.pack(">5I", 2, count - 1, track.ticks, 1, cut)),
        _full_box(b"stsc", _table(3, _runs(lengths))),
        _full_box(b"stsz", *_sizes(chunks, count)),
        _full_box(b"stco", _table(1, [first + begins[chunk] for chunk in chunks])),
    ]
    if track.handler == _VIDEO:
        keys = accumulate(lengths[:-1], initial=1)
        boxes.append(_full_box(b"stss", _table(1, list(keys))))
    return _box(b"stbl", *boxes)


def _runs(lengths: Sequence[int]) -> list[int]:
    """Return first chunk, samples in each, and 1 for every run of chunks of one length."""
    runs, first = [], 1
    for length, run in groupby(lengths):
        runs += [first, length, 1]
        first += len(list(run))
    return runs


def _sizes(chunks: Sequence[Chunk], count: int) -> list[bytes]:
    """Return one size for all samples, or else 0 and each one's own."""
    sizes = {chunk: [len(sample) for sample in chunk] for chunk in set(chunks)}
    distinct = {size for chunk in sizes.values() for size in chunk}
    if len(distinct) == 1:
        return [struct.pack(">II", *distinct, count)]
    packed = {chunk: struct.pack(f">{len(each)}I", *each) for chunk, each in sizes.items()}
    return [struct.pack(">II", 0, count), *(packed[chunk] for chunk in chunks)]


def _table(columns: int, numbers: Sequence[int]) -> bytes:
    return struct.pack(f">I{len(numbers)}I", len(numbers) // columns, *numbers)


def _box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", len(body) + 8) + kind + body


def _full_box(kind: bytes, *content: bytes, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", flags), *content)


def _descriptor(tag: int, *content: bytes) -> bytes:
    body = b"".join(content)
    return bytes([tag, len(body)]) + body
