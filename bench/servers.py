"""Servers in processes of their own: started, looked at from outside, stopped."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from socket import create_server
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Final, NamedTuple

import psutil

from bench.figures import Run
from support.postgres import Postgres, start_postgres

CREDITS: Final = 10**12
"""Enough that no load spends them."""
PROGRAM: Final = str(Path(sys.executable).with_name("vimmerse-mock"))
BARE: Final = (sys.executable, "-P", str(Path(__file__).with_name("bare.py")))
_PATIENCE_SECONDS: Final = 30


class Server(NamedTuple):
    """A server that answers; `started_in` is seconds from its start to its first answer."""

    url: str
    process: psutil.Process
    started_in: float

    def resident(self) -> float:
        """Return the resident memory of all its processes, in MB."""
        return sum(each.memory_info().rss for each in _family(self.process)) / 1e6


def mock(*options: str) -> list[str]:
    """Return the command that serves the mock; what it creates is processing for 15 minutes."""
    return [PROGRAM, "serve", "--credits", str(CREDITS), "--scenario", "slow", *options, "--port"]


@contextmanager
def serving(run: Run, command: Sequence[str]) -> Iterator[Server]:
    """Run a server on a free port, from its first answer on.

    Raises:
        RuntimeError: it ended, or did not answer in time.
    """
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url, log = f"http://127.0.0.1:{port}", run.scratch / f"{port}.log"
    with log.open("wb") as output:
        started = perf_counter()
        process = psutil.Popen([*command, str(port)], stdout=output, stderr=output)
    try:
        while process.poll() is None and perf_counter() < started + _PATIENCE_SECONDS:
            with suppress(OSError):
                ask(url).close()
                break
            sleep(0.001)
        else:
            raise RuntimeError(f"{command[:2]} did not answer: {log.read_text()[-2000:]}")
        yield Server(url, process, perf_counter() - started)
    finally:
        processes = _family(process)
        process.terminate()
        for each in psutil.wait_procs(processes, timeout=25)[1]:
            each.kill()


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def ask(url: str) -> HTTPConnection:
    """Ask a server for its health; the connection stays open."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=5)
    connection.request("GET", "/health")
    connection.getresponse().read()
    return connection


@contextmanager
def postgres(run: Run) -> Iterator[Postgres]:
    """Run a PostgreSQL server of the bench's own, as the tests have it."""
    run.step("PostgreSQL starts")
    with TemporaryDirectory(prefix="vimmerse-bench-pg-") as folder:
        server = start_postgres(Path(folder))
        try:
            yield server
        finally:
            server.stop()
