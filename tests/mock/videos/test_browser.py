from __future__ import annotations

from pathlib import Path

import pytest

from support.browser import CHROMIUM, Playing, play
from vimmerse_client import Client
from vimmerse_mock.server import MockServer


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_plays_the_videos(tmp_path: Path) -> None:
    """A `<video>` knows length and size, seeks to the media whose turn it is, and ends."""
    images = [f"http://images.example/{i}.png" for i in range(3)]
    with MockServer() as server, Client(server.account.key, base_url=server.url) as client:
        batch = client.create(images=images, duration=2, aspect_ratio="9:16", sound_effects="Yes")
        server.account.clock.advance("1h")
        url = client.get(batch.id).video_url or ""
        base = url.rpartition("/")[0]
        each = [Playing(f"{base}/{media.media_id}.mp4", [1]) for media in batch.medias]
        composed, *medias = play([Playing(url, [5, 1, 3.5]), *each], tmp_path)
    assert (composed.duration, composed.size, composed.ended_at) == (6, (720, 1280), 6)
    assert {(m.duration, m.size, m.ended_at) for m in medias} == {(2, (720, 1280), 2)}
    first, second, third = (media.corners[0] for media in medias)
    assert list(composed.sought) == [5, 1, 3.5]
    assert list(composed.corners) == [third, first, second]
    assert len({first, second, third}) == 3
