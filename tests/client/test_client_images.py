from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from vimmerse_client import Client, ConfigurationError, ImageInput

if TYPE_CHECKING:
    from client.conftest import FakeApi

PNG = b"\x89PNG\r\n\x1a\n rest"


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
    [(b"\xff\xd8\xff\xe0", "image1.jpg"), (b"GIF89a", "image1.gif"), (b"", "image1")],
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
        ([PNG, "https://media.example/1.jpg"], "either files or URLs"),
        ([io.StringIO("text")], "image 1 is a file opened for reading text"),
        ([PNG, 7], "image 2 is of type int"),
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
