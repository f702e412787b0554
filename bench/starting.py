"""How soon things are there: `serve`, the commands, `MockServer`."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from time import perf_counter

from bench.figures import Figure, Run, seconds
from bench.servers import BARE, PROGRAM, ask, mock, serving
from vimmerse_mock import MockServer


def starting(run: Run) -> list[Figure]:
    """Starting.

    From the start of `vimmerse-mock serve` to its first answer of `GET /health`, asked every
    millisecond; beside it bare Flask on granian. What a command takes of its own, beyond
    `python -c pass`, which is beside it. `MockServer` within this process: made and started, then
    its first answer to `http.client`, then stopped; also with 64 connections that stay open. Byte
    code is compiled, and files are in the page cache.
    """

    def start(command: Sequence[str]) -> Sequence[float]:
        with serving(run, command) as server:
            return [server.started_in]

    run.step("serve")
    (ours,), (bare,) = run.in_turn(partial(start, mock()), partial(start, BARE))
    serve = Figure("serve: start to first answer", ours, "s", bare, "≤ 1.3 x")
    return [serve, *_commands(run), *_servers(run)]


def _commands(run: Run) -> list[Figure]:
    run.step("commands")

    def took(*command: str) -> Sequence[float]:
        return [seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))]

    python = partial(took, sys.executable, "-c", "pass")
    version, help_ = partial(took, PROGRAM, "--version"), partial(took, PROGRAM, "--help")
    (nothing,), *taken = run.in_turn(python, version, help_, turns=run.amount(3, 21))
    return [
        Figure(f"vimmerse-mock {option}", whole - nothing, "s", nothing, "≤ 0.1 s")
        for option, (whole,) in zip(("--version", "--help"), taken, strict=True)
    ]


def _servers(run: Run) -> list[Figure]:
    run.step("MockServer")
    measures = partial(_life, 0), partial(_life, 64)
    (start, first, stop), (*_, stop_open) = run.in_turn(*measures, turns=run.amount(5, 51))
    return [
        Figure("MockServer: start", start, "ms", aims="≤ 15 ms"),
        Figure("MockServer: first answer", first, "ms", aims="≤ 5 ms"),
        Figure("MockServer: stop", stop, "ms", aims="≤ 15 ms"),
        Figure("MockServer: stop with 64 connections", stop_open, "ms", stop, "≤ 15 ms"),
    ]


def _life(connections: int) -> Sequence[float]:
    """Measure the milliseconds of a server's start, first answer and stop."""
    with ExitStack() as stack:
        began = perf_counter()
        server = MockServer().start()
        started = perf_counter()
        ask(server.url).close()
        answered = perf_counter()
        for _ in range(connections):
            stack.callback(ask(server.url).close)
        stopping = perf_counter()
        server.stop()
        stopped = perf_counter()
    return [1e3 * (started - began), 1e3 * (answered - started), 1e3 * (stopped - stopping)]
