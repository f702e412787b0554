"""Resident memory, of all processes of a server, as Linux tells it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.context import Context
from bench.figures import Aim, BenchError, Figure, Section
from bench.servers import (
    Command,
    Server,
    bare_granian,
    create_call,
    mock_granian,
    running,
    send,
)

_REST_AIM: Final = Aim("<", 80.0)
_BATCH_AIM: Final = Aim("<=", 2.0)
_FIRST_BATCHES: Final = 1100
_SETTLE_SECONDS: Final = 0.5
_MEANING: Final = (
    "MB (10^6 bytes) of `vimmerse-mock serve`, all its processes. RSS is the sum of each process's "
    "resident pages, so that pages they share count twice; PSS shares them out, also with whatever "
    "else on the machine has them mapped. At rest: after the "
    "first answer, beside a bare Flask app under granian. Per thousand batches: what RSS grows by, "
    f"per thousand batches created over HTTP, once the first {_FIRST_BATCHES} have filled the "
    "mock's caches."
)


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes: every resident page, and with shared pages shared out."""

    rss: float
    pss: float


def memory(context: Context) -> Section:
    """Measure what `vimmerse-mock serve` keeps resident."""
    ours = _at_rest(context, "vimmerse-mock serve", mock_granian)
    bare = _at_rest(context, "bare Flask under granian", bare_granian)
    per_thousand = "resident per thousand batches of"
    figures = [
        Figure("resident at rest, RSS", ours.rss, "MB", bare.rss, _REST_AIM),
        Figure("resident at rest, PSS", ours.pss, "MB", bare.pss),
        Figure(f"{per_thousand} one image", _growth(context, 1), "MB", aim=_BATCH_AIM),
        Figure(f"{per_thousand} four images", _growth(context, 4), "MB", aim=_BATCH_AIM),
    ]
    return Section("memory", _MEANING, figures)


def _at_rest(context: Context, subject: str, command: Command) -> Memory:
    context.step(f"memory of {subject} at rest")
    with running(command, context) as server:
        time.sleep(_SETTLE_SECONDS)
        return _memory_of(server)


def _growth(context: Context, images: int) -> float:
    """Megabytes per thousand batches."""
    context.step(f"memory of batches of {images}")
    thousands = context.amount(1, 6)
    with running(mock_granian, context) as server:
        _create(server, images, _FIRST_BATCHES)
        before = _memory_of(server)
        _create(server, images, thousands * 1000)
        return (_memory_of(server).rss - before.rss) / thousands


def _create(server: Server, images: int, batches: int) -> None:
    for _body in send(server, create_call(images), batches):
        pass


def _memory_of(server: Server) -> Memory:
    """Sum over a server's process and its descendants.

    Raises:
        BenchError: this system has no /proc as Linux has it.
    """
    try:
        parts = [_read(pid) for pid in _family(server.pid)]
    except OSError as error:
        raise BenchError(f"memory is read from Linux' /proc: {error}") from error
    return Memory(sum(part.rss for part in parts), sum(part.pss for part in parts))


def _family(pid: int) -> list[int]:
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return [pid, *(relative for child in children for relative in _family(child))]


def _read(pid: int) -> Memory:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {name: int(size.split()[0]) * 1024 / 1e6 for name, size in _pairs(lines)}
    return Memory(sizes["Rss"], sizes["Pss"])


def _pairs(lines: list[str]) -> list[tuple[str, str]]:
    return [(name, size) for name, _, size in (line.partition(":") for line in lines)]
