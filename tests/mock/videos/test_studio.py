from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Event

import pytest
import requests
from PIL import Image

from support.decoding import Colour, decode
from support.waiting import await_condition
from vimmerse_client import Client
from vimmerse_mock.app import create_mock
from vimmerse_mock.delivery import ImageFetcher
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.server import MockServer
from vimmerse_mock.videos import clips
from vimmerse_mock.videos.cache import Cache
from vimmerse_mock.videos.film import composed_video, media_video
from vimmerse_mock.videos.studio import Studio

MakeBatch = Callable[..., Batch]
SMALL = {"duration": "1", "aspect_ratio": "1:1"}
RED, GREEN, BLUE = (63, 102, 240), (173, 42, 26), (32, 240, 118)
"""As BT.709 has them, in video range."""


def picture(colour: str) -> bytes:
    """A picture of one colour, as a file."""
    file = BytesIO()
    Image.new("RGB", (160, 120), colour).save(file, "PNG")
    return file.getvalue()


UPLOADS = [picture("red"), picture("lime"), picture("blue")]


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Studio]:
    """A studio that has all the time that a loaded machine may need."""
    studio = Studio(Cache(tmp_path), seconds=200)
    yield studio
    studio.close()


def is_like(seen: Colour, wanted: Colour) -> bool:
    """Whether two colours are one, but for what is lost by compression."""
    return max(abs(a - b) for a, b in zip(seen, wanted, strict=True)) < 8


def test_a_video_shows_what_was_uploaded(make_batch: MakeBatch, patient: Studio) -> None:
    """The composed video has the pictures in their order, as long and as large as without them."""
    batch = make_batch(3, **SMALL, loop="2", sound_effects="Yes")
    patient.keep(batch, UPLOADS)
    decoded = decode(composed_video(batch, (0, 2), patient))
    assert (decoded.seconds, decoded.size, decoded.codecs) == (4, (720, 720), ("h264", "aac"))
    half = len(decoded.colours) // 2
    assert all(is_like(seen, RED) for seen in decoded.colours[:half])
    assert all(is_like(seen, BLUE) for seen in decoded.colours[half:])


