"""Videos of the pictures that were uploaded: kept small, encoded when they are first asked for.

Where the extra [video] is not installed there is no studio, and videos show numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from vimmerse_contracts.unfrozen import monotonic
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.videos.cache import Cache
from vimmerse_mock.videos.prepared import Footage, number_of

if TYPE_CHECKING:
    from vimmerse_mock.videos.clips import Clip, Picture

Span = tuple[int, int]
"""The places of the media that a clip begins and ends with; the same for one media alone."""
_Shown = bytes | int
"""What a clip shows of a media: its picture, a JPEG, or else its number."""
_SECONDS: Final = 15.0
_MOST_BYTES: Final = 64 * 1024 * 1024


def open_studio(folder: Path | None = None) -> Studio | None:
    """Return a studio that keeps its files in a folder; None without the extra [video]."""
    return Studio(Cache(folder)) if _has_extra() else None


@cache
def _has_extra() -> bool:
    """Whether PyAV and Pillow are installed, looked for once."""
    return all(map(find_spec, ("av", "PIL")))


class Studio:
    """Keeps a small picture of each upload, and encodes clips of them.

    Pictures are read in a thread of their own, from at most 64 MB of uploads at once: of more, none
    is kept. The clips of one video are encoded within `seconds`, and have at most 64 MB.
    """

    def __init__(self, cache: Cache, seconds: float = _SECONDS) -> None:
        self._cache = cache
        self._seconds = seconds
        self._reader = ThreadPoolExecutor(1, "vimmerse-pictures")
        self._reading: dict[str, Future[None]] = {}
        self._unread = 0
        self._encoding: dict[str, Lock] = {}
        self._lock = Lock()

    def keep(self, batch: Batch, images: Sequence[bytes | None]) -> None:
        """Keep a small picture of the image of each media, soon; None is no image."""
        for place, image in enumerate(images):
            if image is None:
                continue
            name = _picture_name(batch, place)
            with self._lock:
                if self._unread + len(image) > _MOST_BYTES:
                    return
                self._unread += len(image)
                self._reading[name] = self._reader.submit(self._read, name, image)

    def clips(self, batch: Batch, spans: Sequence[Span], footage: Footage) -> list[Clip] | None:
        """Return a clip for each span, with its media's number where there is no picture.

        None if there is no picture at all, or if the clips take too long or too much room; those
        that were encoded are kept for who asks again.
        """
        deadline = monotonic() + self._seconds
        places = dict.fromkeys(place for span in spans for place in span)
        pictures = {place: self._picture(batch, place, deadline) for place in places}
        if not any(pictures.values()):
            return None
        clips: list[Clip] = []
        size = 0
        for span in spans:
            begins, ends = (pictures[place] or number_of(place) for place in span)
            clip = self._clip(begins, ends, footage, batch.settings.duration, deadline)
            if clip is None or (size := size + clip.size) > _MOST_BYTES:
                return None
            clips.append(clip)
        return clips

    def close(self) -> None:
        """Read no more, and forget what was kept."""
        self._reader.shutdown(cancel_futures=True)
        self._cache.close()

    def _read(self, name: str, image: bytes) -> None:
        from vimmerse_mock.videos.thumbnail import thumbnail  # noqa: PLC0415 - an extra brings Pillow

        picture = thumbnail(image)
        if picture is not None:
            self._cache.put(name, picture)
        with self._lock:
            self._unread -= len(image)
            del self._reading[name]

    def _picture(self, batch: Batch, place: int, deadline: float) -> bytes | None:
        name = _picture_name(batch, place)
        reading = self._reading.get(name)
        if reading is not None:
            wait([reading], max(0, deadline - monotonic()))
        return self._cache.get(name)

    def _clip(
        self, begins: _Shown, ends: _Shown, footage: Footage, seconds: int, deadline: float
    ) -> Clip | None:
        """Return a clip, made once by however many ask; None if it is too late to begin."""
        import msgspec  # noqa: PLC0415 - only who wants a video pays for it

        from vimmerse_mock.videos import clips  # noqa: PLC0415 - an extra brings PyAV

        size = footage.width, footage.height
        what = repr((begins, ends, size, seconds)).encode()
        name = f"clip-{sha256(what).hexdigest()}"
        with self._alone(name):
            kept = self._cache.get(name)
            if kept is not None:
                return msgspec.msgpack.decode(kept, type=clips.Clip)
            if monotonic() > deadline:
                return None
            first = _read_shown(begins, footage)
            last = first if ends == begins else _read_shown(ends, footage)
            clip = clips.encode_clip(first, last, size, seconds)
            self._cache.put(name, msgspec.msgpack.encode(clip))
            return clip

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        with self._lock:
            lock = self._encoding.setdefault(name, Lock())
        try:
            with lock:
                yield
        finally:
            with self._lock:
                self._encoding.pop(name, None)


def _picture_name(batch: Batch, place: int) -> str:
    """Name a picture; accounts of one seed have media of one id."""
    what = f"{batch.customer_id}/{batch.id}/{batch.created_at}/{place}"
    return f"picture-{sha256(what.encode()).hexdigest()}"


def _read_shown(shown: _Shown, footage: Footage) -> Picture:
    from vimmerse_mock.videos.clips import read_number, read_picture  # noqa: PLC0415 - see `_clip`

    if isinstance(shown, int):
        return read_number(footage, shown)
    return read_picture(shown, (footage.width, footage.height))
