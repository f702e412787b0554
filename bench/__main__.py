"""The command line: `python -m bench [--quick] [--only NAME] [--sizes N,...] [--output FILE]`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import advance, fairness, inprocess, journal, memory, plans, rates, start, stores
from bench.context import Context
from bench.databases import Databases
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
        "journal": journal.journal,
        "stores": stores.stores,
        "explain": plans.explain,
        "advance": advance.advance,
        "fairness": fairness.fairness,
    }
)
"""Every benchmark by its name, in the order of the report. A new one is a line here."""
_QUICK_SIZES: Final = (10, 1_000, 10_000)
_SIZES: Final = (10, 10_000, 1_000_000)


def _joined(sizes: Sequence[int]) -> str:
    return ",".join(map(str, sizes))


class SizesType(click.ParamType[tuple[int, ...]]):
    """Numbers of batches, as `10,10000`."""

    name = "N,..."

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's own
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[int, ...]:
        """Read them, smallest first."""
        try:
            sizes = tuple(sorted({int(word) for word in str(value).split(",")}))
        except ValueError:
            sizes = ()
        if not sizes or sizes[0] < 1:
            self.fail(f"{value!r} is not like 10,10000,1000000", param, ctx)
        return sizes


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Measure shortly: to see that it works.")
@click.option(
    "--only",
    type=click.Choice(list(BENCHMARKS)),
    multiple=True,
    help="Run this benchmark only; repeatable.",
)
@click.option(
    "--sizes",
    type=SizesType(),
    help=f"How many batches the stores have; {_joined(_SIZES)}, quick {_joined(_QUICK_SIZES)}.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Write the report here. A complete run writes {RESULTS.name} by itself.",
)
def main(
    *, quick: bool, only: tuple[str, ...], sizes: tuple[int, ...] | None, output: Path | None
) -> None:
    """Measure the mock, beside what a user would have without it.

    Never fails for a figure: the report says which aims are met.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    target = output or (None if quick or only else RESULTS)
    sizes = sizes or (_QUICK_SIZES if quick else _SIZES)
    try:
        text = _run(only or tuple(BENCHMARKS), sizes, quick=quick)
    except BenchError as error:
        raise click.ClickException(str(error)) from error
    if target is not None:
        target.write_text(text, encoding="utf-8")
    click.echo(text)


def _run(names: Sequence[str], sizes: tuple[int, ...], *, quick: bool) -> str:
    with (
        TemporaryDirectory(prefix="vimmerse-bench-") as folder,
        _progress() as progress,
        ExitStack() as stack,
    ):
        task = progress.add_task("", total=len(names))

        def step(what: str) -> None:
            progress.update(task, description=what, refresh=True)

        scratch = Path(folder)
        context = Context(
            quick=quick,
            busy=os.getloadavg()[0],
            scratch=scratch,
            generator=open_generator(scratch),
            answer=inprocess.answer_of_the_mock(),
            step=step,
            databases=Databases(scratch, stack, step),
            sizes=sizes,
        )
        sections = []
        for name in names:
            sections.append(_section(name, context))
            progress.update(task, advance=1, refresh=True)
        return report(context, sections)


def _section(name: str, context: Context) -> Section:
    """Run a benchmark; if it fails, the others' figures are not lost: the table says why."""
    try:
        return BENCHMARKS[name](context)
    except BenchError as error:
        why = str(error).replace("|", "/").replace("\n", " ")
        return Section(name, "it failed.", (), {name: why})


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
