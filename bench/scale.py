"""How the mock is used past one machine: several of them on one PostgreSQL."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from time import perf_counter
from typing import Final

import psutil

from bench.figures import Figure, Run
from bench.servers import CREDITS, Server, mock, postgres, serving
from bench.wrk import CONNECTIONS, create_call, load, read_calls
from vimmerse_mock import Opening, RemoteMock

_CORES: Final = 8


def scale(run: Run) -> list[Figure]:
    """Past one machine: several mocks on one PostgreSQL.

    PostgreSQL (without fsync), the mocks and wrk share this machine; 16 connections in all, 16
    accounts in turn. *n x serve*: so many `vimmerse-mock serve --store postgresql://...`, with a
    port and a wrk each, as behind a balancer; *--workers n*: so many processes that share a port.
    Beside a rate and a p99 stand those of one mock, beside the busy cores those that there are.

    What costs a request more CPU saturates first: *CPU of a request* is the mocks', beside
    PostgreSQL's, at 4 x serve. The prediction follows from it, were CPU all that counts: what a
    PostgreSQL of eight cores bears on a machine of its own, and beside it a mock on one of its
    own, which uses one core; their ratio is how many mocks saturate it.
    """
    figures: list[Figure] = []
    with postgres(run) as server, ExitStack() as stack:
        store = server.create_database()

        def start(number: int, *options: str) -> list[Server]:
            commands = [mock("--store", store, *options)] * number
            return [stack.enter_context(serving(run, command)) for command in commands]

        groups = {f"{number} x serve": start(number) for number in (1, 2, 4)}
        groups |= {f"--workers {number}": start(1, "--workers", str(number)) for number in (2, 4)}
        url = groups["1 x serve"][0].url
        accounts = [RemoteMock(url).open_account(Opening(credits=CREDITS)) for _ in range(16)]
        keys = [account.key for account in accounts]
        reads, creates = read_calls(url, len(keys), *keys), list(map(create_call, keys))
        for kind, calls in {"GET": reads, "create": creates}.items():
            run.step(f"{kind}, PostgreSQL behind several mocks")
            measures = [partial(_load, run, each, calls) for each in groups.values()]
            borne = dict(zip(groups, run.in_turn(*measures), strict=True))
            figures += _figures(kind, borne)
    return figures


def _load(run: Run, servers: Sequence[Server], calls: Sequence[str]) -> Sequence[float]:
    """Send load to all servers at once: rate, p99, and cores of mocks, PostgreSQL, machine."""
    began, before = perf_counter(), _used()
    with ThreadPoolExecutor(len(servers)) as threads:
        share = CONNECTIONS // len(servers)
        loads = list(threads.map(lambda server: load(run, server.url, calls, share), servers))
    taken, after = perf_counter() - began, _used()
    cores = [(now - then) / taken for now, then in zip(after, before, strict=True)]
    return [sum(each.rate for each in loads), max(each.p99 for each in loads), *cores]


def _used() -> Sequence[float]:
    """Return the CPU seconds that were used by mocks, by PostgreSQL, and by all programs."""
    used = {"vimmerse-mock": 0.0, "postgres": 0.0}
    for process in psutil.process_iter(["name", "cpu_times"]):
        if process.info["name"] in used and process.info["cpu_times"]:
            used[process.info["name"]] += sum(process.info["cpu_times"][:2])
    machine = psutil.cpu_times()
    return [*used.values(), sum(machine) - machine.idle - machine.iowait]


def _figures(kind: str, borne: dict[str, list[float]]) -> list[Figure]:
    rate_of_one, p99_of_one, *_ = borne["1 x serve"]
    figures = []
    for group, (rate, p99, *_, machine) in borne.items():
        figures += [
            Figure(f"{kind}, {group}", rate, "/s", rate_of_one),
            Figure(f"{kind}, {group}, p99", p99, "ms", p99_of_one),
            Figure(f"{kind}, {group}, busy cores", machine, "cores", os.cpu_count()),
        ]
    rate, _, mocks, database, _ = borne["4 x serve"]
    cost, predicted = f"{kind}, CPU of a request", f"{kind}, **predicted**, not measured"
    return [
        *figures,
        Figure(cost, 1e3 * mocks / rate, "ms", 1e3 * database / rate),
        Figure(predicted, _CORES * rate / database, "/s", rate / mocks),
    ]
