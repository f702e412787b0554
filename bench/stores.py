"""Requests per second on every store, at growing numbers of batches in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from statistics import median
from typing import Final

import msgspec

from bench.context import Context
from bench.databases import SQL_STORES, NotHereError
from bench.figures import Aim, Figure, Section, interleave
from bench.filling import Filled
from bench.load import CONNECTIONS, Call
from bench.servers import (
    Command,
    Server,
    create_call,
    mock_filled,
    mock_on_store,
    read_call,
    running,
)

STORES: Final = ("memory", *SQL_STORES)
_READ_AIM: Final = Aim(">=", 0.75, of_ratio=True)
_PATIENCE_SECONDS: Final = 600
_CALLS: Final = 10_000
_MEANING: Final = (
    f"Each store under granian over real HTTP at {CONNECTIONS} kept-alive connections, with so "
    "many batches of one account in it (a database has some hundred other accounts too); the "
    "column beside is the same with the fewest batches, and turns go round the sizes. SQLite and "
    "PostgreSQL: `vimmerse-mock serve --store`. Memory can be filled from within only, so there "
    "a program of the bench (`bench/filled.py`) serves, by "
    "granian with the same settings. GET of one batch asks for the same one over and over. GET of "
    f"many asks for up to {_CALLS:,} batches drawn at random from all that are stored (fewer "
    "where there are fewer), each of them under a host name of its own: the host is part of an "
    "answer's links, so at every size each answer is written afresh and none comes from the "
    "answers that the mock keeps. POST comes last and adds what it creates to the store. One "
    "batch in four has a webhook, one in forty one that is pending. PostgreSQL is the bench's own "
    "on the same machine, without fsync and vacuumed after it was filled; SQLite is as the mock "
    "sets it (WAL, synchronous=NORMAL). Filling: rows in bulk (PostgreSQL: COPY), in memory "
    "through the store's transactions."
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A server on a store with so many batches."""

    size: int
    server: Server
    filled: Filled


_Calls = Callable[[Filled], Sequence[Call]]


def stores(context: Context) -> Section:
    """Measure every store at every size."""
    figures: list[Figure] = []
    absent: dict[str, str] = {}
    for kind in STORES:
        try:
            figures += _store(context, kind)
        except NotHereError as error:
            absent[kind] = str(error)
    return Section("stores", _MEANING, figures, absent)


def _store(context: Context, kind: str) -> list[Figure]:
    with ExitStack() as stack:
        subjects = [stack.enter_context(_subject(context, kind, n)) for n in context.sizes]
        measure = partial(_figures, context, kind, subjects)
        return [
            *measure("GET of one batch", _one, _READ_AIM),
            *measure("GET of many batches", _many, _READ_AIM),
            *measure("POST", lambda _filled: [create_call()], None),
            _filling(kind, subjects[-1]),
        ]


@contextmanager
def _subject(context: Context, kind: str, size: int) -> Iterator[Subject]:
    context.step(f"{kind}: filling with {size:,} batches")
    if kind == "memory":
        filled = context.scratch / f"filled-{size}.json"
        with running(mock_filled(size, filled), context, _PATIENCE_SECONDS) as server:
            yield Subject(size, server, msgspec.json.decode(filled.read_bytes(), type=Filled))
    else:
        database = context.databases.filled(kind, size)
        command: Command = mock_on_store(database.url)
        with running(command, context) as server:
            yield Subject(size, server, database.filled)


def _figures(
    context: Context,
    kind: str,
    subjects: Sequence[Subject],
    what: str,
    calls: _Calls,
    aim: Aim | None,
) -> Iterator[Figure]:
    """Run the sizes in turn; compare each with the smallest, and the largest with the aim."""
    context.step(f"{kind}: {what}")
    rates = interleave(
        {str(n): partial(_rate, context, one, calls) for n, one in enumerate(subjects)},
        context.rounds,
    )
    smallest = median(rates["0"])
    for n, subject in enumerate(subjects):
        name = f"{kind}, {subject.size:,} batches: {what}"
        beside = smallest if n else None
        yield Figure(
            name, median(rates[str(n)]), "/s", beside, aim if subject is subjects[-1] else None
        )


def _rate(context: Context, subject: Subject, calls: _Calls) -> float:
    chosen = calls(subject.filled)
    return context.generator.run(subject.server.url, chosen, context.amount(1, 2)).rate


def _one(filled: Filled) -> Sequence[Call]:
    return [read_call(filled.sample[0])]


def _many(filled: Filled) -> Sequence[Call]:
    ids = islice(cycle(filled.sample), _CALLS)
    return [read_call(one, f"m{n}.example") for n, one in enumerate(ids)]


def _filling(kind: str, largest: Subject) -> Figure:
    return Figure(f"{kind}: to fill with {largest.size:,} batches", largest.filled.seconds, "s")
