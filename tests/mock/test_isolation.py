"""Two hundred tests at once on one server, with opposite scenarios, clocks and faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import requests

from vimmerse_client import Client, RateLimited, RetryPolicy, TransportError
from vimmerse_mock.account.account import Account
from vimmerse_mock.model.account import Opening
from vimmerse_mock.receiving.inbox import Inbox, Listener
from vimmerse_mock.server import MockServer

AT_ONCE = 20
TESTS = 200
IMAGES = ["http://images.example/1.jpg", "http://images.example/2.jpg"]


@pytest.fixture
def server() -> Iterator[MockServer]:
    """One server for everybody."""
    with MockServer() as running:
        yield running


def succeeds(account: Account, client: Client, inbox: Inbox) -> None:
    """Its clock is moved by a minute; nobody else's is."""
    before = account.clock.now()
    batch = client.create(IMAGES, webhook_url=inbox.url)
    account.clock.advance(60)
    assert account.clock.now() - before == timedelta(minutes=1)
    assert client.get(batch.id).succeeded
    assert [webhook.body["status"] for webhook in inbox.received] == ["success"]


def fails(account: Account, client: Client, inbox: Inbox) -> None:
    """Its media fail; nobody else's do."""
    account.use_scenario("fail")
    batch = client.create(IMAGES, webhook_url=inbox.url)
    account.clock.advance(3_600)
    assert client.get(batch.id).status == "fail"
    assert [webhook.body["status"] for webhook in inbox.received] == ["fail"]


def stands_still(account: Account, client: Client, inbox: Inbox) -> None:
    """Its clock is never moved; nobody moves it."""
    before = account.clock.now()
    batch = client.create(IMAGES, webhook_url=inbox.url)
    readings = [client.get(batch.id) for _ in range(5)]
    assert {reading.progress_percentage for reading in readings} == {0}
    assert account.clock.now() == before
    assert inbox.received == ()


def loses_answers(account: Account, client: Client, inbox: Inbox) -> None:
    """Every answer to it is lost; nobody else's is."""
    account.faults.lose_answer(times=None)
    for _ in range(2):
        with pytest.raises(TransportError):
            client.create(IMAGES, webhook_url=inbox.url)
    assert len(account.batches) == 2
    assert account.credits == 100 - 2 * 10


def is_throttled(account: Account, client: Client, inbox: Inbox) -> None:
    """It may ask once in a minute; everybody else as often as they like."""
    account.limit(requests_per_minute=1)
    batch = client.create(IMAGES, webhook_url=inbox.url)
    with pytest.raises(RateLimited):
        client.get(batch.id)
    account.clock.advance(60)
    assert client.get(batch.id).succeeded


KINDS: tuple[Callable[[Account, Client, Inbox], None], ...] = (
    succeeds,
    fails,
    stands_still,
    loses_answers,
    is_throttled,
)


def test_two_hundred_tests_at_once_do_not_see_each_other(
    server: MockServer, listener: Listener
) -> None:
    """Each finds its own batches, credits, clock, faults and webhooks, and nobody else's."""
    together = Barrier(AT_ONCE)

    def run(number: int) -> str:
        kind = KINDS[number % len(KINDS)]
        account = server.open_account(Opening(clock="manual", credits=100))
        inbox = listener.open_inbox()
        with Client(account.key, server.url, retry=RetryPolicy(attempts=1)) as client:
            if number < AT_ONCE:
                together.wait(120)
            kind(account, client, inbox)
        spent = sum(entry.amount for entry in account.ledger[1:])
        assert account.credits == 100 + spent == 100 - 10 * len(account.batches)
        assert {e.batch_id for e in account.journal.requests()} <= {"", *_ids(account)}
        account.close()
        return kind.__name__

    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = Counter(pool.map(run, range(TESTS)))
    assert done == {kind.__name__: TESTS // len(KINDS) for kind in KINDS}
    assert server.mock.courier.store.customers() == (server.account.customer_id,)


def _ids(account: Account) -> set[str]:
    return {batch.id for batch in account.batches}


def test_a_closed_account_leaves_nothing_behind(server: MockServer) -> None:
    """After closing, its key opens nothing, and the store has nothing of it."""
    account = server.open_account(Opening(clock="manual"))
    with Client(account.key, server.url) as client:
        batch = client.create(IMAGES, webhook_url="http://127.0.0.1:9/")
    account.close()
    answer = requests.get(
        f"{server.url}/batch/{batch.id}", headers={"X-Api-Key": account.key}, timeout=60
    )
    assert answer.status_code == 401
    assert server.mock.courier.store.batch(account.customer_id, batch.id) is None
    assert account.customer_id not in server.mock.courier.store.customers()
