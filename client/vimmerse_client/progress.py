"""The progress bar that `wait` shows on stderr; imported only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from vimmerse_client.models import Batch


@contextmanager
def progress_bar() -> Iterator[Callable[[Batch], None]]:
    """Show a bar for as long as the context lasts; call what it yields with every reading."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task("waiting", total=100)

        def show(batch: Batch) -> None:
            bar.update(task, completed=batch.progress_percentage, description=batch.status.value)

        yield show
