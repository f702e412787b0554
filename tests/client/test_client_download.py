from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from vimmerse_client import (
    Batch,
    Client,
    ConfigurationError,
    NotFound,
    TransportError,
    UnexpectedResponse,
    VideoNotReady,
)
from vimmerse_client.bodies import read_pieces

if TYPE_CHECKING:
    from client.conftest import FakeApi, FakeTime

VIDEO = bytes(range(256)) * 2048


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the video is to be."""
    return tmp_path / "out.mp4"


def test_video_of_a_batch_is_saved(
    api: FakeApi, client: Client, target: Path, seed_batch: dict[str, Any]
) -> None:
    """The file holds exactly what the service sent, and nothing else is left behind."""
    api.raw(VIDEO)
    batch = Batch.from_dict({**seed_batch, "video_url": f"{api.url}/v.mp4"})
    assert client.download(batch, str(target)) == target
    assert target.read_bytes() == VIDEO
    assert list(target.parent.iterdir()) == [target]


def test_existing_file_is_replaced(api: FakeApi, client: Client, target: Path) -> None:
    """A new download takes the old one's place."""
    target.write_bytes(b"old")
    api.raw(VIDEO)
    client.download(f"{api.url}/v.mp4", target)
    assert target.read_bytes() == VIDEO


def test_broken_transfer_leaves_nothing_half_written(
    api: FakeApi, client: Client, target: Path
) -> None:
    """Where every attempt breaks off, the old file is still there and no other."""
    target.write_bytes(b"old")
    api.raw(VIDEO, shorten_by=1000)
    with pytest.raises(TransportError, match="download"):
        client.download(f"{api.url}/v.mp4", target)
    assert len(api.seen) == 3
    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


def test_broken_transfer_is_begun_again(
    api: FakeApi, client: Client, target: Path, clock: FakeTime
) -> None:
    """A transfer that breaks off once is repeated, from the start."""
    api.raw(VIDEO, shorten_by=1000)
    api.json({"message": "BUSY"}, 503, headers={"Retry-After": "4"})
    api.raw(VIDEO)
    client.download(f"{api.url}/v.mp4", target)
    assert target.read_bytes() == VIDEO
    assert clock.slept == [0.5, 4.0]


def test_refused_download_leaves_nothing(api: FakeApi, client: Client, target: Path) -> None:
    """An error page is never saved as a video."""
    api.json({"message": "MEDIA_NOT_FOUND"}, 404)
    with pytest.raises(NotFound, match="download was answered with 404 MEDIA_NOT_FOUND"):
        client.download(f"{api.url}/v.mp4", target)
    assert list(target.parent.iterdir()) == []


def test_unwritable_target_is_an_os_error(api: FakeApi, client: Client, tmp_path: Path) -> None:
    """A folder that is not there is Python's own error, and is not retried."""
    api.raw(VIDEO)
    with pytest.raises(FileNotFoundError):
        client.download(f"{api.url}/v.mp4", tmp_path / "missing" / "out.mp4")
    assert len(api.seen) == 1


def test_folder_in_the_way_leaves_nothing_behind(
    api: FakeApi, client: Client, tmp_path: Path
) -> None:
    """Where the target can't be replaced, no temporary file stays."""
    api.raw(VIDEO)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="directory"):
        client.download(f"{api.url}/v.mp4", folder)
    assert list(tmp_path.iterdir()) == [folder]


def test_download_follows_redirects(api: FakeApi, client: Client, target: Path) -> None:
    """Media may live elsewhere: a redirect, even a relative one, leads to the file."""
    api.raw(b"", 302, {"Location": "/elsewhere.mp4"})
    api.raw(VIDEO)
    client.download(f"{api.url}/v.mp4", target)
    assert [request.path for request in api.seen] == ["/v.mp4", "/elsewhere.mp4"]
    assert target.read_bytes() == VIDEO


def test_endless_redirects_end(api: FakeApi, client: Client, target: Path) -> None:
    """A circle of redirects is an error, not a loop."""
    api.raw(b"", 302, {"Location": "/again"})
    with pytest.raises(UnexpectedResponse, match="yet another redirect"):
        client.download(f"{api.url}/v.mp4", target)
    assert len(api.seen) == 10


