"""What `create` takes for an image, and how it becomes a part of a form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, Any, Final, Protocol, TypeGuard

from vimmerse_client.errors import ConfigurationError


class ReadableBinary(Protocol):
    """A file opened for reading bytes; it is read from its beginning and left open."""

    def read(self) -> bytes:
        """Return everything that is left to read."""


class Upload(Protocol):
    """An upload that a web framework received: FastAPI's `UploadFile`, aiohttp's `FileField`."""

    @property
    def file(self) -> IO[bytes]:
        """The file itself."""

    @property
    def filename(self) -> str | None:
        """What the file is called."""


ImageInput = str | Path | bytes | ReadableBinary | Upload | tuple[str, bytes]
"""A path, an http(s) URL, the bytes, a binary file object, an upload, or bytes with a file name."""

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
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
_MOST_BYTES: Final = 256 * 1024**2
"""The largest file that is read: what is larger is no image, but a device or a mistake."""


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
    is_one = isinstance(images, str | bytes | bytearray) or hasattr(images, "read")
    if is_one or not isinstance(images, Iterable):
        raise ConfigurationError(
            f"images: expected a list of images, got {type(images).__name__}; put one in []"
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
    name, kind = "", ""
    match image:
        case str() | PurePath():
            name, content = PurePath(image).name, _read_path(Path(image), number)
        case bytes() | bytearray() | memoryview():
            content = bytes(image)
        case tuple((str() as name, bytes() as content)):
            pass
        case _:
            content = _read_file(image, number)
            name, kind = _name_of(image), _type_of(image)
    if not content:
        raise ConfigurationError(f"images: image {number} is empty; nothing was sent")
    if not name:
        name = f"image{number}{_suffix(content)}"
    known = _TYPES.get(PurePath(name).suffix.lower(), _UNKNOWN_TYPE)
    # The name of a file need not be text on every system.
    return name.encode(errors="replace").decode(), content, kind or known


def _read_path(path: Path, number: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except ValueError as error:  # a path with a null byte
        raise ConfigurationError(f"images: image {number} cannot be read: {error}") from None
    if len(content) > _MOST_BYTES:
        raise ConfigurationError(f"images: image {number} has more than {_MOST_BYTES} bytes")
    return content


def _read_file(image: Any, number: int) -> bytes:  # noqa: ANN401 - whatever was handed over
    # FastAPI's upload has a `read` that must be awaited, and aiohttp's has none.
    file: Any = getattr(image, "file", None)
    file = file if hasattr(file, "read") else image
    if isinstance(image, tuple) or not hasattr(file, "read"):
        raise ConfigurationError(
            f"images: image {number} is of type {type(image).__name__}; expected a path, a URL, "
            "bytes, a binary file object, an upload or (name, bytes)"
        )
    try:
        # Whoever looked into it before left it somewhere else than at its beginning.
        with suppress(AttributeError, OSError):
            file.seek(0)
        content = file.read()
    except ValueError as error:
        raise ConfigurationError(f"images: image {number} cannot be read: {error}") from None
    if isinstance(content, str):
        raise ConfigurationError(
            f"images: image {number} is a file opened for reading text; open it in mode 'rb'"
        )
    if not isinstance(content, bytes):
        raise ConfigurationError(
            f"images: image {number} reads as {type(content).__name__}; expected bytes"
        )
    return content


def _name_of(image: object) -> str:
    """Return the name of a file. An upload calls it `filename`; its `name` is the form's field."""
    given = getattr(image, "filename", None) or getattr(image, "name", None)
    return PurePath(given).name if isinstance(given, str) else ""  # a number, if it is unnamed


def _type_of(image: object) -> str:
    """Return the content type that an upload came with, if that says anything."""
    given = getattr(image, "content_type", None)
    kind = given.partition(";")[0].strip().lower() if isinstance(given, str) else ""
    return kind if _MEDIA_TYPE.fullmatch(kind) and kind != _UNKNOWN_TYPE else ""


def _suffix(content: bytes) -> str:
    """Return the file ending of the commonest formats, judged by the first bytes."""
    if content.startswith(b"\x89PNG"):
        return ".png"
    if content.startswith(b"\xff\xd8\xff"):
        return ".jpg"
    if content.startswith(b"GIF8"):
        return ".gif"
    return ".webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else ""
