from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import responses

from vimmerse_client import Client, ConfigurationError, ImageInput

if TYPE_CHECKING:
    from client.conftest import FakeApi

PNG = b"\x89PNG\r\n\x1a\n"
BATCH_ID = "6f1a2a55-5a0e-4a51-9a58-2f6f3a1d8c77"
REAL = [
    "https://api.vimmerse.net",
    "http://api.vimmerse.net",
    "https://API.Vimmerse.net:443/",
    "https://api.vimmerse.net.",
    "https://media.vimmerse.net/v1",
]
MARKED: list[ImageInput] = [
    "https://images.example/vimmerse--fail.jpg",
    ("vimmerse--nsfw.png", PNG),
    ("cat[vimmerse:fail].png", PNG),
]


@pytest.fixture
def network() -> responses.RequestsMock:
    """A network that nothing may be sent to."""
    return responses.RequestsMock()


@pytest.mark.parametrize("base_url", REAL)
@pytest.mark.parametrize("image", MARKED, ids=str)
def test_a_marked_image_is_never_sent_to_the_real_service(
    network: responses.RequestsMock, base_url: str, image: ImageInput
) -> None:
    """A name or URL with a marker is refused before anything is sent, and it says what to do."""
    with network, Client("key", base_url) as client:
        with pytest.raises(ConfigurationError, match=r"images: .*magic marker.*VIMMERSE_BASE_URL"):
            client.create([image])
        assert len(network.calls) == 0


@pytest.mark.parametrize("base_url", REAL)
def test_a_marked_title_is_never_sent_to_the_real_service(
    network: responses.RequestsMock, base_url: str
) -> None:
    """Neither a creation nor an update takes one there."""
    with network, Client("key", base_url) as client:
        with pytest.raises(ConfigurationError, match=r"title: '\[vimmerse:stuck\]'"):
            client.create(["https://images.example/1.jpg"], title="A [vimmerse:stuck] batch")
        with pytest.raises(ConfigurationError, match=r"title: 'vimmerse--stuck'"):
            client.update(BATCH_ID, title="vimmerse--stuck")
        assert len(network.calls) == 0


def test_a_marked_path_is_never_sent_to_the_real_service(
    network: responses.RequestsMock, tmp_path: Path
) -> None:
    """A file on disk is known by its name; its folder does not go along, and does not matter."""
    folder = tmp_path / "vimmerse--fail"
    folder.mkdir()
    for name in ("plain.png", "vimmerse--fail.png"):
        (folder / name).write_bytes(PNG)
    network.post("https://api.vimmerse.net/batch", status=402, json={"message": "x"})
    with network, Client("key", "https://api.vimmerse.net") as client:
        with pytest.raises(ConfigurationError, match="magic marker"):
            client.create([folder / "vimmerse--fail.png"])
        assert len(network.calls) == 0
        with pytest.raises(Exception, match="x"):
            client.create([folder / "plain.png"])
        assert len(network.calls) == 1


def test_a_mock_is_sent_every_marker(api: FakeApi, client: Client) -> None:
    """Anywhere else markers go out as they are, in title, name and URL."""
    api.batch()
    client.create(["https://images.example/vimmerse--fail.jpg"], title="[vimmerse:stuck]")
    client.create([("vimmerse--nsfw.png", PNG)])
    client.update(BATCH_ID, title="[vimmerse:slow]")
    created, uploaded, updated = api.seen
    assert created.form() == [
        ("title", "[vimmerse:stuck]"),
        ("image_urls", "https://images.example/vimmerse--fail.jpg"),
    ]
    assert uploaded.parts()[0][1] == "vimmerse--nsfw.png"
    assert updated.form() == [("title", "[vimmerse:slow]")]
