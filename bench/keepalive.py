"""A load generator: `python -m bench.keepalive URL CONNECTIONS SECONDS`, the requests on stdin."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import cycle
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

from bench.load import SEPARATOR

_END_OF_HEAD: Final = b"\r\n\r\n"
_LENGTH: Final = b"\r\ncontent-length:"
_SUCCESS: Final = b" 2"


class Tally:
    """What all connections saw."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.failed = 0

    def report(self, seconds: float) -> dict[str, float]:
        """Sum up."""
        ordered = sorted(self.times) or [0.0]
        p99 = ordered[int(0.99 * (len(ordered) - 1))] * 1e3
        requests = len(self.times)
        return {"requests": requests, "seconds": seconds, "p99": p99, "failed": self.failed}


class Connection(asyncio.Protocol):
    """Sends the next request as soon as one is answered."""

    def __init__(self, requests: Iterator[bytes], tally: Tally) -> None:
        self._requests, self._tally = requests, tally
        self._buffer = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment] # of TCP it is one
        self._send()

    def data_received(self, data: bytes) -> None:
        """Note the answer, once it is whole, and send again."""
        self._buffer += data
        if is_whole(self._buffer):
            self._tally.times.append(perf_counter() - self._sent_at)
            self._tally.failed += self._buffer[8:10] != _SUCCESS
            self._buffer = b""
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count an end that the server made."""
        self._tally.failed += exc is not None or not self._transport.is_closing()

    def close(self) -> None:
        """Send no more."""
        self._transport.abort()

    def _send(self) -> None:
        self._sent_at = perf_counter()
        self._transport.write(next(self._requests))


def is_whole(answer: bytes) -> bool:
    """Whether an answer that states its length has arrived entirely."""
    head, found, body = answer.partition(_END_OF_HEAD)
    _, _, after = head.lower().partition(_LENGTH)
    return bool(found) and len(body) >= int(after.partition(b"\r\n")[0])


async def run(
    url: str, connections: int, seconds: float, requests: Iterator[bytes]
) -> dict[str, float]:
    """Keep a server busy for some seconds."""
    tally = Tally()
    started = perf_counter()
    opened = [await _connect(url, requests, tally) for _ in range(connections)]
    await asyncio.sleep(seconds)
    report = tally.report(perf_counter() - started)
    for connection in opened:
        connection.close()
    return report


async def _connect(url: str, requests: Iterator[bytes], tally: Tally) -> Connection:
    address = urlsplit(url)
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: Connection(requests, tally), address.hostname or "", address.port or 80
    )
    return connection


def main(arguments: Sequence[str]) -> None:
    """Run, and print the figures as JSON."""
    url, connections, seconds = arguments
    requests = cycle(sys.stdin.buffer.read().split(SEPARATOR.encode()))
    print(json.dumps(asyncio.run(run(url, int(connections), float(seconds), requests))))


if __name__ == "__main__":
    main(sys.argv[1:])
