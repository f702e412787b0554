"""A database that another program locks, or whose machine stands still, is waited for in vain."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from sqlalchemy import text

from vimmerse_mock.app import create_mock
from vimmerse_mock.errors import StoreRefusedError, StoreUnavailableError
from vimmerse_mock.model.account import Opening
from vimmerse_mock.server import MockServer
from vimmerse_mock.stores import open_store
from vimmerse_mock.stores.sql.engine import open_engine, writing
from vimmerse_mock.stores.sql.patience import CONNECT_SECONDS, FOR_REQUESTS, LockWait, Patience

FORM = {"image_urls": "http://images.example/1.jpg"}
AT_ONCE = 12


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Another program has the account locked, and on SQLite with it all the rest."""
    if url.startswith("sqlite"):
        other: Any = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        statement = "BEGIN EXCLUSIVE"
    else:
        other = psycopg.connect(url)
        statement = "SELECT * FROM accounts WHERE customer_id = 'YOUR_CUSTOMER_ID' FOR UPDATE"
    with closing(other):
        other.execute(statement)
        yield
        other.rollback()


def create(server: MockServer) -> requests.Response:
    """Create a batch."""
    key = {"X-Api-Key": "YOUR_API_KEY"}
    return requests.post(f"{server.url}/batch", headers=key, data=FORM, timeout=60)


def test_a_lock_of_another_program_is_503_and_holds_up_nobody_else(database_url: str) -> None:
    """Many creations at once are refused while it lasts, and all the rest is answered."""
    with (
        MockServer(create_mock(store=open_store(database_url))) as server,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        other = server.open_account(Opening())
        key = {"X-Api-Key": other.key}
        made = requests.post(f"{server.url}/batch", headers=key, data=FORM, timeout=60).json()
        with locked(database_url):
            creations = [pool.submit(create, server) for _ in range(AT_ONCE)]
            assert requests.get(f"{server.url}/health", timeout=60).status_code == 200
            path = f"{server.url}/batch/{made['data']['id']}"
            assert requests.get(path, headers=key, timeout=60).status_code == 200
            answers = [creation.result() for creation in creations]
            assert {answer.status_code for answer in answers} == {503}
            assert {answer.headers["Retry-After"] for answer in answers} == {"1"}
        assert create(server).status_code == 200
        assert len(server.account.batches) == 1
        assert server.account.credits == 99_995
        assert len(server.account.journal.requests()) == AT_ONCE + 1


def test_nobody_waits_longer_than_two_seconds_for_a_lock() -> None:
    """Neither who waits for it, nor who queues behind, for whom it is hardly tried."""
    wait = LockWait(FOR_REQUESTS)
    assert FOR_REQUESTS.queue + wait.seconds < 2
    wait.note_failure()
    assert wait.seconds <= 0.1


def test_an_answer_that_does_not_come_is_given_up(postgres_url: str) -> None:
    """Whatever PostgreSQL is at, the connection is closed after its time, and the next is fine."""
    engine = open_engine(postgres_url, Patience(lock=30, queue=30, answer=0.2))
    with (
        pytest.raises(StoreUnavailableError, match=r"no answer .* within 0\.2 s"),
        writing(engine) as connection,
    ):
        connection.execute(text("SELECT pg_sleep(600)"))
    with writing(engine) as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()


def test_a_file_of_another_application_stays_as_it_is(tmp_path: Path) -> None:
    """It is refused, whatever its tables are called; not a byte of it changes, none is added."""
    theirs = tmp_path / "theirs.db"
    with closing(sqlite3.connect(theirs)) as connection:
        connection.execute("CREATE TABLE places (url TEXT)")
    before = theirs.read_bytes()
    with pytest.raises(StoreRefusedError, match=r"tables of another application \(places\)"):
        open_store(f"sqlite:///{theirs}")
    assert theirs.read_bytes() == before
    assert list(tmp_path.iterdir()) == [theirs]


def test_the_reference_has_the_deadlines_of_databases() -> None:
    """What docs/reference.md says of databases is how long they are waited for."""
    page = (Path(__file__).parents[3] / "docs" / "reference.md").read_text()
    for row in (
        f"| a lock that another program holds | {FOR_REQUESTS.lock:g} s,",
        f"| a free connection to the database | {FOR_REQUESTS.queue:g} s |",
        f"| an answer of PostgreSQL | {FOR_REQUESTS.answer:g} s |",
        f"| a connection to PostgreSQL | {CONNECT_SECONDS} s |",
    ):
        assert row in page, row
