"""`vimmerse-mock drift`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Final

import click
from rich.console import Console

from vimmerse_contracts.runs.drift import (
    DocumentError,
    Finding,
    Severity,
    compare_documents,
    compare_evidence,
)
from vimmerse_contracts.runs.evidence.file import Evidence, EvidenceError, load_evidence
from vimmerse_mock.cli.options import fail, option

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


def _as_json(report: Report) -> None:
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
    {"text": _text, "json": _as_json, "markdown": _markdown}
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


_JUDGED: Final = (0, 1)
"""Exit codes of pytest after which there is a verdict on every test."""
_OTHERS_SETTINGS: Final = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
_TAIL: Final = 2_000


class RunError(RuntimeError):
    """The suite could not be run; the message says what pytest said."""


def recorded_now() -> Evidence:
    """Run the suite against a mock, and return the evidence.

    Raises:
        RunError: pytest did not get to the end of it.
    """
    with TemporaryDirectory(prefix="vimmerse-drift-") as folder:
        file = Path(folder) / "mock.jsonl"
        with Console(stderr=True).status("Running the contract suite against the mock"):
            _run(Path(folder), file)
        return load_evidence(file)


def _run(folder: Path, file: Path) -> None:
    settings = folder / "pytest.ini"
    settings.write_text("[pytest]\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "--pyargs", "vimmerse_contracts.suite"]
    command += ["--vimmerse-target=mock", f"--vimmerse-evidence={file}", f"-c{settings}"]
    command += ["-q", "-pno:cacheprovider", "-pno:randomly"]
    done = subprocess.run(  # noqa: S603 - this Python, and this project's own suite
        command,
        cwd=folder,
        env=_environment(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in _JUDGED:
        said = (done.stdout + done.stderr).strip()[-_TAIL:]
        raise RunError(
            f"the contract suite could not be run against the mock; pytest said:\n{said}"
        )


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name not in _OTHERS_SETTINGS}


_NEVER: Final = "never"


class RenameType(click.ParamType[tuple[str, str]]):
    """How paths begin, and how the contract's begin: `/story=/batch`."""

    name = "/OLD=/NEW"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's own
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, str]:
        """Take the pair apart, or say how it is written."""
        if isinstance(value, tuple):
            return value
        old, _, new = str(value).partition("=")
        if not old.startswith("/") or not new.startswith("/"):
            self.fail(f"{value!r} is not like {self.name}", param, ctx)
        return old, new


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path), required=False)
@option("--openapi", is_flag=True, help="Compare two OpenAPI documents instead of evidence.")
@option(
    "--rename",
    type=RenameType(),
    multiple=True,
    help="How the paths of an OpenAPI document begin, and what they are here; repeatable.",
)
@option("--format", default="text", type=click.Choice(list(FORMATS)), help="How to write it.")
@option(
    "--fail-on",
    default=Severity.BREAKING.value,
    type=click.Choice([*map(str, Severity), _NEVER]),
    help="End with exit code 1 where something is found that is as bad, or worse.",
)
def command(
    *,
    first: Path,
    second: Path | None,
    openapi: bool,
    rename: tuple[tuple[str, str], ...],
    format: str,  # noqa: A002 - the option's name
    fail_on: str,
) -> None:
    """Say where SECOND differs from FIRST: two evidence files of the contract suite.

    Without SECOND, the suite is run against the mock, here and now. With --openapi, both are
    OpenAPI documents in JSON. Exit code 0: nothing bad was found; 1: see --fail-on; 2: a file
    cannot be used.
    """
    try:
        report = _documents(first, second, dict(rename)) if openapi else _evidence(first, second)
    except (DocumentError, EvidenceError, RunError) as error:
        fail(str(error))
    for problem in report.problems:
        click.echo(f"vimmerse-mock: {problem}", err=True)
    render(report, format)
    if _is_bad(report.findings, fail_on):
        sys.exit(1)


def _evidence(first: Path, second: Path | None) -> Report:
    before = load_evidence(first)
    now = load_evidence(second) if second else recorded_now()
    problems = [
        f"{path}, {problem}"
        for path, evidence in ((first, before), (second or "the mock", now))
        for problem in evidence.problems
    ]
    findings = compare_evidence(before, now)
    return Report(f"{first} ({before.name})", _titled(second, now.name), findings, problems)


def _titled(path: Path | None, name: str) -> str:
    return f"{path} ({name})" if path else f"the mock as it is now ({name})"


def _documents(first: Path, second: Path | None, renamed: Mapping[str, str]) -> Report:
    if second is None:
        raise DocumentError(
            "--openapi compares two documents: name the second one, too "
            "(vimmerse-mock openapi prints the mock's)"
        )
    findings = compare_documents(_json(first), _json(second), renamed)
    return Report(str(first), str(second), findings)


def _json(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{path} is no OpenAPI document in JSON: {error}") from error


def _is_bad(findings: Sequence[Finding], fail_on: str) -> bool:
    if fail_on == _NEVER:
        return False
    return any(each.severity.rank <= Severity(fail_on).rank for each in findings)
