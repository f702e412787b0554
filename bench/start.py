"""From the start of a process to its first answer."""

from __future__ import annotations

from statistics import median
from typing import Final

from bench.context import Context
from bench.figures import Aim, Figure, Section, interleave
from bench.servers import Command, bare_granian, mock_granian, running

_AIM: Final = Aim("<", 0.25)
_MEANING: Final = (
    "Seconds from the start of the process `vimmerse-mock serve` to the first answer of "
    "`GET /health`, which is asked every millisecond; beside it the same of a bare Flask app under "
    "granian. Files are in the page cache and byte code is compiled."
)


def start(context: Context) -> Section:
    """Measure how soon `vimmerse-mock serve` answers."""
    results = interleave(
        {
            "ours": lambda: _started_in(context, "vimmerse-mock serve", mock_granian),
            "bare": lambda: _started_in(context, "bare Flask under granian", bare_granian),
        },
        context.amount(2, 9),
    )
    ours, bare = median(results["ours"]), median(results["bare"])
    return Section("start", _MEANING, [Figure("start to first answer", ours, "s", bare, _AIM)])


def _started_in(context: Context, subject: str, command: Command) -> float:
    context.step(f"start of {subject}")
    with running(command, context) as server:
        return server.started_in
