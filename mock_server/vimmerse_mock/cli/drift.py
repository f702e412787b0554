"""`vimmerse-mock drift`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final

import click

from vimmerse_contracts.operations import OPERATIONS
from vimmerse_contracts.runs.drift import (
    DocumentError,
    Finding,
    Severity,
    compare_documents,
    compare_evidence,
)
from vimmerse_contracts.runs.evidence.file import Evidence, EvidenceError, load_evidence
from vimmerse_mock.cli.options import Parsed, fail

_MATCH: Final = ("operation", "first", "second")
_COLUMNS: Final = ("severity", "what", "where", "expected", "seen")
_STYLES: Final[Mapping[str, str]] = MappingProxyType(
    {"breaking": "bold red", "additive": "yellow", "cosmetic": "dim"}
)
_LONGEST: Final = 200
_NEVER: Final = "never"
_JUDGED: Final = (0, 1)
"""Exit codes of `check` after which there is a verdict on every test."""
_LAST_WORDS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Report:
    """What was compared, what was found, and what could not be compared.

    `matched` has each operation of two documents, and its method and path in both.
    """

    first: str
    second: str
    findings: Sequence[Finding]
    problems: Sequence[str] = ()
    matched: Sequence[Sequence[str]] = ()
    complete: bool = True

    @property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each severity."""
        counted = Counter(finding.severity for finding in self.findings)
        return {severity.value: counted[severity] for severity in Severity}

    @property
    def verdict(self) -> str:
        """What was found, in one sentence."""
        if not self.findings:
            return "No drift." if self.complete else "No drift in what could be compared."
        return ", ".join(f"{count} {severity}" for severity, count in self.counts.items())

    @property
    def sides(self) -> str:
        """What was compared with what, in lines."""
        lines = [f"first:  {self.first}", f"second: {self.second}"]
        lines += [f"{name}: {first} = {second}" for name, first, second in self.matched]
        return "\n".join(map(_plain, lines)) + "\n"

    @property
    def rows(self) -> Iterator[tuple[str, ...]]:
        """The findings as cells, one for each of the columns."""
        for each in self.findings:
            where = f"{each.place} {each.path}".strip()
            cells = (each.severity.value, each.kind, where, each.expected, each.seen)
            yield tuple(map(_plain, cells))


