"""How long a manual clock takes over many due webhooks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from time import perf_counter
from typing import Final

from bench.context import Context
from bench.databases import CREDITS, NotHereError, opened
from bench.figures import BenchError, Figure, Section
from bench.filling import Pattern, fill_memory
from bench.stores import STORES
from vimmerse_mock.app import create_mock
from vimmerse_mock.delivery import Post, Reply
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.clock import SECOND, Span
from vimmerse_mock.model.outbox import MessageState
from vimmerse_mock.stores import Store, open_store

_MARGIN_SECONDS: Final = 60.0
_MEANING: Final = (
    "One account with a manual clock, and a batch with one webhook for each that falls due: "
    "seconds of one `clock.advance` over all of them, in process, with a sender that says 200 at "
    "once. All fall due at one instant, as batches do that are created while the clock stands. "
    "Per second: beside it a tenth as many; were the time quadratic, that rate would be ten times "
    "as high. A second apart: a tenth as many as well, each due a second after the last."
)


class _Receiver:
    """A sender without a network."""

    def send(self, post: Post) -> Reply:  # noqa: ARG002 - as a `Sender` is called
        """Say that all is well."""
        return Reply(200)


def advance(context: Context) -> Section:
    """Measure every store."""
    figures: list[Figure] = []
    absent: dict[str, str] = {}
    for kind in STORES:
        try:
            figures += _figures(context, kind)
        except NotHereError as error:
            absent[f"{kind}: advance"] = str(error)
    return Section("advance", _MEANING, figures, absent)


def _figures(context: Context, kind: str) -> list[Figure]:
    many = context.amount(1_000, 10_000)
    few = many // 10
    name = f"{kind}: advance over"
    context.step(f"{name} {many:,} due webhooks")
    apart = few / _seconds(context, kind, few, SECOND)
    rate_of_few = few / _seconds(context, kind, few, 0)
    seconds = _seconds(context, kind, many, 0)
    return [
        Figure(f"{name} {many:,} due webhooks", seconds, "s"),
        Figure(f"{name} {many:,} due webhooks, each", many / seconds, "/s", rate_of_few),
        Figure(f"{name} {few:,} a second apart, each", apart, "/s"),
    ]


def _seconds(context: Context, kind: str, webhooks: int, spacing: Span) -> float:
    url = "memory:" if kind == "memory" else context.databases.empty(kind)
    with closing(open_store(url)) as store:
        account = opened(store, Opening(credits=CREDITS, clock="manual"))
        pattern = Pattern(webhooks, account.clock.origin, spacing, 1, 1)
        if kind == "memory":
            fill_memory(store, account, pattern)
        else:
            context.databases.fill(url, account, pattern)
        mock = create_mock(store=store, sender=_Receiver())
        clock = mock.find_account("", account.customer_id).clock
        span = webhooks * spacing / SECOND + _MARGIN_SECONDS
        seconds = _timed(lambda: clock.advance(span))
        _require_delivered(store, account.customer_id, webhooks)
    return seconds


def _timed(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def _require_delivered(store: Store, customer_id: str, webhooks: int) -> None:
    states = [message.state for message in store.messages(customer_id)]
    if states != [MessageState.DELIVERED] * webhooks:
        raise BenchError("the clock was advanced, but not every webhook was delivered")
