"""The file itself: appended to line by line by any number of processes, sealed by one."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from vimmerse_contracts.evidence.lines import (
    UNFINISHED,
    AnyLine,
    Begun,
    Exchange,
    Footer,
    Header,
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


def begin(path: Path, header: Header) -> None:
    """Begin a file anew with its header; only its owner may read it.

    Raises:
        OSError: it cannot be written, or is there already and is something else.
    """
    if path.exists() and not _is_evidence(path):
        raise FileExistsError(errno.EEXIST, "it is there already, and is no evidence")
    _touch_anew(path)
    with LineFile(path) as file:
        file.write(header)


def seal(path: Path, incidents: Iterable[str] = ()) -> None:
    """End a file: number its references, judge what was not run to its end, and add a footer.

    The file is replaced in one step, so that there is always a whole one.

    Raises:
        OSError: it cannot be read any more, or not be written.
    """
    lines = list(_settled(path.read_text("utf-8", "replace").splitlines(keepends=True)))
    counts = Counter(type(_decoded(line)) for line in lines)
    footer = Footer(counts[Exchange], counts[Webhook], counts[Verdict], incidents=tuple(incidents))
    sealed = path.with_name(f"{path.name}.sealing")
    _touch_anew(sealed)
    sealed.write_text("".join(number([*lines, encode(footer)])), "utf-8")
    sealed.replace(path)


def _is_evidence(path: Path) -> bool:
    """Say whether a file may be written over: one of ours, or an empty one."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        first = file.readline()
    return not first or isinstance(_decoded(first), Header)


def _touch_anew(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.touch(0o600)


def _settled(lines: Iterable[str]) -> Iterator[str]:
    """Leave out what only a running file needs, and judge the tests that did not end."""
    begun: dict[str, Begun] = {}
    targets: set[str] = set()
    for line in lines:
        decoded = _decoded(line)
        if isinstance(decoded, Begun):
            begun[decoded.test] = decoded
        elif not (isinstance(decoded, TargetLine) and line in targets):
            yield line
        if isinstance(decoded, TargetLine):
            targets.add(line)
        if isinstance(decoded, Verdict):
            begun.pop(decoded.test, None)
    for test in begun.values():
        yield encode(Verdict(test.test, "failed", test.rules, UNFINISHED))


def _decoded(line: str | bytes) -> AnyLine | None:
    try:
        return decode(line)
    except msgspec.DecodeError:
        return None
