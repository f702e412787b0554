"""Load on a server by `wrk`: requests per second, and what 99 % of the answers stayed below."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlencode

import requests

from bench.figures import Figure, Measure, Run
from vimmerse_client import Client
from vimmerse_contracts import API_KEY_HEADER, SAMPLE_API_KEY

CONNECTIONS: Final = 16
IMAGES: Final = ("https://example.com/0.png", "https://example.com/1.png")
_SCRIPT: Final = str(Path(__file__).with_name("wrk.lua"))


class Load(NamedTuple):
    """What a server bore: requests per second, the 99th percentile in ms, requests in all."""

    rate: float
    p99: float
    requests: int


def create_call(key: str = SAMPLE_API_KEY, **fields: str) -> str:
    """Write the request that creates a batch of two images, or of those in `fields`."""
    form = urlencode({"image_urls": IMAGES, **fields}, doseq=True)
    return (
        f"POST /batch HTTP/1.1\r\nHost: mock\r\n{API_KEY_HEADER}: {key}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(form)}\r\n\r\n{form}"
    )


def read_calls(url: str, batches: int, *keys: str, webhook_url: str | None = None) -> list[str]:
    """Create batches, in each account in turn; write the requests that read them."""
    calls = []
    with requests.Session() as session:
        for key in islice(cycle(keys or (SAMPLE_API_KEY,)), batches):
            batch = Client(key, url, session=session).create(IMAGES, webhook_url=webhook_url)
            head = f"GET /batch/{batch.id} HTTP/1.1\r\nHost: mock\r\n{API_KEY_HEADER}: {key}"
            calls.append(f"{head}\r\n\r\n")
    return calls


def load(run: Run, url: str, calls: Sequence[str], connections: int = CONNECTIONS) -> Load:
    """Send requests in turn for some seconds, as fast as the server answers.

    Raises:
        RuntimeError: an answer was no success, so that the figures would mean nothing.
    """
    command = _command(run, url, calls, connections, run.amount(1, 2))
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=90)
    said = json.loads(done.stdout.splitlines()[-1])
    if said["failed"] or not said["requests"]:
        raise RuntimeError(f"{said['failed']} of {said['requests']} answers failed: {calls[0]}")
    return Load(said["requests"] / said["seconds"], said["p99"], said["requests"])


def load_until(run: Run, url: str, calls: Sequence[str], number: int) -> int:
    """Send so many requests, or somewhat more; return how many."""
    sent = 0
    while sent < number:
        sent += load(run, url, calls).requests
    return sent


@contextmanager
def load_beside(run: Run, url: str, calls: Sequence[str], connections: int) -> Iterator[None]:
    """Keep so many requests under way while the block runs, whatever becomes of them."""
    command = _command(run, url, calls, connections, 3_600)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def _command(run: Run, url: str, calls: Sequence[str], connections: int, seconds: int) -> list[str]:
    program = shutil.which("wrk")
    if program is None:
        raise RuntimeError("no wrk on this machine: apt-get install wrk")
    file = run.scratch / f"{hash((url, *calls))}.requests"
    file.write_text("\0".join(calls), newline="")
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", _SCRIPT]
    return [program, *options, url, str(file)]


def compare(
    run: Run, what: str, ours: Measure, beside: Measure, rate: str = "", p99: str = ""
) -> list[Figure]:
    """Measure two loads in turn; `rate` and `p99` are what is aimed at."""
    run.step(what)
    (our_rate, our_p99, _), (other_rate, other_p99, _) = run.in_turn(ours, beside)
    return [
        Figure(what, our_rate, "/s", other_rate, rate),
        Figure(f"{what}, p99", our_p99, "ms", other_p99, p99),
    ]