def test_a_transition_passes_from_picture_to_picture(
    make_batch: MakeBatch, patient: Studio
) -> None:
    """It begins with the one, is a mixture halfway, and comes close to the other."""
    batch = make_batch(2, **SMALL, is_transition="true")
    patient.keep(batch, UPLOADS)
    colours = decode(composed_video(batch, (0, 1), patient)).colours
    halfway = [(a + b) // 2 for a, b in zip(RED, GREEN, strict=True)]
    assert is_like(colours[0], RED)
    assert is_like(colours[len(colours) // 2], (halfway[0], halfway[1], halfway[2]))
    assert colours[-1][0] > colours[len(colours) // 2][0] + 30


def test_a_picture_is_slowly_enlarged(make_batch: MakeBatch, patient: Studio) -> None:
    """What is at the edge of a picture leaves the frame as time goes by."""
    framed = Image.new("RGB", (200, 200), "red")
    framed.paste("blue", (8, 8, 192, 192))
    file = BytesIO()
    framed.save(file, "PNG")
    batch = make_batch(1, **SMALL)
    patient.keep(batch, [file.getvalue()])
    colours = decode(media_video(batch, 0, patient)).colours
    assert is_like(colours[0], RED)
    assert is_like(colours[-1], BLUE)


def test_what_is_no_picture_is_shown_as_a_number(make_batch: MakeBatch, patient: Studio) -> None:
    """Beside a picture, a media whose upload could not be read shows its place in the batch."""
    batch = make_batch(2, **SMALL)
    patient.keep(batch, [UPLOADS[0], b"no image"])
    colours = decode(composed_video(batch, (0, 1), patient)).colours
    (number,) = set(decode(media_video(batch, 1), only_keys=True).colours)
    assert is_like(colours[0], RED)
    assert is_like(colours[-1], number)


def test_without_pictures_nothing_is_encoded(make_batch: MakeBatch, patient: Studio) -> None:
    """A batch of URLs has the videos that it would have without a studio."""
    batch = make_batch(2, **SMALL)
    assert composed_video(batch, (0, 1), patient) == composed_video(batch, (0, 1))


def test_a_video_that_takes_too_long_shows_numbers_until_it_is_there(
    make_batch: MakeBatch, patient: Studio, tmp_path: Path
) -> None:
    """Who asks too early gets the prepared video; what another has encoded is not made again."""
    batch, hasty = make_batch(1, **SMALL), Studio(Cache(tmp_path), seconds=-1)
    patient.keep(batch, UPLOADS)
    await_condition(lambda: list(tmp_path.glob("picture-*")), "the picture is kept")
    assert media_video(batch, 0, hasty) == media_video(batch, 0)
    encoded = media_video(batch, 0, patient)
    assert encoded != media_video(batch, 0)
    assert media_video(batch, 0, hasty) == encoded


def test_a_clip_is_encoded_once_however_many_ask(
    make_batch: MakeBatch, patient: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two players that begin together get the same video, of one encoding."""
    calls, encode_clip = [], clips.encode_clip

    def counted(*args: object) -> clips.Clip:
        calls.append(args)
        return encode_clip(*args)  # type: ignore[arg-type] # as they were given

    monkeypatch.setattr(clips, "encode_clip", counted)
    batch = make_batch(1, **SMALL)
    patient.keep(batch, UPLOADS)
    with ThreadPoolExecutor() as pool:
        one, other = pool.map(lambda _: media_video(batch, 0, patient), range(2))
    assert one == other
    assert len(calls) == 1


def test_a_cache_forgets_what_is_old(tmp_path: Path) -> None:
    """It keeps about as many bytes as it may, those that were written last."""
    cache = Cache(tmp_path, most=1000)
    for number in range(100):
        cache.put(str(number), bytes(100))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1000 * 17 / 16
    assert cache.get("99") is not None
    assert cache.get("0") is None


def test_a_cache_of_its_own_leaves_nothing_behind() -> None:
    """Without a folder it makes one when it needs it, and takes it away."""
    cache = Cache()
    cache.close()
    cache.put("a", b"1")
    folder = cache._folder
    assert folder is not None
    assert cache.get("a") == b"1"
    cache.close()
    assert not folder.exists()
    assert cache.get("a") is None


def test_an_upload_is_seen_in_the_video_that_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Create does not encode, and while a download does, the mock answers others."""
    encoding, may_go_on, encode_clip = Event(), Event(), clips.encode_clip

    def slow(*args: object) -> clips.Clip:
        encoding.set()
        may_go_on.wait(60)
        return encode_clip(*args)  # type: ignore[arg-type] # as they were given

    monkeypatch.setattr(clips, "encode_clip", slow)
    with (
        MockServer() as server,
        Client(server.account.key, base_url=server.url) as client,
        ThreadPoolExecutor() as pool,
    ):
        monkeypatch.setattr(server.mock.studio, "_seconds", 200)
        batch = client.create(images=[("a.png", UPLOADS[0])], duration=1, aspect_ratio="1:1")
        server.account.clock.advance("1h")
        url = client.get(batch.id).video_url or ""
        assert not encoding.is_set()
        downloading = pool.submit(requests.get, url, timeout=200)
        assert encoding.wait(60)
        assert client.get(batch.id).status == "success"
        assert not downloading.done()
        may_go_on.set()
        assert is_like(decode(downloading.result().content).colours[0], RED)


def test_a_fetched_image_is_seen_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mock that fetches image URLs shows what was there."""
    monkeypatch.setattr(ImageFetcher, "fetch", lambda *_: [UPLOADS[2]])
    with (
        MockServer(create_mock(fetch_images=True)) as server,
        Client(server.account.key, base_url=server.url) as client,
    ):
        monkeypatch.setattr(server.mock.studio, "_seconds", 200)
        images = ["http://images.example/a.png"]
        batch = client.create(images=images, duration=1, aspect_ratio="1:1")
        server.account.clock.advance("1h")
        video = requests.get(client.get(batch.id).video_url or "", timeout=200).content
    assert is_like(decode(video).colours[0], BLUE)
