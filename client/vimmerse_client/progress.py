"""The progress bar that `wait` shows on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vimmerse_client.errors import excerpt
from vimmerse_client.models import Batch


@contextmanager
def progress_bar() -> Iterator[Callable[[Batch], None]]:
    """Show a bar for as long as the context lasts; call what it yields with every reading."""
    # rich is slow to import, and most programs show no bar.
    from rich import progress  # noqa: PLC0415 - only who shows progress pays for it
    from rich.console import Console  # noqa: PLC0415 - as above

    columns = (progress.TextColumn("{task.description}", markup=False), progress.BarColumn())
    times = (progress.TaskProgressColumn(), progress.TimeElapsedColumn())
    with progress.Progress(*columns, *times, console=Console(stderr=True)) as bar:
        task = bar.add_task("waiting", total=100)

        def show(batch: Batch) -> None:
            bar.update(task, completed=batch.progress_percentage, description=excerpt(batch.status))

        yield show
