from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import requests

from lasting.books import money_problems, read_books
from lasting.volley import FORM, HEADERS
from support.postgres import Postgres
from support.serving import Serve
from support.waiting import await_condition, pause
from vimmerse_mock.receiving.inbox import Inbox

CALLERS = 8


@dataclass
class Log:
    """What callers were answered: the ids of their batches, 503s, and what must not be."""

    created: list[str] = field(default_factory=list)
    read: int = 0
    unavailable: int = 0
    wrong: list[str] = field(default_factory=list)

    def note(self, answer: requests.Response) -> None:
        """Note an answer: 200, or 503 as it has to be."""
        body = answer.json() if answer.headers["Content-Type"] == "application/json" else None
        if answer.status_code == 200 and answer.request.method == "POST":
            self.created.append(answer.json()["data"]["id"])
        elif answer.status_code == 200:
            self.read += 1
        elif body == {"message": "SERVICE_UNAVAILABLE"} and answer.headers.get("Retry-After"):
            self.unavailable += 1
        else:
            self.wrong.append(f"{answer.status_code} {answer.headers} {answer.text[:300]}")

    def await_progress(self) -> None:
        """Wait until batches are created and read again, many in a row."""
        created, read = len(self.created), self.read
        await_condition(
            lambda: len(self.created) > created + 2 * CALLERS and self.read > read + 2 * CALLERS,
            f"batches are created and read, after {created} and {read}; wrong: {self.wrong[:3]}",
        )

    def await_unavailable(self) -> None:
        """Wait until requests are answered 503, many in a row."""
        before = self.unavailable
        await_condition(
            lambda: self.unavailable > before + 2 * CALLERS,
            f"requests are answered 503, after {before}; wrong: {self.wrong[:3]}",
        )


def call(url: str, log: Log, stopping: Event) -> None:
    """Create and read batches until it is to stop; a connection that breaks is wrong, too."""
    with requests.Session() as session:
        session.headers.update(HEADERS)
        while not stopping.is_set():
            try:
                log.note(session.post(f"{url}/batch", data=FORM, timeout=60))
                if log.created:
                    log.note(session.get(f"{url}/batch/{log.created[-1]}", timeout=60))
            except (requests.RequestException, ValueError) as error:
                log.wrong.append(repr(error))


@contextmanager
def load(url: str) -> Iterator[Log]:
    """Keep the mock busy while the block runs."""
    log, stopping = Log(), Event()
    with ThreadPoolExecutor(CALLERS) as pool:
        for _ in range(CALLERS):
            pool.submit(call, url, log, stopping)
        try:
            log.await_progress()
            yield log
        finally:
            stopping.set()


def assert_everything_is_there(store_url: str, log: Log) -> None:
    """No answer was wrong, and every acknowledged batch is there, with its one charge."""
    assert log.wrong == []
    (books,) = read_books(store_url)
    assert list(money_problems(books)) == []
    assert set(log.created) <= set(books.batches)


def test_the_mock_outlives_a_restart_of_postgresql(own_postgres: Postgres, tmp_path: Path) -> None:
    """While PostgreSQL is away requests are answered 503 with Retry-After; then all is well."""
    store_url = own_postgres.create_database()
    with Serve(tmp_path, "--store", store_url, "--workers", "2") as serve:
        with load(serve.await_listening(2)) as log:
            for _ in range(2):
                own_postgres.stop()
                log.await_unavailable()
                own_postgres.start()
                log.await_progress()
        assert serve.is_alive
        assert serve.stop() == 0
    assert_everything_is_there(store_url, log)


def test_the_mock_outlives_cut_connections(own_postgres: Postgres, tmp_path: Path) -> None:
    """Connections cut again and again under load cost no more than 503s."""
    store_url = own_postgres.create_database()
    with Serve(tmp_path, "--store", store_url, "--workers", "2") as serve:
        with load(serve.await_listening(2)) as log:
            for _ in range(10):
                own_postgres.cut_connections(store_url)
                log.await_progress()
        assert serve.stop() == 0
    assert_everything_is_there(store_url, log)


def test_webhooks_due_while_postgresql_was_away_are_delivered(
    own_postgres: Postgres, tmp_path: Path, inbox: Inbox
) -> None:
    """What fell due meanwhile is delivered once the store is back, without being asked for."""
    store_url = own_postgres.create_database()

    def missing() -> set[str]:
        return created - {webhook.body["batch_id"] for webhook in inbox.received}

    with (
        Serve(tmp_path, "--store", store_url, "--speed", "4") as serve,
        ThreadPoolExecutor(1) as aside,
    ):
        created = {create(serve.await_url(), inbox.url)}
        creating = aside.submit(create_until_refused, serve.await_url(), inbox.url)
        own_postgres.stop()
        created |= creating.result()
        pause(1)  # a batch takes that long here: the last is done, and there is no store
        assert missing()
        own_postgres.start()
        await_condition(lambda: not missing(), "the webhook of every batch arrives")


def create(url: str, webhook_url: str) -> str:
    """Create a batch, and return its id; "" where the mock answers 503."""
    form = FORM | {"webhook_url": webhook_url}
    answer = requests.post(f"{url}/batch", headers=HEADERS, data=form, timeout=60)
    return "" if answer.status_code == 503 else str(answer.json()["data"]["id"])


def create_until_refused(url: str, webhook_url: str) -> set[str]:
    """Create batches until the mock answers 503; return the ids of those that were created."""
    return set(iter(lambda: create(url, webhook_url), ""))
