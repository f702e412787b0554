"""Reading evidence: what is readable is used, and what is not is named by its line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from vimmerse_contracts.evidence.lines import (
    FORMAT,
    AnyLine,
    Exchange,
    Footer,
    Header,
    TargetLine,
    Verdict,
    Webhook,
    decode,
)

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
        """Say what was recorded, and when."""
        if self.header is None:
            return "an unnamed target"
        names = dict.fromkeys(target.name for target in self.targets)
        return f"{', '.join(names) or self.header.target}, {self.header.date[:10]}"


@dataclass(slots=True)
class _Pile:
    """The lines read so far."""

    lines: list[AnyLine] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    count: int = 0

    def add(self, number: int, raw: bytes) -> None:
        self.count = number
        text = raw.decode("utf-8", "replace").strip().removeprefix("\ufeff")
        if not text:
            return
        if "\ufffd" in text and b"\xef\xbf\xbd" not in raw:
            self.note(number, "is not UTF-8 throughout; the odd bytes are shown as \ufffd")
        try:
            self.lines.append(decode(text))
        except (msgspec.DecodeError, RecursionError) as error:
            self.note(number, _why(error, text, newline=raw.endswith(b"\n")))

    def note(self, number: int, text: str) -> None:
        self.problems.append(Problem(number, text))


_NO_FOOTER: Final = "the file ends here without a footer: the run was cut off, or is not over"


def read_evidence(lines: Iterable[bytes]) -> Evidence:
    """Read the lines of an evidence file; nothing in them makes it fail.

    Keys that are not known are ignored. A line that cannot be read is left out and named.
    """
    pile = _Pile()
    for number, raw in enumerate(lines, start=1):
        pile.add(number, raw)
    evidence = Evidence(
        header=next(_of(Header, pile.lines), None),
        targets=tuple(_of(TargetLine, pile.lines)),
        exchanges=tuple(_of(Exchange, pile.lines)),
        webhooks=tuple(_of(Webhook, pile.lines)),
        verdicts=tuple(_of(Verdict, pile.lines)),
        footer=next(_of(Footer, pile.lines), None),
    )
    problems = [
        *_header_problems(evidence),
        *pile.problems,
        *_footer_problems(evidence, pile.count),
    ]
    return replace(evidence, problems=tuple(problems))


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
            f"{path} has no evidence in it; pytest --vimmerse-evidence FILE writes such a file"
        )
    return evidence


def _of(kind: type[L], lines: Iterable[AnyLine]) -> Iterator[L]:
    return (line for line in lines if isinstance(line, kind))


def _why(error: Exception, text: str, *, newline: bool) -> str:
    """Say why a line cannot be used."""
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
        yield Problem(max(last, 1), _NO_FOOTER)
        return
    for name in ("exchanges", "webhooks", "verdicts"):
        said, found = getattr(footer, name), len(getattr(evidence, name))
        if said != found:
            yield Problem(
                last, f"the footer counts {said} {name}, {found} can be read: the file was edited"
            )
    for incident in footer.incidents:
        yield Problem(last, f"the run says of itself: {incident}")
