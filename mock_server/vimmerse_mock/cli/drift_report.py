"""How findings are written: a table for people, JSON for programs, markdown for a pull request."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final

import click

from vimmerse_contracts.drift import Finding, Severity

_STYLES: Final[Mapping[Severity, str]] = MappingProxyType(
    {Severity.BREAKING: "bold red", Severity.ADDITIVE: "yellow", Severity.COSMETIC: "dim"}
)
_COLUMNS: Final = ("severity", "what", "where", "expected", "seen")
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Report:
    """What was compared, what was found, and what of the files could not be used."""

    first: str
    second: str
    findings: Sequence[Finding]
    problems: Sequence[str] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Count the findings by severity."""
        counted = Counter(finding.severity for finding in self.findings)
        return {severity.value: counted[severity] for severity in Severity}

    @property
    def verdict(self) -> str:
        """Say in one sentence what was found."""
        if not self.findings:
            return "No drift."
        return ", ".join(f"{count} {severity}" for severity, count in self.counts.items())


def render(report: Report, format: str) -> None:  # noqa: A002 - the option's name
    """Write a report on stdout."""
    FORMATS[format](report)


def _text(report: Report) -> None:
    if sys.stdout.isatty():
        _table(report)
        return
    click.echo(f"first:  {_plain(report.first)}\nsecond: {_plain(report.second)}\n")
    for severity, what, where, expected, seen in map(_row, report.findings):
        click.echo(f"{severity}: {what}: {where}: expected {expected}; seen {seen}")
    click.echo(report.verdict)


def _table(report: Report) -> None:
    from rich.console import Console  # noqa: PLC0415 - a pipe needs no table
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    console = Console()
    console.print(Text(f"first:  {_plain(report.first)}\nsecond: {_plain(report.second)}\n"))
    if report.findings:
        table = Table(*_COLUMNS)
        for finding in report.findings:
            severity, *others = _row(finding)
            table.add_row(Text(severity, _STYLES[finding.severity]), *map(Text, others))
        console.print(table)
    console.print(report.verdict, highlight=False)


def _json(report: Report) -> None:
    document = {
        "first": report.first,
        "second": report.second,
        "counts": report.counts,
        "findings": [asdict(finding) for finding in report.findings],
        "problems": list(report.problems),
    }
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _markdown(report: Report) -> None:
    click.echo("\n".join(_markdown_lines(report)))


def _markdown_lines(report: Report) -> Iterator[str]:
    yield f"### Drift: {report.verdict.removesuffix('.')}"
    yield ""
    yield f"From {_code(report.first)} to {_code(report.second)}."
    if report.findings:
        yield ""
        yield f"| {' | '.join(_COLUMNS)} |"
        yield f"|{' --- |' * len(_COLUMNS)}"
        for severity, what, *cells in map(_row, report.findings):
            yield f"| {' | '.join([f'**{severity}**', what, *map(_code, cells)])} |"
    if report.problems:
        yield ""
        yield "Not all of the files could be used:"
        yield ""
        yield from (f"- {_code(problem)}" for problem in report.problems)


FORMATS: Final[Mapping[str, Callable[[Report], None]]] = MappingProxyType(
    {"text": _text, "json": _json, "markdown": _markdown}
)


def _row(finding: Finding) -> tuple[str, str, str, str, str]:
    where = f"{finding.place} {finding.path}".strip()
    cells = (finding.kind, where, finding.expected, finding.seen)
    what, where, expected, seen = map(_plain, cells)
    return finding.severity.value, what, where, expected, seen


def _plain(text: str) -> str:
    """Keep what a service said on one line, short, and away from the terminal's controls."""
    shown = "".join(each if each.isprintable() else " " for each in text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def _code(text: str) -> str:
    """Write text in a cell of a table so that markdown reads nothing into it."""
    return f"`{_plain(text).replace('`', chr(39)).replace('|', chr(92) + '|')}`" if text else ""
