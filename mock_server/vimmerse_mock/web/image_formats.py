"""What is an image: decided by the structure of a header, not by its first two letters."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

HEAD_BYTES: Final = 512
"""How much of a file is looked at."""

_UNMISTAKABLE: Final = (
    ("png", 0, b"\x89PNG\r\n\x1a\n"),
    ("jp2", 0, b"\0\0\0\x0cjP  \r\n\x87\n"),
    ("jxl", 0, b"\0\0\0\x0cJXL \r\n\x87\n"),
    ("jxl", 0, b"\xff\x0a"),
    ("jxr", 0, b"II\xbc\x01"),
    ("psd", 0, b"8BPS\0\x01\0\0\0\0\0\0"),
    ("psd", 0, b"8BPS\0\x02\0\0\0\0\0\0"),
    ("dds", 0, b"DDS \x7c\0\0\0"),
    ("dcm", 128, b"DICM"),
)
_LIKE_WORDS: Final = (
    ("gif", re.compile(rb"GIF8[79]a")),
    ("webp", re.compile(rb"RIFF.{4}WEBPVP8[ LX]", re.DOTALL)),
    ("xcf", re.compile(rb"gimp xcf ")),
    ("qoi", re.compile(rb"qoif")),
)
"""Signatures that a text may begin with, too."""
_NEVER_IN_TEXT: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_JPEG: Final = re.compile(rb"\xff\xd8\xff+[\xc0-\xfe]")

_BRANDS: Final = {
    **dict.fromkeys((b"avif", b"avis"), "avif"),
    **dict.fromkeys(
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "heic"
    ),
    **dict.fromkeys((b"mif1", b"mif2", b"mif3", b"msf1"), "heif"),
}
"""Image formats by the brands of ISO/IEC 23008-12; the general ones, which say least, are last."""

_BMP_HEADERS: Final = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
"""Sizes of the header behind the file's own, of every version that there is."""
_BMP_OLD_HEADER: Final = 12
_ICON_ENTRIES: Final = 6
_ICON_ENTRY: Final = 16


def image_format(content: bytes) -> str | None:
    """Return the format of an image, as its beginning has it; None if it is no image."""
    return next(_formats(content[:HEAD_BYTES]), None)


def _formats(head: bytes) -> Iterator[str]:
    yield from (kind for kind, at, signature in _UNMISTAKABLE if head.startswith(signature, at))
    for kind, signature in _LIKE_WORDS:
        found = signature.match(head)
        if found and (found.end() == len(head) or _NEVER_IN_TEXT.search(head, found.end())):
            yield kind
    if _JPEG.match(head):
        yield "jpg"
    yield from _brands(head)
    if _is_bmp(head):
        yield "bmp"
    if _is_tiff(head):
        yield "tif"
    if _is_icon(head):
        yield "ico"


def _brands(head: bytes) -> Iterator[str]:
    """Yield the formats that a file type box names, the most special first."""
    if head[4:8] != b"ftyp":
        return
    box = head[: int.from_bytes(head[:4])]
    named = {box[8:12], *(box[at : at + 4] for at in range(16, len(box), 4))}
    yield from (kind for brand, kind in _BRANDS.items() if brand in named)


def _is_bmp(head: bytes) -> bool:
    if not head.startswith(b"BM") or len(head) < 2 + 16 + 12:
        return False
    _size, _reserved, pixels_at, header = struct.unpack_from("<4I", head, 2)
    (planes,) = struct.unpack_from("<H", head, 22 if header == _BMP_OLD_HEADER else 26)
    return header in _BMP_HEADERS and pixels_at >= 14 + header and planes == 1


def _is_tiff(head: bytes) -> bool:
    """Whether there is a byte order, a version, and a first directory behind the header."""
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 16:
        return False
    version, short = struct.unpack_from(f"{order}HI", head, 2)
    if version == 42:
        return bool(short >= 8)
    size, zero, long = struct.unpack_from(f"{order}HHQ", head, 4)
    return bool(version == 43 and size == 8 and zero == 0 and long >= 16)


def _is_icon(head: bytes) -> bool:
    if len(head) < _ICON_ENTRIES + _ICON_ENTRY:
        return False
    reserved, kind, count = struct.unpack_from("<3H", head)
    zero, planes, _bits, size, at = struct.unpack_from("<BHHII", head, _ICON_ENTRIES + 3)
    behind = _ICON_ENTRIES + _ICON_ENTRY * count
    return bool(
        (reserved, kind, zero) == (0, 1, 0) and count and planes <= 1 and size and at >= behind
    )
