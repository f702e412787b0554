from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from werkzeug.datastructures import FileStorage

from vimmerse_client import Client, ConfigurationError, ImageInput

if TYPE_CHECKING:
    from client.conftest import FakeApi

PNG = b"\x89PNG\r\n\x1a\n rest"


def closed_file() -> io.BytesIO:
    """Return a file that nobody can read any more."""
    file = io.BytesIO(PNG)
    file.close()
    return file


class AsyncFile:
    """A file whose `read` gives something else than bytes."""

    def read(self) -> None:
        """Read nothing."""


@dataclass
class AsyncUpload:
    """An upload as FastAPI has it: what is in it has to be awaited, or taken from `file`."""

    file: IO[bytes]
    filename: str | None
    content_type: str | None

    async def read(self) -> bytes:
        """Return what is left to read."""
        raise NotImplementedError


def halfway(file: IO[bytes]) -> IO[bytes]:
    """Return a file that somebody has looked into."""
    file.read(4)
    return file


def test_urls_are_sent_as_repeated_form_fields(api: FakeApi, client: Client) -> None:
    """Image URLs go as one urlencoded form with a repeated `image_urls`, as in the seed."""
    api.batch()
    urls = ["https://media.example/1.jpg", "HTTP://media.example/2.jpg?a=b&c"]
    client.create(urls, aspect_ratio="9:16")
    (request,) = api.seen
    assert (request.method, request.path) == ("POST", "/batch")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.form() == [("aspect_ratio", "9:16"), *(("image_urls", url) for url in urls)]


def test_files_of_every_kind_are_uploaded(api: FakeApi, client: Client, tmp_path: Path) -> None:
    """Paths, bytes, file objects and named bytes become parts with a name and a type."""
    api.batch()
    path = tmp_path / "Zoë 1.PNG"
    path.write_bytes(PNG)
    with path.open("rb") as file:
        client.create(
            [str(path), path, file, PNG, io.BytesIO(b"RIFF....WEBP"), ("b.jpg", b"jpg"), b"?"],
            title="Bilder",
        )
        assert not file.closed
    assert api.seen[0].parts() == [
        ("title", None, "", b"Bilder"),
        ("image_files", "Zoë 1.PNG", "image/png", PNG),
        ("image_files", "Zoë 1.PNG", "image/png", PNG),
        ("image_files", "Zoë 1.PNG", "image/png", PNG),
        ("image_files", "image4.png", "image/png", PNG),
        ("image_files", "image5.webp", "image/webp", b"RIFF....WEBP"),
        ("image_files", "b.jpg", "image/jpeg", b"jpg"),
        ("image_files", "image7", "application/octet-stream", b"?"),
    ]


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"\xff\xd8\xff\xe0", "image1.jpg"), (b"GIF89a", "image1.gif"), (b"?", "image1")],
)
def test_bytes_are_named_by_what_they_are(
    api: FakeApi, client: Client, content: bytes, name: str
) -> None:
    """Bytes without a name get one with the ending of their format."""
    api.batch()
    client.create([content])
    assert api.seen[0].parts()[0][1] == name


def test_any_iterable_of_images_will_do(api: FakeApi, client: Client) -> None:
    """A generator is as good as a list."""
    api.batch()
    client.create(content for content in (PNG, PNG))
    assert len(api.seen[0].parts()) == 2


