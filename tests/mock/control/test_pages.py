"""Lists in pages, and histories by what is new: what they cost does not grow with an account."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from support.frozen_time import FrozenTime
from vimmerse_mock.account.account import Account
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.control import operations as o
from vimmerse_mock.delivery import Post, Reply
from vimmerse_mock.errors import InvalidRequestError
from vimmerse_mock.model.account import Opening
from vimmerse_mock.stores import Store
from vimmerse_mock.wsgi import call_wsgi

HOOK = "http://127.0.0.1:9/hook"


class Receiver:
    """A sender whose receiver refuses, and may call the API meanwhile."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], object] = lambda: None

    def send(self, _post: Post) -> Reply:
        """Answer 500."""
        self.meanwhile()
        return Reply(500)


@pytest.fixture
def receiver() -> Receiver:
    """Who is called."""
    return Receiver()


@pytest.fixture
def mock(store: Store, receiver: Receiver, frozen_time: FrozenTime) -> Mock:
    """A mock on each store."""
    return create_mock(store=store, sender=receiver, real_time=frozen_time)


@pytest.fixture
def account(mock: Mock) -> Account:
    """An account whose clock stands until it is moved."""
    return mock.open_account("http://mock", Opening(clock="manual", seed="s"))


@pytest.fixture
def call(mock: Mock, account: Account) -> Callable[..., str]:
    """Call the API with the account's key; return the id of the batch."""

    def call(method: str, path: str, form: str = "") -> str:
        headers = {
            "X-Api-Key": account.key,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        status, _, said = call_wsgi(mock.app, method, f"http://mock{path}", headers, form.encode())
        assert status == 200, said
        return str(json.loads(said)["data"]["id"])

    return call


@pytest.fixture
def create(call: Callable[..., str]) -> Callable[[], str]:
    """Create a batch with a webhook."""
    return lambda: call("POST", "/batch", f"image_urls=http://i.example/1.jpg&webhook_url={HOOK}")


def counted(events: Any) -> Counter[Any]:
    """How often each event is there."""
    return Counter(map(str, events))


def test_a_list_is_the_same_in_pages_of_any_size(
    account: Account, create: Callable[[], str]
) -> None:
    """Every item comes once, in the order of the whole, whatever was changed between two pages."""
    created = [create() for _ in range(5)]
    lists: list[tuple[o.Operation[None, Any], str, tuple[Any, ...]]] = [
        (o.LIST_BATCHES, "batches", account.batches),
        (o.LIST_WEBHOOKS, "webhooks", account.outbox),
        (o.SHOW_LEDGER, "entries", account.ledger),
    ]
    assert sorted(batch.id for batch in account.batches) == sorted(created)
    for operation, name, whole in lists:
        for limit in (1, 2, 5, 6, 1_000):
            found: list[Any] = []
            cursor = ""
            while cursor or not found:
                query = {"limit": str(limit), "after": cursor}
                page = account.call(operation, query=query)
                assert len(getattr(page, name)) <= limit
                found += getattr(page, name)
                cursor = page.next
            assert tuple(found) == whole


def test_accounts_come_in_pages(mock: Mock) -> None:
    """By their ids, each once."""
    for number in range(5):
        mock.open_account("", Opening(customer_id=f"c{number}"))
    control, found, cursor = mock.control(), list[str](), ""
    while cursor or not found:
        page = control.call(o.LIST_ACCOUNTS, query={"limit": "2", "after": cursor})
        found += [each.customer_id for each in page.accounts]
        cursor = page.next
    assert found == [f"c{number}" for number in range(5)]
    assert [len(page.accounts) for page in control.pages(o.LIST_ACCOUNTS)] == [5]


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1001"}, {"limit": "-1"}])
@pytest.mark.parametrize("operation", [o.LIST_BATCHES, o.LIST_WEBHOOKS, o.SHOW_LEDGER])
def test_a_page_has_bounds(
    account: Account, operation: o.Operation[None, Any], query: dict[str, str]
) -> None:
    """A page of none, or of more than a thousand, is refused."""
    with pytest.raises(InvalidRequestError, match=r"limit=.*expected a number"):
        account.call(operation, query=query)


@pytest.mark.parametrize("cursor", ["x", "-1", "1.2", "9" * 30, "٣", "1.2.3.x", "1/2/3"])
@pytest.mark.parametrize(
    "operation", [o.LIST_BATCHES, o.LIST_WEBHOOKS, o.SHOW_LEDGER, o.SHOW_STORY]
)
def test_a_cursor_that_never_was_one_is_refused(
    account: Account, operation: o.Operation[None, Any], cursor: str
) -> None:
    """The sentence says where cursors come from."""
    if operation is o.LIST_BATCHES and cursor == "1/2/3":
        return  # a batch's id may be anything in a snapshot, so this could be one
    with pytest.raises(InvalidRequestError, match="expected the `next` of an earlier answer"):
        account.call(operation, query={"after": cursor})


def test_what_is_new_again_and_again_is_the_whole_story(
    account: Account,
    receiver: Receiver,
    call: Callable[..., str],
    create: Callable[[], str],
) -> None:
    """Each event comes once, also where the clock stands and much happens at one instant."""
    batches = [create()]

    def meanwhile() -> None:
        receiver.meanwhile = lambda: None
        batches.append(create())

    receiver.meanwhile = meanwhile
    moves: list[Callable[[], object]] = [
        create,
        lambda: account.next_batch(queue=0, processing=0),
        create,
        lambda: account.clock.advance(1),
        lambda: call("PUT", f"/batch/{batches[0]}/edit", "title=Another"),
        lambda: call("PUT", f"/batch/{batches[0]}/edit", "prompt=Another"),
        account.clock.advance_to_next,
        account.clock.advance_to_next,
        lambda: account.redeliver(account.outbox[-1].id),
        lambda: account.redeliver(account.outbox[-1].id),
        lambda: account.clock.advance(10),
        lambda: account.pay_in(5),
        lambda: account.clock.advance(100),
        lambda: call("POST", f"/batch/{batches[0]}/concat"),
        lambda: account.faults.status(503),
        lambda: account.clock.advance("1h"),
    ]
    events, cursor = account.events_after()
    found = counted(events)
    for move in moves:
        move()
        events, cursor = account.events_after(cursor)
        assert list(events) == sorted(events, key=lambda event: event.at)
        found += counted(events)
        assert found == counted(account.events())
    assert account.events_after(cursor)[0] == ()


def test_a_move_of_the_clock_returns_what_happened_in_it_and_nothing_else(
    account: Account, create: Callable[[], str]
) -> None:
    """The moves together return everything that no request caused."""
    for _ in range(2):
        create()
    before = counted(account.events())
    moves = [account.clock.advance_to_next() for _ in range(3)]
    moves += [account.clock.advance(span) for span in (0, 1, 10, 0, 7200)]
    assert before + counted(event for move in moves for event in move) == counted(account.events())
    assert moves[3] == moves[6] == ()


def test_what_moves_or_waits_never_reads_an_account_as_a_whole(
    mock: Mock, account: Account, create: Callable[[], str]
) -> None:
    """Neither a move of the clock, nor looking for one thing, nor asking for what is new."""
    batch_id = create()
    events, cursor = account.events_after("now")
    assert events == ()

    def refuse(*_args: object) -> None:
        raise AssertionError("everything was read")

    store = type(mock.courier.store)
    with (
        patch.object(store, "batches", refuse),
        patch.object(store, "messages", refuse),
        patch.object(store, "ledger", refuse),
        patch.object(store, "journal", refuse),
    ):
        (webhook,) = account.next_webhooks
        assert account.webhook(webhook.id) == webhook
        assert account.clock.advance(1) == ()
        assert account.clock.advance_to_next()
        account.clock.run_until(batch_id)
        account.redeliver(webhook.id)
        assert account.batch(batch_id).status == "success"
        assert account.events_after(cursor)[0]


def test_next_is_one_webhook_for_each_url(account: Account, call: Callable[..., str]) -> None:
    """The first that is due there, whatever waits behind it; the first to come first."""
    url = "image_urls=http://i.example/1.jpg"
    ids = [
        call("POST", "/batch", "&".join([f"webhook_url={HOOK}/{path}", *[url] * images]))
        for path, images in (("a", 3), ("b", 1), ("a", 2), ("b", 2))
    ]
    coming = account.next_webhooks
    assert [(each.batch_id, each.url[-1]) for each in coming] == [(ids[1], "b"), (ids[2], "a")]
    account.clock.advance("1d")
    assert account.next_webhooks == ()
