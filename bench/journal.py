"""What the journal costs: the same call with it and without."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from statistics import median
from time import perf_counter
from typing import Final

from bench.context import Context
from bench.figures import Aim, Figure, Section, interleave
from vimmerse_contracts import API_KEY_HEADER, SAMPLE_API_KEY
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.model.account import SAMPLE_ACCOUNT
from vimmerse_mock.model.exchange import JOURNAL_LENGTH
from vimmerse_mock.stores import open_store
from vimmerse_mock.wsgi import call_wsgi

_HEADERS: Final = {
    API_KEY_HEADER: SAMPLE_API_KEY,
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": "python-requests/2.32",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
}
_FORM: Final = b"image_urls=https://example.com/0.png&duration=10"
_AIM: Final = Aim("<=", 1.5, of_ratio=True)
_MEANING: Final = (
    "Microseconds of one GET of a batch by the WSGI application itself, without a server, while "
    f"the last {JOURNAL_LENGTH:,} requests are kept; beside it the same with `--journal 0`."
)


def journal(context: Context) -> Section:
    """Measure reads with and without the journal, in memory and on SQLite."""
    return Section("journal", _MEANING, [_compared(context, kind) for kind in ("memory", "sqlite")])


def _compared(context: Context, kind: str) -> Figure:
    def reader(length: int) -> Callable[[], float]:
        return lambda: _microseconds(context, kind, length)

    context.step(f"{kind}: a GET with the journal and without")
    competitors = {"with": reader(JOURNAL_LENGTH), "without": reader(0)}
    times = interleave(competitors, 2 * context.rounds + 1)
    ours, beside = median(times["with"]), median(times["without"])
    return Figure(f"{kind}: GET /batch/{{id}} with the journal", ours, "µs", beside, _AIM)


def _microseconds(context: Context, kind: str, length: int) -> float:
    url = "memory:" if kind == "memory" else context.databases.empty(kind)
    calls = context.amount(500, 3_000)
    with closing(create_mock(store=open_store(url), journal=length)) as mock:
        mock.open_account("http://mock", SAMPLE_ACCOUNT)
        batch_id = json.loads(_call(mock, "POST", "/batch", _FORM))["data"]["id"]
        started = perf_counter()
        for _ in range(calls):
            _call(mock, "GET", f"/batch/{batch_id}")
        return (perf_counter() - started) / calls * 1e6


def _call(mock: Mock, method: str, path: str, body: bytes = b"") -> bytes:
    return call_wsgi(mock.app, method, f"http://127.0.0.1{path}", _HEADERS, body)[2]
