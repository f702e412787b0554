"""Where a download is written: a file appears complete or not at all, anything else is kept."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4


def save(pieces: Iterable[bytes], path: Path) -> None:
    """Write a file, or into what a path leads to.

    A file is written beside its place and takes it once it is complete; a link stays a link. A
    device or a pipe, such as `/dev/stdout`, gets the content once all of it is there.

    Raises:
        OSError: it cannot be written.
    """
    if is_stream(path):
        with TemporaryFile() as whole:
            whole.writelines(pieces)
            whole.seek(0)
            with path.open("wb") as stream:
                shutil.copyfileobj(whole, stream)
        return
    target = path.resolve()
    partial = target.with_name(f".{uuid4().hex}.part")
    try:
        with partial.open("xb") as file:
            file.writelines(pieces)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def is_stream(path: Path) -> bool:
    """Whether a path leads to something that is written into: a device, a pipe, an open file."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    is_open_file = os.fspath(path.absolute()).startswith(("/dev/", "/proc/"))
    return is_open_file or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
