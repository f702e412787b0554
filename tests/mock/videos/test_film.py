from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from itertools import combinations, groupby, pairwise

import av
import pytest

from support.decoding import Colour, decode
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.videos.film import LONGEST, composed_video, media_video

MakeBatch = Callable[..., Batch]
FRAME_RATE = 24


def colour_of(batch: Batch, place: int) -> Colour:
    """The colour of a media, as its own video has it."""
    (only,) = set(decode(media_video(batch, place), only_keys=True).colours)
    return only


@pytest.mark.parametrize(
    ("ratio", "size"),
    [
        ("16:9", (1280, 720)),
        ("4:3", (960, 720)),
        ("1:1", (720, 720)),
        ("3:4", (720, 960)),
        ("9:16", (720, 1280)),
        (None, (1280, 720)),
    ],
)
def test_a_video_has_the_size_that_was_asked_for(
    make_batch: MakeBatch, ratio: str | None, size: tuple[int, int]
) -> None:
    """Each aspect ratio has its size, and every frame decodes; none asked for is 16:9."""
    fields = {"aspect_ratio": ratio} if ratio else {}
    decoded = decode(media_video(make_batch(1, duration="2", **fields), 0))
    assert decoded.size == size
    assert len(decoded.colours) == 2 * FRAME_RATE
    assert decoded.codecs == ("h264",)


@pytest.mark.parametrize(("duration", "loop"), [("1", "1"), ("7", "1"), ("2", "6")])
def test_a_media_lasts_its_duration_as_often_as_it_loops(
    make_batch: MakeBatch, duration: str, loop: str
) -> None:
    """Its video has `duration` times `loop` seconds, and as many frames."""
    seconds = int(duration) * int(loop)
    batch = make_batch(2, duration=duration, loop=loop, aspect_ratio="1:1")
    decoded = decode(media_video(batch, 1))
    assert decoded.seconds == seconds
    assert len(decoded.colours) == seconds * FRAME_RATE


def test_the_composed_video_is_the_finished_ones_in_order(make_batch: MakeBatch) -> None:
    """Of four media the third failed: the others are shown one after another, each as long."""
    batch = make_batch(4, duration="2", aspect_ratio="3:4")
    decoded = decode(composed_video(batch, (0, 1, 3)))
    assert decoded.seconds == 6
    assert decoded.clips == [(colour_of(batch, place), 2) for place in (0, 1, 3)]


def test_a_transition_goes_from_one_neighbour_to_the_next(make_batch: MakeBatch) -> None:
    """Three finished media make two videos: each begins with the one and ends with the other."""
    batch = make_batch(4, duration="3", is_transition="true", aspect_ratio="1:1")
    decoded = decode(composed_video(batch, (0, 2, 3)))
    first, third, fourth = (colour_of(batch, place) for place in (0, 2, 3))
    assert decoded.seconds == 6
    assert decoded.clips == [(first, 1.5), (third, 3), (fourth, 1.5)]


def test_a_media_without_neighbours_is_shown_as_it_is(make_batch: MakeBatch) -> None:
    """Where one media finished there is nothing to pass over to."""
    batch = make_batch(2, duration="1", is_transition="true")
    assert decode(composed_video(batch, (1,))).clips == [(colour_of(batch, 1), 1)]


@pytest.mark.parametrize("finished", [(0,), (0, 1, 2)])
def test_sound_lasts_as_long_as_the_picture(
    make_batch: MakeBatch, finished: tuple[int, ...]
) -> None:
    """With sound effects there is a track of silence, not a sample longer than the picture."""
    batch = make_batch(3, duration="3", sound_effects="Yes", aspect_ratio="4:3")
    decoded = decode(composed_video(batch, finished))
    assert decoded.codecs == ("h264", "aac")
    assert decoded.seconds == 3 * len(finished)
    assert 0 <= decoded.samples - 48_000 * decoded.seconds < 1024  # what the last frame has more
    assert decoded.heard == {0}


def test_a_hundred_media_have_a_hundred_colours(make_batch: MakeBatch) -> None:
    """No two of them look the same, and the composed video of all is small."""
    video = composed_video(make_batch(100, duration="1", aspect_ratio="1:1"), range(100))
    clips = [colour for colour, _ in groupby(decode(video, only_keys=True).colours)]
    assert len(clips) == 100
    assert min(distance(*pair) for pair in combinations(clips, 2)) > 4
    assert min(distance(*pair) for pair in pairwise(clips)) > 20
    assert len(video) < 100_000


def distance(one: Colour, other: Colour) -> int:
    """How far apart two colours are, at most 255."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def test_a_video_shows_the_place_of_its_media(make_batch: MakeBatch) -> None:
    """The tenth media shows a 10, in white, in the middle."""
    with av.open(
        BytesIO(media_video(make_batch(10, aspect_ratio="1:1"), 9)), mode="r"
    ) as container:
        luma = next(container.decode(video=0)).planes[0]
    rows, dot = bytes(luma), 80
    left, top = (luma.width - 7 * dot) // 2, (luma.height - 5 * dot) // 2
    drawn = [
        "".join(
            "#" if rows[y * luma.line_size + x] > 200 else "."
            for x in range(left + dot // 2, luma.width - left, dot)
        )
        for y in range(top + dot // 2, luma.height - top, dot)
    ]
    assert drawn == [
        ".#..###",
        "##..#.#",
        ".#..#.#",
        ".#..#.#",
        "###.###",
    ]


def test_a_film_has_a_longest_length(make_batch: MakeBatch) -> None:
    """However many images there are, a composed video ends after two hours."""
    batch = make_batch(200, duration="10", loop="6")
    with av.open(BytesIO(composed_video(batch, range(200))), mode="r") as container:
        assert container.duration == LONGEST * av.time_base


def test_the_index_comes_first(make_batch: MakeBatch) -> None:
    """A player can begin before all is there: moov stands before mdat."""
    video = composed_video(make_batch(2, sound_effects="Yes"), (0, 1))
    kinds, offset = [], 0
    while offset < len(video):
        kinds.append(video[offset + 4 : offset + 8])
        offset += int.from_bytes(video[offset : offset + 4], "big")
    assert (kinds, offset) == ([b"ftyp", b"moov", b"mdat"], len(video))


def test_the_same_batch_has_the_same_videos(make_batch: MakeBatch) -> None:
    """What is made twice is the same, to the byte."""
    batch = make_batch(3)
    assert composed_video(batch, (0, 2)) == composed_video(batch, (0, 2))
    assert media_video(batch, 0) != media_video(batch, 1)
