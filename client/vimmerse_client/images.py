"""What `create` takes for an image, and how it becomes a part of a form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final, Protocol, TypeGuard

from vimmerse_client.errors import ConfigurationError


class ReadableBinary(Protocol):
    """A file opened for reading bytes; it is read to its end and left open."""

    def read(self) -> bytes:
        """Return everything that is left to read."""


ImageInput = str | Path | bytes | ReadableBinary | tuple[str, bytes]
"""A path, an http(s) URL, the bytes, a binary file object, or bytes with a file name."""

Part = tuple[str, bytes, str]
"""File name, content and content type."""

_TYPES: Final[Mapping[str, str]] = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}
_UNKNOWN_TYPE: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Images:
    """The images of one request: all files or all URLs, since the API ignores URLs beside files."""

    urls: tuple[str, ...] = ()
    files: tuple[Part, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What the images are called: their URLs, or the names of their files."""
        return self.urls or tuple(name for name, _, _ in self.files)


def read_images(images: Iterable[ImageInput]) -> Images:
    """Read everything that `create` is given, before anything is sent.

    Raises:
        ConfigurationError: no images, files mixed with URLs, or something that is no image input.
        OSError: a file can't be read.
    """
    if isinstance(images, str | bytes | bytearray | PurePath) or hasattr(images, "read"):
        raise ConfigurationError(
            "images: expected a list of images, got a single one; put it in []"
        )
    given = list(images)
    if not given:
        raise ConfigurationError(
            "images: expected at least one path, URL, file or bytes, got none; nothing was sent"
        )
    urls = tuple(image for image in given if is_url(image))
    if len(urls) == len(given):
        return Images(urls=urls)
    if urls:
        raise ConfigurationError(
            f"images: {len(urls)} of {len(given)} are URLs, and the API ignores URLs where files "
            "are uploaded; give either files or URLs"
        )
    return Images(files=tuple(_read(image, n) for n, image in enumerate(given, start=1)))


def is_url(value: object) -> TypeGuard[str]:
    """Whether something is the text of an http(s) URL."""
    return isinstance(value, str) and value.lower().startswith(("http://", "https://"))


def _read(image: ImageInput, number: int) -> Part:
    name: str | None = None
    match image:
        case str() | Path():
            name, content = Path(image).name, Path(image).read_bytes()
        case bytes() | bytearray():
            content = bytes(image)
        case tuple((str() as name, bytes() as content)):
            pass
        case _ if isinstance(image, tuple) or not hasattr(image, "read"):
            raise ConfigurationError(
                f"images: image {number} is of type {type(image).__name__}; expected a path, a "
                "URL, bytes, a binary file object or (name, bytes)"
            )
        case file:
            content = file.read()
            if not isinstance(content, bytes):
                raise ConfigurationError(
                    f"images: image {number} is a file opened for reading text; open it in mode "
                    "'rb'"
                )
            path = getattr(file, "name", None)  # an unnamed temporary file has a number for a name
            name = Path(path).name if isinstance(path, str) else None
    if name is None:
        name = f"image{number}{_suffix(content)}"
    return name, content, _TYPES.get(PurePath(name).suffix.lower(), _UNKNOWN_TYPE)


def _suffix(content: bytes) -> str:
    """Return the file ending of the commonest formats, judged by the first bytes."""
    if content.startswith(b"\x89PNG"):
        return ".png"
    if content.startswith(b"\xff\xd8\xff"):
        return ".jpg"
    if content.startswith(b"GIF8"):
        return ".gif"
    return ".webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else ""
