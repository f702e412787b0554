from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from lasting.books import money_problems, read_books
from lasting.volley import HEADERS, PRICE, volley
from support.serving import Serve

AFFORDABLE = 32
CONNECTIONS = 64
CREDITS = ("--credits", str(AFFORDABLE * PRICE))
ServeMany = Callable[..., Sequence[str]]


@pytest.fixture
def serve_many(tmp_path: Path) -> Iterator[ServeMany]:
    """Start `serve` so many times, with so many workers and the same options, and yield where."""
    with ExitStack() as stack:

        def start(times: int, workers: int, *options: str) -> Sequence[str]:
            command = ("--workers", str(workers), *options)
            serves = [stack.enter_context(Serve(tmp_path, *command)) for _ in range(times)]
            return [serve.await_listening(workers) for serve in serves]

        yield start


def assert_exactly_what_was_affordable(urls: Sequence[str]) -> None:
    """Of four times as many creations as there is credit for, that many succeed."""
    answers = volley(urls, CONNECTIONS, each=4 * AFFORDABLE // CONNECTIONS)
    assert answers == {200: AFFORDABLE, 402: 3 * AFFORDABLE}


def assert_nothing_is_left(store_url: str) -> None:
    """The books are in order, and the account is empty."""
    (books,) = read_books(store_url)
    assert list(money_problems(books)) == []
    assert (books.balance, len(books.batches)) == (0, AFFORDABLE)


def test_two_workers_spend_no_credit_twice(serve_many: ServeMany, database_url: str) -> None:
    """Over two worker processes and 64 connections exactly what is paid for succeeds."""
    assert_exactly_what_was_affordable(serve_many(1, 2, "--store", database_url, *CREDITS))
    assert_nothing_is_left(database_url)


def test_two_mocks_on_one_store_spend_no_credit_twice(
    serve_many: ServeMany, database_url: str
) -> None:
    """Two mocks, started at once on an empty store, open one account and share its credit."""
    assert_exactly_what_was_affordable(serve_many(2, 1, "--store", database_url, *CREDITS))
    assert_nothing_is_left(database_url)


def test_a_mock_in_memory_spends_no_credit_twice(serve_many: ServeMany) -> None:
    """One process, 64 connections: exactly what is paid for succeeds, and the next is refused."""
    urls = serve_many(1, 1, *CREDITS)
    assert_exactly_what_was_affordable(urls)
    answer = requests.post(
        f"{urls[0]}/batch", headers=HEADERS, data={"image_urls": "http://a.example/"}, timeout=60
    )
    assert answer.status_code == 402
