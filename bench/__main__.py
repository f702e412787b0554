"""The command line: `python -m bench [--quick] [--only NAME]`, with `tests` on the path."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

from bench import growth, rates, scale, starting, suites, waiting
from bench.figures import Benchmark, Run
from bench.report import write_report

_REPORTS: Final[dict[str, tuple[Benchmark, ...]]] = {
    "RESULTS.md": (
        *(rates.rates, waiting.waiting, waiting.clients, starting.starting),
        *(suites.suites, growth.growth, growth.memory),
    ),
    "SCALE.md": (scale.scale,),
}
"""The reports and their benchmarks, whose docstrings they cite."""
_NAMES: Final = [each.__name__ for benchmarks in _REPORTS.values() for each in benchmarks]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Measure shortly, to see that it works.")
@click.option("--only", type=click.Choice(_NAMES), multiple=True, help="Run this only; repeatable.")
def main(*, quick: bool, only: tuple[str, ...]) -> None:
    """Measure the mock beside what a user would have without it.

    Reports of which everything was measured are written to their files, except with --quick.
    """
    with TemporaryDirectory(prefix="vimmerse-bench-") as folder:
        run = Run(quick, Path(folder))
        for name, benchmarks in _REPORTS.items():
            chosen = [each for each in benchmarks if not only or each.__name__ in only]
            report = write_report(run, {each.__doc__ or "": _rows(run, each) for each in chosen})
            if chosen:
                click.echo(report)
            if chosen == [*benchmarks] and not quick:
                Path(__file__).with_name(name).write_text(report, encoding="utf-8")


def _rows(run: Run, benchmark: Benchmark) -> list[str]:
    try:
        return [figure.row() for figure in benchmark(run)]
    except Exception as error:  # noqa: BLE001 - whatever fails, the others' figures are not lost
        return [f"| not measured: {error!r} | | | | | |"]


if __name__ == "__main__":
    main()
