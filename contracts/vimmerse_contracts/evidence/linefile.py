"""The file itself: appended to line by line by any number of processes, sealed by one."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from vimmerse_contracts.evidence.lines import (
    AnyLine,
    Exchange,
    Footer,
    TargetLine,
    Verdict,
    Webhook,
    decode,
    encode,
)
from vimmerse_contracts.evidence.references import number


class LineFile:
    """An evidence file that is being written.

    Each line is one write to the end of the file, so that lines of several processes never mix, and
    a run that is cut off leaves all that it had said.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, line: AnyLine) -> None:
        """Append a line.

        Raises:
            OSError: it could not be written as a whole.
        """
        raw = encode(line).encode()
        if self._file.write(raw) != len(raw):
            raise OSError(errno.ENOSPC, "no room for a line of evidence", self._file.name)

    def close(self) -> None:
        """Close the file; closing twice is no error."""
        self._file.close()


def begin(path: Path, header: AnyLine) -> None:
    """Begin a file anew with its header; only its owner may read it.

    Raises:
        OSError: it cannot be written.
    """
    path.unlink(missing_ok=True)
    path.touch(0o600)
    with LineFile(path) as file:
        file.write(header)


def seal(path: Path, incidents: Iterable[str] = ()) -> None:
    """End a file: number its references, leave out repeated targets, and put a footer behind.

    The file is replaced in one step, so that there is always a whole one.
    """
    lines = _without_repeated_targets(path.read_text("utf-8").splitlines(keepends=True))
    sealed = path.with_name(f"{path.name}.sealing")
    counts = Counter(_kind(line) for line in lines)
    footer = Footer(counts[Exchange], counts[Webhook], counts[Verdict], incidents=tuple(incidents))
    sealed.write_text("".join(number([*lines, encode(footer)])), "utf-8")
    sealed.chmod(path.stat().st_mode)
    sealed.replace(path)


def _without_repeated_targets(lines: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    kept = []
    for line in lines:
        if _kind(line) is TargetLine and line in seen:
            continue
        seen.add(line)
        kept.append(line)
    return kept


def _kind(line: str) -> type[AnyLine] | None:
    try:
        return type(decode(line))
    except msgspec.DecodeError:
        return None
