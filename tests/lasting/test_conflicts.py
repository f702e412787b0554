from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import make_url

from lasting.books import money_problems, read_books
from lasting.volley import volley
from support.postgres import Postgres
from support.serving import Serve

CONNECTIONS, EACH = 16, 10
Setting = Callable[[str], None]


@pytest.fixture
def set_default(postgres: Postgres, postgres_url: str) -> Setting:
    """Set a default of the test's database, for the connections to come."""

    def set_it(assignment: str) -> None:
        postgres.execute(f"ALTER DATABASE {make_url(postgres_url).database} SET {assignment}")

    return set_it


def hammer(store_url: str, folder: Path) -> Counter[int]:
    """Have two mocks create batches on one account; check the books, return the answers."""
    with ExitStack() as stack:
        serves = [stack.enter_context(Serve(folder, "--store", store_url)) for _ in range(2)]
        urls = [serve.await_url() for serve in serves]
        answers = volley(urls, CONNECTIONS, EACH)
        assert [serve.stop() for serve in serves] == [0, 0]
    (books,) = read_books(store_url)
    assert list(money_problems(books)) == []
    assert len(books.batches) == answers[200]
    return answers


def test_a_serializable_database_makes_no_difference(
    set_default: Setting, postgres_url: str, tmp_path: Path
) -> None:
    """The mock relies on locks: two at one account work where conflicts would be given up."""
    set_default("default_transaction_isolation = 'serializable'")
    assert hammer(postgres_url, tmp_path) == {200: CONNECTIONS * EACH}
