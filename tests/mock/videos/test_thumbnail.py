from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from vimmerse_mock.videos.thumbnail import MOST_BYTES, thumbnail

TEN_BIT_HEIF = (Path(__file__).parent / "samples" / "ten_bit.heic").read_bytes()
RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)
ORIENTATION = 0x0112


def halves() -> Image.Image:
    """A picture whose left half is red, and whose right half is blue."""
    image = Image.new("RGB", (200, 100), RED)
    image.paste(BLUE, (100, 0, 200, 100))
    return image


def written(image: Image.Image, kind: str, **options: object) -> bytes:
    """An image as a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def sixteen_bits() -> bytes:
    """A grey picture of 16 bits: black to the left, white to the right."""
    image = Image.new("I;16", (200, 100), 0)
    image.paste(65535, (100, 0, 200, 100))
    return written(image, "PNG")


def transparent() -> bytes:
    """A picture whose left half is red, and whose right half nobody sees."""
    image = halves().convert("RGBA")
    image.putalpha(Image.new("L", (100, 100), 255).crop((0, 0, 200, 100)))
    return written(image, "PNG")


def animated() -> bytes:
    """Two pictures, of which the second is the first turned around."""
    return written(halves(), "GIF", save_all=True, append_images=[halves().rotate(180)])


def turned() -> bytes:
    """A picture that lies on its side, and says so as cameras do."""
    exif = Image.Exif()
    exif[ORIENTATION] = 8  # to be turned a quarter to the left
    return written(halves().transpose(Image.Transpose.ROTATE_270), "JPEG", exif=exif)


@pytest.mark.parametrize(
    ("make", "left", "right"),
    [
        pytest.param(lambda: written(halves(), "JPEG"), RED, BLUE, id="jpeg"),
        pytest.param(lambda: written(halves(), "WEBP", lossless=True), RED, BLUE, id="webp"),
        pytest.param(lambda: written(halves(), "AVIF"), RED, BLUE, id="avif"),
        pytest.param(lambda: written(halves().convert("CMYK"), "TIFF"), RED, BLUE, id="cmyk"),
        pytest.param(lambda: written(halves().convert("P"), "PNG"), RED, BLUE, id="palette"),
        pytest.param(sixteen_bits, (0, 0, 0), WHITE, id="16-bit"),
        pytest.param(transparent, RED, WHITE, id="alpha"),
        pytest.param(animated, RED, BLUE, id="animated"),
        pytest.param(turned, RED, BLUE, id="turned"),
        pytest.param(lambda: TEN_BIT_HEIF, RED, BLUE, id="10-bit-heif"),
    ],
)
def test_every_kind_of_image_becomes_a_small_picture(
    make: Callable[[], bytes], left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    """Whatever its format, mode and orientation, its picture shows what a viewer would show."""
    picture = thumbnail(make())
    assert picture is not None
    with Image.open(BytesIO(picture)) as image:
        middle = image.height // 2
        shown = [image.getpixel((x, middle)) for x in (image.width // 8, image.width * 7 // 8)]
    for seen, wanted in zip(shown, (left, right), strict=True):
        assert isinstance(seen, tuple)
        assert max(abs(a - b) for a, b in zip(seen, wanted, strict=True)) < 24


def test_a_picture_is_small_whatever_it_shows() -> None:
    """Even noise, which no encoder can compress, has at most 20 KB."""
    noise = Image.effect_noise((3000, 2000), 255).convert("1").convert("RGB")
    picture = thumbnail(written(noise, "PNG"))
    assert picture is not None
    assert len(picture) <= MOST_BYTES


@pytest.mark.parametrize(
    "upload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(written(halves(), "PNG")[:60], id="cut off"),
        pytest.param(b"\xff\xd8\xff" + bytes(100), id="no jpeg"),
        pytest.param(TEN_BIT_HEIF[:200], id="half a heif"),
        pytest.param(written(Image.new("1", (20_000, 4_000)), "PNG"), id="huge"),
    ],
)
def test_what_cannot_be_read_has_no_picture(upload: bytes) -> None:
    """A broken image, or one that would take too much memory, is no error."""
    assert thumbnail(upload) is None
