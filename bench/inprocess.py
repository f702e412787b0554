"""What a test pays inside its own process: a call, a fixture, a server."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Final

import requests
import responses

from bench.context import Context
from bench.figures import Aim, Figure, Section, interleave
from pytest_vimmerse.handle import Vimmerse
from vimmerse_contracts import API_KEY_HEADER, PRODUCTION_URL, SAMPLE_API_KEY
from vimmerse_mock.interception import intercept
from vimmerse_mock.receiving.inbox import Listener
from vimmerse_mock.server import MockServer

_CREATE_URL: Final = f"{PRODUCTION_URL}/batch"
_KEY: Final = {API_KEY_HEADER: SAMPLE_API_KEY}
_CREATE_FORM: Final = {"image_urls": "https://example.com/0.png"}
_CALL_AIM: Final = Aim("<=", 2.0, of_ratio=True)
_FIXTURE_AIM: Final = Aim("<", 1000.0)

_CallMaker = Callable[[str, int], float]
"""Reads a URL many times; tells the microseconds of one."""

_INTERCEPT_MEANING: Final = (
    "Microseconds of one GET of a batch under `intercept()`, by a `requests.Session` and by plain "
    "`requests.get`; beside it the same call answered by a `responses` stub with the same bytes."
)
_FIXTURE_MEANING: Final = (
    "Microseconds that the `vimmerse` fixture adds to a test: to open an account on the session's "
    "server and close it, without and with its client."
)
_SERVER_MEANING: Final = (
    "Milliseconds to make and start a `MockServer`, from there to the first answer of "
    "`GET /health` (`http.client`), and to stop it."
)


def answer_of_the_mock() -> bytes:
    """Ask the mock what it says of a batch with one image."""
    with intercept():
        return requests.post(_CREATE_URL, data=_CREATE_FORM, headers=_KEY, timeout=5).content


def intercepted(context: Context) -> Section:
    """Measure calls under `intercept()`."""
    figures = [
        _compare_calls(context, "requests.Session", _with_session),
        _compare_calls(context, "requests.get", _without_session),
    ]
    return Section("intercept", _INTERCEPT_MEANING, figures)


def fixture(context: Context) -> Section:
    """Measure what the `vimmerse` fixture adds to a test."""
    context.step("vimmerse fixture")
    with MockServer() as server, _listening() as listener:
        results = interleave(
            {
                "account": lambda: _fixture(context, server, listener, _leave_alone),
                "client": lambda: _fixture(context, server, listener, _touch_client),
            },
            context.rounds,
        )
    account, client = median(results["account"]), median(results["client"])
    figures = [
        Figure("fixture, account only", account, "µs", aim=_FIXTURE_AIM),
        Figure("fixture, with its client", client, "µs", aim=_FIXTURE_AIM),
    ]
    return Section("fixture", _FIXTURE_MEANING, figures)


def server(context: Context) -> Section:
    """Measure how soon a `MockServer` is there, and gone."""
    context.step("MockServer")
    lives = [_life() for _ in range(context.amount(5, 50))][1:]
    names = ("start", "first answer", "stop")
    figures = [
        Figure(f"MockServer: {name}", median(life[i] for life in lives), "ms")
        for i, name in enumerate(names)
    ]
    return Section("server", _SERVER_MEANING, figures)


def _compare_calls(context: Context, how: str, call: _CallMaker) -> Figure:
    context.step(f"intercepted GET, {how}")
    times = context.amount(100, 500)
    results = interleave(
        {
            "ours": lambda: _intercepted(call, times),
            "stub": lambda: _stubbed(call, times, context.answer),
        },
        context.rounds,
    )
    ours, stub = median(results["ours"]), median(results["stub"])
    return Figure(f"intercepted GET, {how}", ours, "µs", stub, _CALL_AIM)


def _with_session(url: str, times: int) -> float:
    with requests.Session() as session:
        return _microseconds(lambda: session.get(url, headers=_KEY), times)


def _without_session(url: str, times: int) -> float:
    return _microseconds(lambda: requests.get(url, headers=_KEY, timeout=5), times)


def _intercepted(call: _CallMaker, times: int) -> float:
    with intercept():
        batch = requests.post(_CREATE_URL, data=_CREATE_FORM, headers=_KEY, timeout=5).json()
        return call(f"{_CREATE_URL}/{batch['data']['id']}", times)


def _stubbed(call: _CallMaker, times: int, answer: bytes) -> float:
    url = f"{_CREATE_URL}/{json.loads(answer)['data']['id']}"
    with responses.RequestsMock() as stub:
        stub.get(url, body=answer, content_type="application/json")
        return call(url, times)


def _microseconds(work: Callable[[], object], times: int) -> float:
    """Measure how long one of many runs takes, after a few to warm up."""
    for _ in range(5):
        work()
    started = perf_counter()
    for _ in range(times):
        work()
    return (perf_counter() - started) / times * 1e6


@contextmanager
def _listening() -> Iterator[Listener]:
    listener = Listener()
    listener.start()
    try:
        yield listener
    finally:
        listener.stop()


def _fixture(
    context: Context, server: MockServer, listener: Listener, use: Callable[[Vimmerse], object]
) -> float:
    def test() -> None:
        handle = Vimmerse.open(server, listener)
        use(handle)
        handle.close()

    return _microseconds(test, context.amount(200, 2000))


def _leave_alone(_handle: Vimmerse) -> None:
    """Be a test that uses nothing of the fixture."""


def _touch_client(handle: Vimmerse) -> object:
    return handle.client


def _life() -> tuple[float, float, float]:
    """Measure the milliseconds of a server's start, first answer and stop."""
    instants = [perf_counter()]
    mock_server = MockServer().start()
    instants.append(perf_counter())
    _ask(mock_server.url)
    instants.append(perf_counter())
    mock_server.stop()
    instants.append(perf_counter())
    start, first, stop = ((b - a) * 1e3 for a, b in pairwise(instants))
    return start, first, stop


def _ask(url: str) -> None:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    connection.request("GET", "/health")
    connection.getresponse().read()
    connection.close()
