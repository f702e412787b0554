"""The reports: every figure with its aim, what it means, and the machine."""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from inspect import cleandoc
from pathlib import Path
from typing import Final

from bench.figures import Run

_PACKAGES: Final = (
    "flask granian uvloop httptools requests responses pytest pytest-httpserver psycopg"
)
_TABLE: Final = (
    "| what | the mock | beside it | ratio | aim | |\n| --- | ---: | ---: | ---: | --- | --- |"
)


def write_report(run: Run, results: Mapping[str, Sequence[str]]) -> str:
    """Write a report of rows by what they mean."""
    judged = [row for each in results.values() for row in each if row.endswith("met |")]
    met = sum(row.endswith("| met |") for row in judged)
    lines = ["# Measured", "", _circumstances(run), ""]
    if judged:
        lines += [f"{met} of {len(judged)} aims are met.", ""]
    for meaning, rows in results.items():
        title, _, text = cleandoc(meaning).partition(".\n\n")
        lines += [f"## {title}", "", text, "", _TABLE, *rows, ""]
    return "\n".join(lines)


def _circumstances(run: Run) -> str:
    """Say when, how and on which machine it was measured."""
    how = "quick, too short to be trusted" if run.quick else "medians of turns taken in turn"
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES.split())
    return cleandoc(f"""
        By `make bench` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {how}. The ratios count: what
        is compared was measured side by side, in the same run. Nothing fails for a figure.

        - {_processor()}, {os.cpu_count()} cores; load average {os.getloadavg()[2]:.1f}
        - {platform.platform()}, Python {platform.python_version()}
        - {packages}
        - load over HTTP by wrk with one thread, on the same machine
    """)


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", file.read_text()) if file.exists() else []
    return names[0] if names else platform.machine()
