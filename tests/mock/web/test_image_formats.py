from __future__ import annotations

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_mock.web.image_formats import image_format

TEXT = st.text(
    st.characters(codec="utf-8", min_codepoint=32, exclude_characters="\x7f"), min_size=1
)


def written(encoder: str) -> bytes:
    """A real picture, as Pillow writes it."""
    from PIL import Image

    file = BytesIO()
    Image.new("RGB", (40, 30), "orange").save(file, encoder)
    return file.getvalue()


def brands(major: bytes, *compatible: bytes) -> bytes:
    """The file type box that a file of these brands begins with, and what is behind it."""
    body = major + b"\0\0\0\0" + b"".join(compatible)
    return struct.pack(">I", 8 + len(body)) + b"ftyp" + body + b"\0\0\0\x08free" + b"\0" * 64


@pytest.mark.parametrize(
    ("encoder", "kind"),
    [
        ("PNG", "png"),
        ("JPEG", "jpg"),
        ("GIF", "gif"),
        ("WEBP", "webp"),
        ("BMP", "bmp"),
        ("TIFF", "tif"),
        ("ICO", "ico"),
        ("JPEG2000", "jp2"),
        ("AVIF", "avif"),
        ("DDS", "dds"),
    ],
)
def test_what_an_encoder_wrote_is_an_image(encoder: str, kind: str) -> None:
    """Real pictures of every usual format are images, and of the format that they are."""
    assert image_format(written(encoder)) == kind


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (brands(b"heic", b"mif1", b"heic"), "heic"),
        (brands(b"heix", b"mif1"), "heic"),
        (brands(b"mif1", b"mif1", b"heix"), "heic"),
        (brands(b"hevc", b"msf1", b"hevc"), "heic"),
        (brands(b"msf1", b"msf1", b"hevx"), "heic"),
        (brands(b"avis", b"msf1", b"miaf", b"avis"), "avif"),
        (brands(b"mif1", b"avif", b"mif1"), "avif"),
        (brands(b"mif1", b"mif1", b"miaf"), "heif"),
        (b"BM" + struct.pack("<IIIIHHHHI", 30, 0, 26, 12, 1, 1, 1, 24, 0), "bmp"),
        (b"MM\0*\0\0\0\x08" + b"\0" * 8, "tif"),
        (b"II+\0\x08\0\0\0" + struct.pack("<Q", 16), "tif"),
        (b"\xff\xd8\xff\xee\0\x0eAdobe", "jpg"),
    ],
)
def test_pictures_of_cameras_are_images(content: bytes, kind: str) -> None:
    """10-bit and burst HEIF, moving AVIF, bitmaps of OS/2, TIFFs of both byte orders are images."""
    assert image_format(content) == kind


@given(
    st.sampled_from([b"BM", b"GIF89a", b"RIFFsizeWEBPVP8 ", b"II*", b"MM", b"8BPS", b"qoif"]),
    TEXT,
)
def test_no_text_is_an_image(beginning: bytes, text: str) -> None:
    """Whatever a text begins with, it is a text."""
    assert image_format(beginning + text.encode()) is None


@pytest.mark.parametrize(
    "content",
    [
        b"BM;Datum;Betrag\n1;2025-04-02;3\n",
        b"AC1027\0\0\0\0\0\0\0 a drawing of AutoCAD",
        b"BM" + b"\0" * 100,
        b"II*\0" + b"\0" * 100,
        b"\0\0\1\0" + b"\0" * 100,
        brands(b"isom", b"iso2", b"avc1", b"mp41"),
        brands(b"qt  ", b"qt  "),
        b"\0\0\0\x08ftyp",
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"%PDF-1.7\n",
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"",
    ],
)
def test_what_only_resembles_an_image_is_none(content: bytes) -> None:
    """Tables, drawings of AutoCAD, films, sounds, documents and empty headers are no images."""
    assert image_format(content) is None
