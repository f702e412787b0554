"""Requests per second and the 99th percentile over real HTTP, beside a bare Flask route."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.context import Context
from bench.figures import Aim, Figure, Section, interleave
from bench.load import CONNECTIONS, Call, Load
from bench.servers import (
    Command,
    Server,
    bare_granian,
    bare_waitress,
    create_call,
    mock_granian,
    mock_waitress,
    read_calls,
    running,
)

_READ_AIM: Final = Aim(">=", 0.5, of_ratio=True)
_CREATE_AIM: Final = Aim(">=", 0.25, of_ratio=True)
_MANY: Final = 2_000
"""More batches than the mock keeps answers."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How a server bore the loads."""

    read: Load
    spread: Load
    create: Load


def granian(context: Context) -> Section:
    """Measure `vimmerse-mock serve`."""
    return _section(context, "granian", "`vimmerse-mock serve`", mock_granian, bare_granian)


def waitress(context: Context) -> Section:
    """Measure `MockServer`, in a process of its own."""
    return _section(context, "waitress", "`MockServer`", mock_waitress, bare_waitress)


def _section(context: Context, name: str, subject: str, ours: Command, bare: Command) -> Section:
    results = interleave(
        {
            "ours": lambda: _measure(context, subject, ours),
            "bare": lambda: _measure(context, "bare Flask", bare),
        },
        context.rounds,
    )
    return Section(name, _meaning(name, subject), _figures(name, results["ours"], results["bare"]))


def _measure(context: Context, subject: str, command: Command) -> Rates:
    """Give one server its turn, fresh from its start."""
    with running(command, context) as server:
        context.step(f"{subject}: GET /batch/{{id}}")
        read = _load(context, server, read_calls(server))
        context.step(f"{subject}: GET /batch/{{id}}, {_MANY:,} batches in turn")
        spread = _load(context, server, read_calls(server, _MANY))
        context.step(f"{subject}: POST /batch")
        return Rates(read, spread, _load(context, server, [create_call()]))


def _load(context: Context, server: Server, calls: Sequence[Call]) -> Load:
    if not context.quick:
        context.generator.run(server.url, calls, 1)
    return context.generator.run(server.url, calls, context.amount(1, 4))


def _figures(name: str, ours: Sequence[Rates], bare: Sequence[Rates]) -> list[Figure]:
    reads = [r.read for r in ours], [r.read for r in bare]
    spreads = [r.spread for r in ours], [r.spread for r in bare]
    creates = [r.create for r in ours], [r.create for r in bare]
    return [
        *_pair(f"{name}: GET /batch/{{id}}", *reads, _READ_AIM),
        *_pair(f"{name}: GET /batch/{{id}}, {_MANY:,} batches in turn", *spreads),
        *_pair(f"{name}: POST /batch", *creates, _CREATE_AIM),
    ]


def _pair(
    what: str, ours: Sequence[Load], bare: Sequence[Load], aim: Aim | None = None
) -> list[Figure]:
    rates = median(load.rate for load in ours), median(load.rate for load in bare)
    p99s = median(load.p99 for load in ours), median(load.p99 for load in bare)
    return [
        Figure(what, rates[0], "/s", rates[1], aim),
        Figure(f"{what}, p99", p99s[0], "ms", p99s[1]),
    ]


def _meaning(name: str, subject: str) -> str:
    return (
        f"{subject} over real HTTP at {CONNECTIONS} kept-alive connections, beside a bare Flask "
        f"app on {name} with the same settings, sent the same requests. Its route answers the "
        "mock's own bytes, ready-made; its POST reads one field of `request.form`. GET reads one "
        "batch while it runs and after, which the mock answers from answers that it keeps; with "
        f"{_MANY:,} batches in turn it has to write every answer afresh, while the bare app has "
        "but its one answer ready. POST is form-encoded with one image URL. p99: 99 % of the "
        "answers were faster."
    )
