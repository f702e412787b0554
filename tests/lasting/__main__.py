"""The soak: `python -m lasting [--kills 100] [--store both] [--seed TEXT] [--minutes 30]`."""

from __future__ import annotations

import secrets
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lasting.ordeal import Ordeal, Plan, Report
from support.postgres import running_postgres

_CHOICES: Final = {
    "sqlite": ("sqlite",),
    "postgresql": ("postgresql",),
    "both": ("sqlite", "postgresql"),
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--kills", default=100, show_default=True, type=click.IntRange(min=1))
@click.option("--store", default="both", show_default=True, type=click.Choice(list(_CHOICES)))
@click.option("--seed", default="", help="What is random, again; made up if none is given.")
@click.option("--minutes", default=30, show_default=True, help="The longest per store.")
def main(*, kills: int, store: str, seed: str, minutes: int) -> None:
    """Kill a mock under load with `kill -9`, again and again, and show that nothing is lost.

    Exit code 1 if anything is.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seed = seed or secrets.token_hex(4)
    click.echo(f"seed {seed}")
    plan = Plan("", Path(), kills, seed, waits_for_leases=True, longest_seconds=60 * minutes)
    reports = [_report(plan, name) for name in _CHOICES[store]]
    if any(report.problems for report in reports):
        sys.exit(1)


def _report(plan: Plan, name: str) -> Report:
    """Run the plan on one store, and say what came of it."""
    with _store(name) as (folder, url), _progress(name, plan.kills) as step:
        report = Ordeal(replace(plan, store_url=url, folder=folder, on_kill=step)).run()
        said = (folder / "serve.log").read_text()
    click.echo(f"\n{name}: {report}")
    if report.problems and said:
        click.echo(f"\nwhat the mock said last:\n{said[-5_000:]}")
    return report


@contextmanager
def _store(name: str) -> Iterator[tuple[Path, str]]:
    """Make an empty store; a folder for what the mock writes, and the store's URL."""
    with TemporaryDirectory(prefix="vimmerse-soak-") as path:
        folder = Path(path)
        if name == "sqlite":
            yield folder, f"sqlite:///{folder}/mock.db"
            return
        with running_postgres() as server:
            yield folder, server.create_database()


@contextmanager
def _progress(name: str, kills: int) -> Iterator[Callable[[], None]]:
    columns: Sequence[TextColumn | BarColumn | MofNCompleteColumn | TimeElapsedColumn] = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"kills on {name}", total=kills)
        yield lambda: progress.advance(task)


if __name__ == "__main__":
    main()
