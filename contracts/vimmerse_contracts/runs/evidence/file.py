"""An evidence file: lines of JSON, written by any number of processes, read back with care."""

from __future__ import annotations

import errno
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from vimmerse_contracts.runs.evidence.redaction import number
from vimmerse_contracts.runs.exchanges import Exchange
from vimmerse_contracts.runs.verdicts import Outcome, Verdict

FORMAT: Final = 1
"""The version of the format that this package writes; it reads this one and older ones."""

UNFINISHED: Final = "it was not run to its end"
"""The reason of a test that its process did not survive."""


class Line(msgspec.Struct, frozen=True, tag_field="kind"):
    """What all lines have: `kind`."""


class Contract(msgspec.Struct, frozen=True):
    """The contract that a target was held to: the package's version, and each rule's source."""

    version: str
    rules: Mapping[str, str]


class Header(Line, frozen=True, tag="header"):
    """The first line. `date` is when the run began (UTC), `target` what it was pointed at."""

    format: int
    date: str
    target: str
    contract: Contract


class TargetLine(Line, frozen=True, tag="target"):
    """The target: its name, and what it declares that it can do."""

    name: str
    capabilities: tuple[str, ...] = ()


class Webhook(Line, frozen=True, tag="webhook"):
    """A webhook that reached the suite's listener during a test."""

    test: str
    headers: Mapping[str, str]
    body: Any


class Begun(Line, frozen=True, tag="begun"):
    """A test begins. Sealed files have no such lines: a test that did not end has its verdict."""

    test: str
    rules: tuple[str, ...] = ()


class Footer(Line, frozen=True, tag="footer"):
    """The last line: how many lines of each kind there are; `incidents` are sentences."""

    exchanges: int
    webhooks: int
    verdicts: int
    incidents: tuple[str, ...] = ()


AnyLine = Header | TargetLine | Exchange | Webhook | Begun | Verdict | Footer

_DECODER: Final[msgspec.json.Decoder[AnyLine]] = msgspec.json.Decoder(AnyLine)


def encode(line: AnyLine) -> str:
    """Write a line, with its newline."""
    return json.dumps(msgspec.to_builtins(line), ensure_ascii=False) + "\n"


def decode(text: str | bytes) -> AnyLine:
    """Read a line; keys that are not known are ignored.

    Raises:
        msgspec.DecodeError: it is no JSON, or (ValidationError) not a line.
    """
    return _DECODER.decode(text)


class LineFile:
    """An evidence file that is being written.

    Each line is one write to the end of the file, so that lines of several processes never mix, and
    a run that is cut off leaves all that it had said.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

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
        raise FileExistsError(errno.EEXIST, "it exists already, and is not an evidence file")
    _touch_anew(path)
    path.write_text(encode(header), "utf-8")


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
    """Whether a file may be written over: one of ours, or an empty one."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        first = file.readline()
    return not first or isinstance(_decoded(first), Header)


def _touch_anew(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.touch(0o600)


def _settled(lines: Iterable[str]) -> Iterator[str]:
    """Leave out what only a running file needs, and add verdicts of tests that did not end."""
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
        yield encode(Verdict(test.test, Outcome.FAILED, test.rules, UNFINISHED))


def _decoded(line: str | bytes) -> AnyLine | None:
    try:
        return decode(line)
    except msgspec.DecodeError:
        return None


L = TypeVar("L", bound=AnyLine)


class EvidenceError(ValueError):
    """A file is no evidence at all; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in an evidence file that could not be used, or that makes it less than whole."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run of the suite asked, was answered, and found.

    `problems` says what of the file could not be used; an evidence of which all could has none.
    """

    header: Header | None = None
    targets: Sequence[TargetLine] = ()
    exchanges: Sequence[Exchange] = ()
    webhooks: Sequence[Webhook] = ()
    verdicts: Sequence[Verdict] = ()
    footer: Footer | None = None
    problems: Sequence[Problem] = ()

    @property
    def name(self) -> str:
        """What was recorded, and when."""
        if self.header is None:
            return "an unnamed target"
        names = dict.fromkeys(target.name for target in self.targets)
        return f"{', '.join(names) or self.header.target}, {self.header.date[:10]}"


def read_evidence(lines: Iterable[bytes]) -> Evidence:
    """Read the lines of an evidence file; nothing in them makes it fail.

    Keys that are not known are ignored. A line that cannot be read is left out and named.
    """
    read: list[AnyLine] = []
    problems: list[Problem] = []
    place = 0
    for place, raw in enumerate(lines, start=1):
        text = raw.decode("utf-8", "replace").strip().removeprefix("\ufeff")
        if not text:
            continue
        if "\ufffd" in text and b"\xef\xbf\xbd" not in raw:
            odd = "is not UTF-8 throughout; the odd bytes are shown as \ufffd"
            problems.append(Problem(place, odd))
        try:
            read.append(decode(text))
        except (msgspec.DecodeError, RecursionError) as error:
            problems.append(Problem(place, _why(error, text, newline=raw.endswith(b"\n"))))
    evidence = Evidence(
        header=next(_of(Header, read), None),
        targets=tuple(_of(TargetLine, read)),
        exchanges=tuple(_of(Exchange, read)),
        webhooks=tuple(_of(Webhook, read)),
        verdicts=tuple(_of(Verdict, read)),
        footer=next(_of(Footer, read), None),
    )
    whole = (*_header_problems(evidence), *problems, *_footer_problems(evidence, place))
    return replace(evidence, problems=whole)


def load_evidence(path: Path) -> Evidence:
    """Read an evidence file.

    Raises:
        EvidenceError: it cannot be opened, or nothing in it can be used.
    """
    try:
        with path.open("rb") as file:
            evidence = read_evidence(file)
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror}") from error
    if not (evidence.exchanges or evidence.verdicts or evidence.webhooks):
        raise EvidenceError(
            f"{path} is not an evidence file; pytest --vimmerse-evidence FILE writes one"
        )
    return evidence


def _of(kind: type[L], lines: Iterable[AnyLine]) -> Iterator[L]:
    return (line for line in lines if isinstance(line, kind))


def _why(error: Exception, text: str, *, newline: bool) -> str:
    if isinstance(error, msgspec.ValidationError):
        return f"is left out: {error}"
    if not newline:
        return f"is left out: it is cut off after {text[-20:]!r}"
    return f"is left out: it is no JSON ({error})"


def _header_problems(evidence: Evidence) -> Iterator[Problem]:
    header = evidence.header
    if header is None:
        yield Problem(1, "there is no header: date and target of the run are not known")
    elif header.format > FORMAT:
        yield Problem(
            1,
            f"written by a newer version (format {header.format}; this one reads {FORMAT}): "
            "what it does not know is left out",
        )


def _footer_problems(evidence: Evidence, last: int) -> Iterator[Problem]:
    footer = evidence.footer
    if footer is None:
        cut = "the file ends here without a footer: the run was cut off, or is not over"
        yield Problem(max(last, 1), cut)
        return
    for name in ("exchanges", "webhooks", "verdicts"):
        said, found = getattr(footer, name), len(getattr(evidence, name))
        if said != found:
            yield Problem(
                last, f"the footer counts {said} {name}, {found} can be read: the file was edited"
            )
    for incident in footer.incidents:
        yield Problem(last, f"the run says of itself: {incident}")
