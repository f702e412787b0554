"""Load on a server: requests per second and the 99th percentile, at a number of connections.

`wrk` where it is installed, otherwise a generator of our own. Their figures must not be compared:
each takes its share of the machine, ours a far larger one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from bench.figures import BenchError

CONNECTIONS: Final = 16
SEPARATOR: Final = "\0"
"""Between the requests that a generator reads."""
_GRACE_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Call:
    """A request."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """What a server bore: requests per second, and the milliseconds that 99 % stayed below."""

    rate: float
    p99: float


class Generator(Protocol):
    """Sends calls to a server for some seconds, in turn, from a process of its own."""

    name: str

    def run(self, url: str, calls: Sequence[Call], seconds: int) -> Load:
        """Send as fast as the server answers.

        Raises:
            BenchError: it could not, or not every answer was a success.
        """


class Wrk:
    """The generator `wrk`, one thread."""

    name = "wrk -t1"

    def __init__(self, program: str, scratch: Path) -> None:
        self._program = program
        self._script, self._requests = scratch / "wrk.lua", scratch / "wrk.requests"

    def run(self, url: str, calls: Sequence[Call], seconds: int) -> Load:
        """Send as fast as the server answers."""
        self._script.write_text(_LUA)
        self._requests.write_text(written(url, calls), newline="")
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(self._script)]
        return _load_of([self._program, *options, url, str(self._requests)], "", seconds)


class KeepAlive:
    """The generator of `bench.keepalive`: asyncio, one thread."""

    name = "the built-in generator (python -m bench.keepalive)"

    def run(self, url: str, calls: Sequence[Call], seconds: int) -> Load:
        """Send as fast as the server answers."""
        command = [sys.executable, "-m", "bench.keepalive", url, str(CONNECTIONS), str(seconds)]
        return _load_of(command, written(url, calls), seconds)


def open_generator(scratch: Path) -> Generator:
    """Choose the best generator that this machine has."""
    program = shutil.which("wrk")
    return Wrk(program, scratch) if program else KeepAlive()


def written(url: str, calls: Sequence[Call]) -> str:
    """Write calls as the generators read them."""
    return SEPARATOR.join(_raw(url, call) for call in calls)


def _raw(url: str, call: Call) -> str:
    """Write a call as HTTP/1.1 does."""
    length = {"Content-Length": str(len(call.body))} if call.body else {}
    headers = {"Host": urlsplit(url).netloc, **call.headers, **length}
    lines = [f"{call.method} {call.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", call.body])


_LUA: Final = """
local requests, last = {}, 0

function init(args)
  for request in io.open(args[1], "rb"):read("*a"):gmatch("%Z+") do
    requests[#requests + 1] = request
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "p99": %f, "failed": %d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def _load_of(command: list[str], entered: str, seconds: int) -> Load:
    """Run a generator, which says its figures in its last line."""
    done = subprocess.run(
        command,
        input=entered,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + _GRACE_SECONDS,
    )
    try:
        said = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise BenchError(f"{command[0]} said no figures: {done.stdout}{done.stderr}") from error
    return _checked(said, command)


def _checked(said: Mapping[str, float], command: list[str]) -> Load:
    if said["failed"] or not said["requests"]:
        raise BenchError(
            f"{said['failed']:.0f} of {said['requests']:.0f} answers were no success, "
            f"so the figures mean nothing: {' '.join(command)}"
        )
    return Load(said["requests"] / said["seconds"], said["p99"])