@pytest.mark.parametrize(
    ("images", "complaint"),
    [
        ([], "expected at least one"),
        ("a.png", "expected a list"),
        (b"bytes", "expected a list"),
        (Path("a.png"), "expected a list"),
        (io.BytesIO(PNG), "expected a list"),
        (None, "expected a list"),
        (7, "expected a list"),
        (["a\0.png"], "image 1 cannot be read: embedded null byte"),
        ([PNG, "https://media.example/1.jpg"], "either files or URLs"),
        ([io.StringIO("text")], "image 1 is a file opened for reading text"),
        ([PNG, 7], "image 2 is of type int"),
        ([PNG, b""], "image 2 is empty"),
        ([io.BytesIO()], "image 1 is empty"),
        ([closed_file()], "image 1 cannot be read: I/O operation on closed file"),
        ([AsyncFile()], "image 1 reads as NoneType; expected bytes"),
        (["https://media.example/\ud800.jpg"], "half of a surrogate pair"),
        ([("a.png", "text")], "image 1 is of type tuple"),
        ([("a.png", PNG, "image/png")], "image 1 is of type tuple"),
    ],
)
def test_unusable_images_are_refused_before_anything_is_sent(
    api: FakeApi, client: Client, images: Any, complaint: str
) -> None:
    """What can't be sent as meant is a clear error, and costs no request."""
    with pytest.raises(ConfigurationError, match=complaint):
        client.create(images)
    assert api.seen == []


def test_missing_file_is_an_os_error_before_anything_is_sent(
    api: FakeApi, client: Client, tmp_path: Path
) -> None:
    """A path that is not there is Python's own error, and costs no request."""
    images: list[ImageInput] = [PNG, tmp_path / "missing.png"]
    with pytest.raises(FileNotFoundError, match=r"missing\.png"):
        client.create(images)
    assert api.seen == []


UPLOADS = [
    FileStorage(io.BytesIO(PNG), "holiday.png", "photo", "image/png"),
    FileStorage(halfway(io.BytesIO(PNG)), "holiday.png", "photo", "image/png; charset=x"),
    AsyncUpload(io.BytesIO(PNG), "holiday.png", "image/png"),
    AsyncUpload(io.BytesIO(PNG), "holiday.png", "application/octet-stream"),
    AsyncUpload(io.BytesIO(PNG), "C/holiday.png", "image/png\r\nX-Evil: 1"),
    SimpleUploadedFile("holiday.png", PNG, "image/png"),
]


@pytest.mark.parametrize("upload", UPLOADS)
def test_uploads_of_web_frameworks_are_handed_on(
    api: FakeApi, client: Client, upload: ImageInput
) -> None:
    """What Flask, FastAPI and Django received goes on under its own name and type."""
    api.batch()
    client.create([upload])
    assert api.seen[0].parts() == [("image_files", "holiday.png", "image/png", PNG)]


def test_an_upload_without_a_name_gets_one(api: FakeApi, client: Client) -> None:
    """Its type counts, even where its content does not show it."""
    api.batch()
    client.create([AsyncUpload(io.BytesIO(b"?"), None, "image/heic")])
    assert api.seen[0].parts() == [("image_files", "image1", "image/heic", b"?")]


def test_a_buffer_is_sent_from_its_beginning(api: FakeApi, client: Client) -> None:
    """A buffer that an image was just written to, or looked into, is sent as a whole."""
    api.batch()
    written = io.BytesIO()
    written.write(PNG)
    client.create([written, halfway(io.BytesIO(PNG))])
    assert [content for *_, content in api.seen[0].parts()] == [PNG, PNG]


def test_a_pipe_is_read(api: FakeApi, client: Client) -> None:
    """What can't be rewound is read as it is."""
    api.batch()
    reading, writing = os.pipe()
    os.write(writing, PNG)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        client.create([pipe])
    assert api.seen[0].parts()[0][3] == PNG


def test_a_file_name_that_is_no_text_is_sent(api: FakeApi, client: Client, tmp_path: Path) -> None:
    """A name in an old encoding costs its odd letters only."""
    api.batch()
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(PNG)
    client.create([path])
    assert api.seen[0].parts() == [("image_files", "caf?.png", "image/png", PNG)]


def test_an_endless_file_is_refused(
    api: FakeApi, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device is not read until the memory is full."""
    monkeypatch.setattr("vimmerse_client.images._MOST_BYTES", 1000)
    with pytest.raises(ConfigurationError, match="image 1 has more than 1000 bytes"):
        client.create(["/dev/zero"])
    assert api.seen == []
