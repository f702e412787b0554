"""The command line: `python -m bench [--quick] [--only NAME]... [--output FILE]`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import inprocess, memory, rates, start
from bench.context import Context
from bench.figures import BenchError, Section
from bench.load import open_generator
from bench.report import report

RESULTS: Final = Path(__file__).with_name("RESULTS.md")

BENCHMARKS: Final[Mapping[str, Callable[[Context], Section]]] = MappingProxyType(
    {
        "granian": rates.granian,
        "waitress": rates.waitress,
        "start": start.start,
        "memory": memory.memory,
        "intercept": inprocess.intercepted,
        "fixture": inprocess.fixture,
        "server": inprocess.server,
    }
)
"""Every benchmark by its name, in the order of the report. A new one is a line here."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Measure shortly: to see that it works.")
@click.option(
    "--only",
    type=click.Choice(list(BENCHMARKS)),
    multiple=True,
    help="Run this benchmark only; repeatable.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Write the report here. A complete run writes {RESULTS.name} by itself.",
)
def main(*, quick: bool, only: tuple[str, ...], output: Path | None) -> None:
    """Measure the mock, beside what a user would have without it.

    Never fails for a figure: the report says which aims are met.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    target = output or (None if quick or only else RESULTS)
    try:
        text = _run(only or tuple(BENCHMARKS), quick=quick)
    except BenchError as error:
        raise click.ClickException(str(error)) from error
    if target is not None:
        target.write_text(text, encoding="utf-8")
    click.echo(text)


def _run(names: Sequence[str], *, quick: bool) -> str:
    with TemporaryDirectory(prefix="vimmerse-bench-") as folder, _progress() as progress:
        task = progress.add_task("", total=len(names))

        def step(what: str) -> None:
            progress.update(task, description=what, refresh=True)

        scratch = Path(folder)
        generator = open_generator(scratch)
        answer = inprocess.answer_of_the_mock()
        context = Context(quick, os.getloadavg()[0], scratch, generator, answer, step)
        sections = []
        for name in names:
            sections.append(BENCHMARKS[name](context))
            progress.update(task, advance=1, refresh=True)
        return report(context, sections)


def _progress() -> Progress:
    """Show progress on stderr, only when told: a thread that refreshes would disturb figures."""
    return Progress(
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
    )


if __name__ == "__main__":
    main()
