"""`vimmerse-mock drift`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from vimmerse_contracts.drift import (
    DocumentError,
    Finding,
    Severity,
    compare_documents,
    compare_evidence,
)
from vimmerse_contracts.evidence.reader import EvidenceError, load_evidence
from vimmerse_mock.cli.drift_report import FORMATS, Report, render
from vimmerse_mock.cli.drift_run import RunError, recorded_now
from vimmerse_mock.cli.options import fail, option

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