def _plain(text: str) -> str:
    """Keep what a service said on one line, short, and away from the terminal's controls."""
    shown = "".join(each if each.isprintable() else " " for each in text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def _print_text(report: Report) -> None:
    if sys.stdout.isatty():
        _print_table(report)
        return
    click.echo(report.sides)
    for severity, what, where, expected, seen in report.rows:
        click.echo(f"{severity}: {what}: {where}: expected {expected}; seen {seen}")
    click.echo(report.verdict)


def _print_table(report: Report) -> None:
    from rich.console import Console  # noqa: PLC0415 - a pipe needs no table
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    console = Console()
    console.print(Text(report.sides))
    if report.findings:
        table = Table(*_COLUMNS)
        for severity, *others in report.rows:
            table.add_row(Text(severity, _STYLES[severity]), *map(Text, others))
        console.print(table)
    console.print(report.verdict, highlight=False)


def _print_json(report: Report) -> None:
    document = {
        "first": report.first,
        "second": report.second,
        "matched": [dict(zip(_MATCH, each, strict=True)) for each in report.matched],
        "counts": report.counts,
        "findings": [asdict(finding) for finding in report.findings],
        "problems": list(report.problems),
    }
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _print_markdown(report: Report) -> None:
    def code(text: str) -> str:
        return f"`{_plain(text).replace('`', chr(39)).replace('|', chr(92) + '|')}`" if text else ""

    click.echo(f"### Drift: {report.verdict.removesuffix('.')}\n")
    click.echo(f"From {code(report.first)} to {code(report.second)}.")
    matched = [list(map(code, match)) for match in report.matched]
    findings = [[f"**{each[0]}**", each[1], *map(code, each[2:])] for each in report.rows]
    for columns, rows in ((_MATCH, matched), (_COLUMNS, findings)):
        if rows:
            table = [columns, ["---"] * len(columns), *rows]
            click.echo("\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in table))
    if report.problems:
        click.echo("\nNot all could be compared:\n")
        for problem in report.problems:
            click.echo(f"- {code(problem)}")


FORMATS: Final[Mapping[str, Callable[[Report], None]]] = MappingProxyType(
    {"text": _print_text, "json": _print_json, "markdown": _print_markdown}
)


class RunError(RuntimeError):
    """The suite could not be run; the message has what it said."""


def recorded_now() -> Evidence:
    """Run the suite against a mock, and return the evidence.

    Raises:
        RunError: the suite did not get to its end.
    """
    from rich.console import Console  # noqa: PLC0415 - two files need none

    with TemporaryDirectory(prefix="vimmerse-drift-") as folder:
        file = Path(folder) / "mock.jsonl"
        check = [sys.executable, "-m", "vimmerse_mock.cli", "check"]
        with Console(stderr=True).status("Running the contract suite against the mock"):
            done = subprocess.run(  # noqa: S603 - this project's own command
                [*check, "--target=mock", f"--evidence={file}"],
                cwd=folder,
                env={name: v for name, v in os.environ.items() if not name.startswith("VIMMERSE_")},
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode not in _JUDGED:
            said = (done.stdout + done.stderr).strip()[-_LAST_WORDS:]
            raise RunError(f"the contract suite could not be run against the mock:\n{said}")
        return load_evidence(file)


def _mapped(text: str) -> tuple[str, str]:
    label, _, operation = text.rpartition("=")
    known = [each.id for each in OPERATIONS]
    if not re.fullmatch(r"[A-Za-z]+ /\S*", label) or operation not in known:
        raise ValueError(
            f"{text!r} is not like 'POST /story=create_batch'; operations: {', '.join(known)}"
        )
    method, path = label.split()
    return f"{method.upper()} {path}", operation


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path), required=False)
@click.option("--openapi", is_flag=True, help="Compare two OpenAPI documents (JSON) instead.")
@click.option(
    "--map",
    "mapped",
    type=Parsed("'METHOD /PATH=OPERATION'", _mapped),
    multiple=True,
    help="Operation of an OpenAPI document, and its id in the contract; repeatable.",
)
@click.option(
    "--format",
    "format_",
    default="text",
    type=click.Choice(list(FORMATS)),
    show_default=True,
    help="Output: text for a terminal, markdown for a pull request, json for programs.",
)
@click.option(
    "--fail-on",
    default=Severity.BREAKING.value,
    type=click.Choice([*map(str, Severity), _NEVER]),
    show_default=True,
    help="Exit with code 1 if there is a finding of this severity or worse.",
)
def command(
    *,
    first: Path,
    second: Path | None,
    openapi: bool,
    mapped: tuple[tuple[str, str], ...],
    format_: str,
    fail_on: str,
) -> None:
    """Show how SECOND differs from FIRST, two evidence files of the contract suite.

    Without SECOND, the suite runs against the mock now. With --openapi, both are OpenAPI documents
    in JSON. Exit code 0: no finding as severe as --fail-on; 1: there is one; 2: a file cannot be
    used, or an operation that needs a key has no match.
    """
    try:
        report = _documents(first, second, dict(mapped)) if openapi else _evidence(first, second)
    except (DocumentError, EvidenceError, RunError) as error:
        fail(str(error))
    for problem in report.problems:
        click.echo(f"vimmerse-mock: {problem}", err=True)
    FORMATS[format_](report)
    if not report.complete:
        sys.exit(2)
    if fail_on != _NEVER and any(
        each.severity.rank <= Severity(fail_on).rank for each in report.findings
    ):
        sys.exit(1)


def _evidence(first: Path, second: Path | None) -> Report:
    before = load_evidence(first)
    now = load_evidence(second) if second else recorded_now()
    problems = [
        f"{path}, {problem}"
        for path, evidence in ((first, before), (second or "the mock", now))
        for problem in evidence.problems
    ]
    title = f"{second or 'the mock as it is now'} ({now.name})"
    return Report(f"{first} ({before.name})", title, compare_evidence(before, now), problems)


def _documents(first: Path, second: Path | None, mapped: Mapping[str, str]) -> Report:
    if second is None:
        raise DocumentError(
            "--openapi compares two documents: add the second one "
            "(vimmerse-mock openapi prints the mock's)"
        )
    try:
        drift = compare_documents(_json(first), _json(second), mapped)
    except RecursionError as error:
        raise DocumentError("the schemas of a document nest too deep to be compared") from error
    matched, problems = [], []
    for match in drift.matches:
        name, method = match.operation.id, match.operation.method
        labels = [each.label if each else "none" for each in (match.first, match.second)]
        matched.append((name, *labels))
        for path, label in zip((first, second), labels, strict=True):
            if label == "none" and match.operation.needs_key:
                hint = f"which one is it? --map '{method} /PATH={name}'"
                problems.append(f"{path} has no match for {name}: {hint}")
    return Report(str(first), str(second), drift.findings, problems, matched, not problems)


def _json(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{path} is not an OpenAPI document in JSON: {error}") from error
