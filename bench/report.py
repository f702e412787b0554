"""The report: what was measured, where, and what it means, as markdown."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from bench.context import Context
from bench.figures import Aim, Figure, Section, written

_PACKAGES: Final = (
    "flask",
    "werkzeug",
    "granian",
    "waitress",
    "requests",
    "responses",
    "marshmallow",
    "webargs",
    "sqlalchemy",
    "psycopg",
)
_HEAD: Final = (
    "| what | the mock | beside it | ratio | aim | |",
    "| --- | ---: | ---: | ---: | --- | --- |",
)


def report(context: Context, sections: Sequence[Section]) -> str:
    """Write the whole report."""
    lines = [
        "# Measured",
        "",
        *_circumstances(context),
        "",
        *_HEAD,
        *(row for section in sections for row in _rows(section)),
        "",
        "## What the figures mean",
        "",
        *(f"- *{section.name}*: {section.meaning}" for section in sections),
        *(line for section in sections for line in section.details),
    ]
    return "\n".join(lines) + "\n"


def _rows(section: Section) -> list[str]:
    absent = [f"| {what} | not measured: {why} | | | | |" for what, why in section.absent.items()]
    return [*map(_row, section.figures), *absent]


def _row(figure: Figure) -> str:
    beside = "" if figure.beside is None else written(figure.beside, figure.unit)
    ratio = "" if figure.ratio is None else written(figure.ratio, "x")
    cells = [written(figure.ours, figure.unit), beside, ratio, _aim(figure), figure.verdict]
    return f"| {' | '.join([figure.what, *cells])} |"


def _aim(figure: Figure) -> str:
    aim: Aim | None = figure.aim
    if aim is None:
        return ""
    unit = "x" if aim.of_ratio else figure.unit
    return f"{_SIGNS[aim.sign]} {aim.bound:,g} {unit}"


_SIGNS: Final = {"<": "<", "<=": "≤", ">=": "≥"}


def _circumstances(context: Context) -> list[str]:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    how = "quick: too short to be trusted" if context.quick else "medians of turns taken one by one"
    return [
        f"By `python -m bench` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {how}. The ratios are",
        "what counts: both sides were measured in the same run, in turn.",
        "",
        f"- machine: {_processor()}, {os.cpu_count()} cores",
        f"- system: {platform.platform()}; load average before the run {context.busy:.1f}",
        f"- Python {platform.python_version()}; {packages}, SQLite {sqlite3.sqlite_version}",
        f"- load by {context.generator.name}",
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
