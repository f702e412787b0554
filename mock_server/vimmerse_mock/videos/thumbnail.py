"""The small picture that is kept of an upload, by Pillow (the extra [video])."""

from __future__ import annotations

from io import BytesIO
from typing import Final

from PIL import Image, ImageOps

MOST_BYTES: Final = 20_000
_SIDES: Final = (640, 320, 160)
_QUALITIES: Final = (80, 50, 20)
_HEIF: Final = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1")
"""How such a file begins, from its fifth byte on; AVIF may begin so as well."""
_MOST_PIXELS: Final = 50_000_000
"""A larger picture would take too much memory, and is not read."""


def thumbnail(upload: bytes) -> bytes | None:
    """Return a JPEG of at most `MOST_BYTES` of an image, the right way up; None if it can't be had.

    Of an animation it is the first picture; what is transparent is shown on white.
    """
    try:
        if upload.startswith(_HEIF, 4):
            return _small_jpeg(_heif(upload))
        with Image.open(BytesIO(upload)) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            image.draft("RGB", (_SIDES[0], _SIDES[0]))
            return _small_jpeg(_opaque(ImageOps.exif_transpose(image)))
    except Exception:  # noqa: BLE001 - a broken image makes a decoder raise anything
        return None


def _heif(upload: bytes) -> Image.Image:
    """Decode what Pillow can't; where an image is in tiles, none of them is the picture."""
    import av  # noqa: PLC0415 - 200 ms that only such an upload pays

    with av.open(BytesIO(upload), mode="r", format="mov") as container:
        (stream,) = container.streams.video
        if stream.width * stream.height > _MOST_PIXELS:
            raise ValueError("the image is too large")
        decoded: Image.Image = next(container.decode(stream)).to_image()  # type: ignore[no-untyped-call] # PyAV's
        return decoded


def _opaque(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB."""
    if image.mode.startswith(("I", "F")):
        _, brightest = image.getextrema()
        scale = 255 / max(255, brightest)  # type: ignore[operator] # numbers, of one band
        return image.point(lambda value: value * scale).convert("L").convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def _small_jpeg(image: Image.Image) -> bytes | None:
    for side in _SIDES:
        image.thumbnail((side, side))
        for quality in _QUALITIES:
            written = BytesIO()
            image.save(written, "JPEG", quality=quality)
            if len(picture := written.getvalue()) <= MOST_BYTES:
                return picture
    return None
