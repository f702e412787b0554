"""How long the webhooks of healthy receivers take while another receiver hangs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from statistics import median
from threading import Event, Thread
from time import perf_counter
from typing import Final

from bench.context import Context
from bench.databases import CREDITS, NotHereError, opened
from bench.figures import Aim, BenchError, Figure, Section, interleave
from vimmerse_contracts import CreateBatchSchema
from vimmerse_mock.app import create_mock
from vimmerse_mock.model.account import AccountState, Opening
from vimmerse_mock.model.batch import Image
from vimmerse_mock.model.clock import SECOND
from vimmerse_mock.receiving.inbox import Inbox, Listener
from vimmerse_mock.service import BatchService
from vimmerse_mock.stores import Store, open_store

_KINDS: Final = ("memory", "sqlite")
_ACCOUNTS: Final = 10
_PATIENCE_SECONDS: Final = 120
_ABOUT: Final = Aim("<=", 1.25, of_ratio=True)
_MEANING: Final = (
    "Seconds until all webhooks of the healthy receiver have arrived, of a thousand batches that "
    "ten accounts created, all due at one instant; one in ten goes to a receiver that accepts "
    "connections and never answers. Beside it the same without those, in turn. Real sockets, the "
    "dispatcher in this process. 'Spread': the webhooks that hang are of accounts of their own, "
    "one each, so that no account's order keeps them back."
)


def fairness(context: Context) -> Section:
    """Measure memory and SQLite."""
    figures: list[Figure] = []
    absent: dict[str, str] = {}
    for kind in _KINDS:
        try:
            figures += _figures(context, kind)
        except NotHereError as error:
            absent[f"{kind}: fairness"] = str(error)
    return Section("fairness", _MEANING, figures, absent)


def _figures(context: Context, kind: str) -> Iterator[Figure]:
    many = context.amount(200, 1_000)
    hanging = many // 10
    healthy = many - hanging
    for how, spread in (("", False), (", spread", True)):
        context.step(f"{kind}: {healthy} webhooks beside {hanging} that hang{how}")
        taken = interleave(
            {
                "alone": partial(_seconds, context, kind, healthy, 0, spread=False),
                "beside": partial(_seconds, context, kind, healthy, hanging, spread=spread),
            },
            context.rounds,
        )
        name = f"{kind}: {healthy} webhooks, beside {hanging} that hang{how}"
        yield Figure(name, median(taken["beside"]), "s", median(taken["alone"]), _ABOUT)


def _seconds(context: Context, kind: str, healthy: int, hanging: int, *, spread: bool) -> float:
    """Create batches while the clocks stand, let them go, and wait for what is to arrive."""
    url = "memory:" if kind == "memory" else context.databases.empty(kind)
    with ExitStack() as stack:
        store = stack.enter_context(closing(open_store(url)))
        hole = stack.enter_context(_a_black_hole())
        listener = Listener()
        stack.callback(listener.stop)
        inbox = listener.open_inbox()
        mock = create_mock(store=store)
        stack.callback(mock.dispatcher.stop)
        accounts = [_opened(store) for _ in range(_ACCOUNTS)]
        others = [_opened(store) for _ in range(hanging)] if spread else accounts
        for number in range(hanging):
            _create(mock.service, others[number % len(others)], hole)
        for number in range(healthy):
            _create(mock.service, accounts[number % _ACCOUNTS], inbox.url)
        _let_go(store)
        started = perf_counter()
        mock.dispatcher.start()
        _await(inbox, healthy)
        return perf_counter() - started


def _opened(store: Store) -> AccountState:
    return opened(store, Opening(credits=CREDITS, clock="manual"))


def _create(service: BatchService, account: AccountState, webhook_url: str) -> None:
    form = CreateBatchSchema().load({"webhook_url": webhook_url})
    service.create(account.customer_id, form, [Image("https://example.com/0.png")])


def _let_go(store: Store) -> None:
    """Move every clock past the end of everything; nothing is delivered before it is asked for."""
    for customer_id in store.customers():
        with store.transaction(customer_id) as tx:
            clock, real = tx.account.clock, store.real_time()
            moved = clock.moved_to(clock.at(real) + 3_600 * SECOND, real)
            tx.save_account(replace(tx.account, clock=moved))


def _await(inbox: Inbox, count: int) -> None:
    try:
        inbox.wait_for(count, within=_PATIENCE_SECONDS)
    except AssertionError as error:
        raise BenchError("not every webhook of the healthy receiver arrived") from error


@contextmanager
def _a_black_hole() -> Iterator[str]:
    """Accept connections, and never answer; give its URL."""
    done = Event()
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        accepted: list[socket.socket] = []

        def accept() -> None:
            listening.settimeout(0.1)
            while not done.is_set():
                try:
                    accepted.append(listening.accept()[0])
                except TimeoutError:
                    continue

        thread = Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/hook"
        done.set()
        thread.join()
        for connection in accepted:
            connection.close()