def test_download_is_streamed(
    api: FakeApi, client: Client, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A video comes in pieces, never as a whole in memory."""
    pieces: list[int] = []

    def counted(response: requests.Response, most: int) -> Iterator[bytes]:
        for piece in read_pieces(response, most):
            pieces.append(len(piece))
            yield piece

    monkeypatch.setattr("vimmerse_client.transport.read_pieces", counted)
    api.raw(VIDEO)
    client.download(f"{api.url}/v.mp4", target)
    assert len(pieces) >= 8
    assert sum(pieces) == len(VIDEO)


def test_batch_without_video_says_what_to_do(
    api: FakeApi, client: Client, target: Path, seed_batch: dict[str, Any]
) -> None:
    """There is nothing to download before the videos are composed."""
    for without in ({}, {"video_url": None}, {"video_url": ""}):
        with pytest.raises(VideoNotReady, match="call concat, and wait again") as caught:
            client.download(Batch.from_dict({**seed_batch, **without}), target)
        assert caught.value.batch_id == seed_batch["id"]
    assert api.seen == []


def test_a_link_stays_a_link(api: FakeApi, client: Client, tmp_path: Path) -> None:
    """The file that it leads to is replaced, or made."""
    api.raw(VIDEO)
    (tmp_path / "disk").mkdir()
    for name in ("old.mp4", "new.mp4"):
        link, real = tmp_path / f"link-{name}", tmp_path / "disk" / name
        link.symlink_to(real)
    (tmp_path / "disk" / "old.mp4").write_bytes(b"old")
    for name in ("old.mp4", "new.mp4"):
        client.download(f"{api.url}/v.mp4", tmp_path / f"link-{name}")
        assert (tmp_path / f"link-{name}").is_symlink()
        assert (tmp_path / "disk" / name).read_bytes() == VIDEO
    assert len(list((tmp_path / "disk").iterdir())) == 2


def test_a_pipe_gets_the_video_once_it_is_whole(
    api: FakeApi, client: Client, tmp_path: Path
) -> None:
    """A named pipe stays one, and no half of an attempt that broke off goes into it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    api.raw(VIDEO, shorten_by=1000)
    api.raw(VIDEO)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_bytes)
        client.download(f"{api.url}/v.mp4", pipe)
        assert read.result(60) == VIDEO
    assert pipe.is_fifo()


@pytest.mark.parametrize("path", ["/dev/null", "/dev/fd/{}", "/proc/self/fd/{}"])
def test_what_is_no_file_is_written_into(
    api: FakeApi, client: Client, tmp_path: Path, path: str
) -> None:
    """A device stays one, and an open file is not replaced behind its owner's back."""
    api.raw(VIDEO)
    with (tmp_path / "out.mp4").open("w+b") as file:
        client.download(f"{api.url}/v.mp4", path.format(file.fileno()))
        assert file.read() == (b"" if path == "/dev/null" else VIDEO)
    assert list(tmp_path.iterdir()) == [tmp_path / "out.mp4"]
    assert Path("/dev/null").is_char_device()


def test_a_video_has_a_bound(api: FakeApi, client: Client, target: Path) -> None:
    """More than what is accepted is refused, and leaves nothing behind."""
    api.raw(VIDEO)
    with pytest.raises(UnexpectedResponse, match="at most 1000 bytes"):
        client.download(f"{api.url}/v.mp4", target, most_bytes=1000)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("location", ["http://[::1", "file:///etc/passwd", "http://a b/"])
def test_odd_redirects_are_refused(
    api: FakeApi, client: Client, target: Path, location: str
) -> None:
    """Where a redirect leads nowhere, the error says so."""
    api.raw(b"", 302, {"Location": location})
    with pytest.raises(UnexpectedResponse, match="expected an http"):
        client.download(f"{api.url}/v.mp4", target)
    assert len(api.seen) == 1


def test_errors_of_a_download_have_the_batch(
    api: FakeApi, client: Client, target: Path, seed_batch: dict[str, Any]
) -> None:
    """The id is there whatever goes wrong after it was paid for."""
    api.json({"message": "MEDIA_NOT_FOUND"}, 404)
    batch = Batch.from_dict({**seed_batch, "video_url": f"{api.url}/v.mp4"})
    with pytest.raises(NotFound, match=batch.id) as caught:
        client.download(batch, target)
    assert caught.value.batch_id == batch.id


@pytest.mark.parametrize(
    "source",
    ["", "out.mp4", "file:///etc/passwd", "ftp://host/v.mp4", "http://[::1", "http://\ud800"],
)
def test_only_http_is_downloaded(client: Client, target: Path, source: str) -> None:
    """A text that is no http(s) URL is refused."""
    with pytest.raises(ConfigurationError, match="not an http"):
        client.download(source, target)


@pytest.mark.parametrize("path", [None, 5, b"bytes", "null\0byte"])
def test_what_is_no_path_is_refused(api: FakeApi, client: Client, path: Any) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError, match="is no path of a file"):
        client.download(f"{api.url}/v.mp4", path)
    assert api.seen == []
