"""The servers that are measured from outside: each a process, stopped when its block is left."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from bench.context import Context
from bench.databases import CREDITS
from bench.figures import BenchError
from bench.load import Call
from vimmerse_contracts import API_KEY_HEADER, SAMPLE_API_KEY

_GRANIAN_THREADS: Final = 4
HOST: Final = "127.0.0.1"
KEY: Final = {API_KEY_HEADER: SAMPLE_API_KEY}
_HERE: Final = Path(__file__).parent
_PATIENCE_SECONDS: Final = 20.0
_LOOK_AGAIN_SECONDS: Final = 0.001

Command = Callable[[Context, int], Sequence[str]]
"""Makes the command line of a server from a run and a port."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers. `started_in` is seconds from its start to its first answer."""

    url: str
    pid: int
    started_in: float


def mock_granian(_context: Context, port: int) -> Sequence[str]:
    """Run `vimmerse-mock serve`."""
    return _serve(port)


def mock_on_store(url: str) -> Command:
    """Make the command that runs `vimmerse-mock serve` on a database."""
    return lambda _context, port: [*_serve(port), "--store", url]


def mock_filled(batches: int, filled: Path) -> Command:
    """Make the command that runs `bench.filled`, which writes to `filled`."""
    program = [sys.executable, "-m", "bench.filled"]
    return lambda _context, port: [*program, str(port), str(batches), str(filled)]


def _serve(port: int) -> list[str]:
    program = Path(sys.executable).with_name("vimmerse-mock")
    if not program.exists():
        raise BenchError(f"there is no {program}: install the project into this environment")
    return [str(program), "serve", "--port", str(port), "--credits", str(CREDITS)]


def bare_granian(context: Context, port: int) -> Sequence[str]:
    """Run a bare Flask app under granian, set as the mock sets it."""
    return _bare("granian", context, port)


def mock_waitress(_context: Context, port: int) -> Sequence[str]:
    """Run `MockServer`."""
    return [sys.executable, "-P", str(_HERE / "mock_thread.py"), str(port), str(CREDITS)]


def bare_waitress(context: Context, port: int) -> Sequence[str]:
    """Run a bare Flask app in a `WsgiThread`."""
    return _bare("waitress", context, port)


def _bare(server: str, context: Context, port: int) -> Sequence[str]:
    program = [sys.executable, "-P", str(_HERE / "bare.py")]
    return [*program, server, str(port), str(context.answer_file), str(_GRANIAN_THREADS)]


@contextmanager
def running(
    command: Command, context: Context, patience: float = _PATIENCE_SECONDS
) -> Iterator[Server]:
    """Start a server on a free port, wait until it answers, and stop it in the end.

    Raises:
        BenchError: it ended instead, or did not answer in time.
    """
    port = _free_port()
    log = context.scratch / f"{port}.log"
    line = command(context, port)
    with log.open("wb") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            line,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=_environment(),
            start_new_session=True,
        )
        try:
            answered = _await_answer(process, port, log, patience)
            yield Server(f"http://{HOST}:{port}", process.pid, answered - started)
        finally:
            _stop(process)


def create_call(images: int = 1) -> Call:
    """Make the call that creates a batch from image URLs."""
    urls = [("image_urls", f"https://example.com/{i}.png") for i in range(images)]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return Call("POST", "/batch", {**KEY, **form}, urlencode(urls))


def read_calls(server: Server, batches: int = 1) -> list[Call]:
    """Create batches, and make the calls that read each of them."""
    answers = map(json.loads, send(server, create_call(), batches))
    return [read_call(answer["data"]["id"]) for answer in answers]


def read_call(batch_id: str, host: str = "") -> Call:
    """Make the call that reads a batch, by a name of the server's that is not its own."""
    return Call("GET", f"/batch/{batch_id}", {**KEY, **({"Host": host} if host else {})})


def send(server: Server, call: Call, times: int) -> Iterator[bytes]:
    """Send a call a number of times over one connection; give the bodies.

    Raises:
        BenchError: an answer was no success.
    """
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    try:
        for _ in range(times):
            connection.request(call.method, call.path, call.body or None, dict(call.headers))
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != http.HTTPStatus.OK:
                raise BenchError(f"{call.method} {call.path}: {answer.status} {body!r}")
            yield body
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _environment() -> dict[str, str]:
    """Leave out what would set the mock otherwise."""
    return {name: value for name, value in os.environ.items() if not name.startswith("VIMMERSE_")}


def _await_answer(process: subprocess.Popen[bytes], port: int, log: Path, patience: float) -> float:
    """Return the instant of the first answer."""
    deadline = time.perf_counter() + patience
    while not _answers(port):
        if process.poll() is not None or time.perf_counter() > deadline:
            state = "did not answer in time" if process.poll() is None else "ended at once"
            raise BenchError(f"{process.args!r} {state}: {log.read_text()[-2000:]}")
        time.sleep(_LOOK_AGAIN_SECONDS)
    return time.perf_counter()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a server to end; after a while, end it and its workers."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
