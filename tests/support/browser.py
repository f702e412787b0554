"""Headless Chromium, which plays videos and reports what it saw."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Final

import flask

from vimmerse_mock.serving.thread import WsgiThread

CHROMIUM: Final = shutil.which("chromium")
_PAGE: Final = Path(__file__).with_name("player.html")
_OPTIONS: Final = (
    "--headless=new",
    "--no-sandbox",  # which root can't have, and a page of our own does not need
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-web-security",  # so that the page may read the pixels of another host's video
    "--autoplay-policy=no-user-gesture-required",
    "--no-first-run",
)
_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class Playing:
    """A video to be played, after a look at what it shows at some times, in seconds."""

    url: str
    times: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Played:
    """What the browser saw: the corner's colour after each seek, and where it ended, in seconds."""

    duration: float
    size: tuple[int, int]
    sought: tuple[float, ...]
    corners: tuple[tuple[int, int, int], ...]
    ended_at: float


@contextmanager
def _browser(url: str, folder: Path) -> Iterator[None]:
    """Run Chromium on a page, with all its processes in a group of their own."""
    command = [CHROMIUM or "chromium", *_OPTIONS, f"--user-data-dir={folder / 'profile'}", url]
    with (folder / "chromium.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def play(videos: Sequence[Playing], folder: Path) -> list[Played]:
    """Play videos to their ends, one after another, in a browser that keeps its files in a folder.

    Raises:
        RuntimeError: a video could not be played, or it took too long.
    """
    reports: Queue[Mapping[str, Any]] = Queue()
    app = flask.Flask("player", static_folder=None)
    app.add_url_rule("/", view_func=_PAGE.read_text, endpoint="page")
    app.add_url_rule("/wanted", view_func=lambda: [asdict(each) for each in videos], endpoint="w")

    @app.post("/report")
    def report() -> str:
        reports.put(flask.request.get_json(force=True))
        return ""

    thread = WsgiThread(app)
    thread.start()
    try:
        with _browser(thread.url, folder):
            result = reports.get(timeout=_SECONDS)
    except Empty:
        raise RuntimeError(f"nothing was reported in {_SECONDS} s: see chromium.log") from None
    finally:
        thread.stop()
    if "error" in result:
        raise RuntimeError(result["error"])
    return [
        Played(
            duration=each["duration"],
            size=tuple(each["size"]),
            sought=tuple(at for at, _ in each["sought"]),
            corners=tuple(tuple(corner) for _, corner in each["sought"]),
            ended_at=each["ended_at"],
        )
        for each in result["played"]
    ]
