"""Files that may be forgotten: a folder of a bounded size, which several processes can share."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from tempfile import NamedTemporaryFile, mkdtemp
from threading import Lock
from typing import Final
from weakref import finalize

MOST_BYTES: Final = 256 * 1024 * 1024


class Cache:
    """Keeps the last files of a folder; without one, of a temporary one that is made at need.

    It has `most` bytes, give or take a sixteenth for each process that writes there.
    """

    def __init__(self, folder: Path | None = None, most: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most = most
        self._written = 0
        self._remove: Callable[[], object] | None = None
        self._lock = Lock()

    def get(self, name: str) -> bytes | None:
        """Return a file, if it is still there."""
        if self._folder is None:
            return None
        with suppress(OSError):
            return (self._folder / name).read_bytes()
        return None

    def put(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all; a disk that is full is no error."""
        with suppress(OSError), self._lock:
            folder = self._folder or self._make()
            with NamedTemporaryFile(dir=folder, delete=False) as file:
                file.write(data)
            Path(file.name).replace(folder / name)
            self._written += len(data)
            if self._written * 16 > self._most:
                self._written = 0
                self._forget(folder)

    def close(self) -> None:
        """Remove the folder, if it is the cache's own."""
        with self._lock:
            if self._remove is not None:
                self._remove()
                self._remove = self._folder = None

    def _make(self) -> Path:
        folder = Path(mkdtemp(prefix="vimmerse-"))
        self._remove = finalize(self, rmtree, folder, ignore_errors=True)
        self._folder = folder
        return folder

    def _forget(self, folder: Path) -> None:
        """Remove the files that were written first, as long as there are too many."""
        files = [(entry.stat(), entry.path) for entry in os.scandir(folder)]
        excess = sum(about.st_size for about, _ in files) - self._most
        for about, path in sorted(files, key=lambda each: each[0].st_mtime_ns):
            if excess <= 0:
                break
            excess -= about.st_size
            Path(path).unlink(missing_ok=True)
