"""What a full mock costs: many batches, accounts, webhooks and requests; and its memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from bench.figures import Figure, Run, seconds
from bench.servers import CREDITS, mock, serving
from bench.wrk import compare, create_call, load, load_until, read_calls
from vimmerse_mock import Account, Opening, RemoteMock

_RECEIVER: Final = "http://127.0.0.1:9/"
Calls = Callable[[str, Sequence[str]], list[str]]
"""What is sent to a mock, by its URL and the keys of its accounts."""


def growth(run: Run) -> list[Figure]:
    """Growth.

    `vimmerse-mock serve` with so many batches in one account, or so many accounts with a batch
    each; beside it the same with ten, started anew for each turn. Ten batches are read in turn, and
    created in ten accounts in turn where there are several. Webhooks: an account with a manual
    clock and so many webhooks that are through, by the facade `Account` over HTTP: one batch more
    is created, the clock advanced over its webhook, and what is new is read; beside it the same
    with ten.
    """
    batches, accounts = run.amount(2_000, 100_000), run.amount(200, 10_000)
    return [
        *_served(run, f"{batches:,} batches", accounts=1, batches=batches, few=1),
        *_served(run, f"{accounts:,} accounts", accounts=accounts, batches=accounts, few=10),
        *_webhooks(run, run.amount(1_000, 50_000)),
    ]


def _served(run: Run, what: str, accounts: int, batches: int, few: int) -> list[Figure]:
    def beside(calls: Calls) -> Sequence[float]:
        with _filled(run, few, 10) as (url, keys):
            return load(run, url, calls(url, keys))

    kinds: dict[str, Calls] = {
        "GET": lambda url, keys: read_calls(url, 10, *keys),
        "create": lambda _url, keys: list(map(create_call, keys)),
    }
    figures: list[Figure] = []
    run.step(f"filling: {what}")
    with _filled(run, accounts, batches) as (url, keys):
        for kind, calls in kinds.items():
            full = partial(load, run, url, calls(url, keys))
            title = f"{kind} with {what}"
            figures += compare(run, title, full, partial(beside, calls), "≥ 0.8 x", "≤ 1.25 x")
    return figures


@contextmanager
def _filled(run: Run, accounts: int, batches: int) -> Iterator[tuple[str, Sequence[str]]]:
    """Serve accounts that have so many batches in all; give the URL, and ten of the keys."""
    keys = [f"key-{number}" for number in range(accounts)]
    with serving(run, mock(*(f"--account={key}:{CREDITS}" for key in keys))) as server:
        if batches > 10:
            load_until(run, server.url, list(map(create_call, keys)), batches)
        yield server.url, keys[:: -(-accounts // 10)]


def _webhooks(run: Run, number: int) -> list[Figure]:
    run.step(f"{number:,} webhooks")
    with serving(run, mock()) as full, serving(run, mock()) as small:
        many, few = _with_webhooks(run, full.url, number), _with_webhooks(run, small.url, 10)
        ours, beside = run.in_turn(partial(_one_more, many), partial(_one_more, few))
    return [
        Figure(f"{what} with {number:,} webhooks", here, "ms", there, "≤ 1.25 x")
        for what, here, there in zip(("advance", "read what is new"), ours, beside, strict=True)
    ]


def _with_webhooks(run: Run, url: str, number: int) -> Account:
    """Open an account, and have its webhooks delivered; by its plan, nothing is really sent."""
    account = RemoteMock(url).open_account(Opening(credits=CREDITS, clock="manual"))
    account.plan_webhooks("410")
    if number > 10:
        load_until(run, url, [create_call(account.key, webhook_url=_RECEIVER)], number)
    else:
        read_calls(url, number, account.key, webhook_url=_RECEIVER)
    account.clock.advance("1h")
    return account


def _one_more(account: Account) -> Sequence[float]:
    """Measure the milliseconds to advance over one webhook more, and to read about it."""
    _, cursor = account.events_after("now")
    read_calls(account.url, 1, account.key, webhook_url=_RECEIVER)
    advance = seconds(lambda: account.clock.advance("1h"))
    return [1e3 * advance, 1e3 * seconds(lambda: account.events_after(cursor))]


def memory(run: Run) -> list[Figure]:
    """Memory.

    RSS of `vimmerse-mock serve`, all its processes, in MB (10^6 bytes). At rest: after the first
    answer. Batches: what a thousand of one image add, created over HTTP after some thousand have
    filled caches and journal. Requests: after so many reads of one account's batch; beside it after
    the first of them.
    """
    run.step("memory at rest, and of batches")
    create = [create_call(image_urls="https://example.com/0.png")]
    with serving(run, mock()) as server:
        at_rest = server.resident()
        load_until(run, server.url, create, 5_000)
        before = server.resident()
        batches = load_until(run, server.url, create, run.amount(5_000, 50_000))
        thousand = 1_000 * (server.resident() - before) / batches
    run.step("memory after many requests")
    with serving(run, mock()) as server:
        reads = read_calls(server.url, 1)
        load_until(run, server.url, reads, 20_000)
        first = server.resident()
        requests = load_until(run, server.url, reads, run.amount(20_000, 1_000_000))
        last = server.resident()
    return [
        Figure("at rest", at_rest, "MB", aims="≤ 75 MB"),
        Figure("a thousand batches", thousand, "MB", aims="≤ 1 MB"),
        Figure(f"after {requests:,} requests", last, "MB", first, "≤ 1.02 x"),
    ]
