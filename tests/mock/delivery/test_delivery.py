from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Lock
from typing import Any

import pytest

from support.frozen_time import FrozenTime
from support.waiting import await_condition
from vimmerse_mock.account.account import Account
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.delivery import Post, Reply
from vimmerse_mock.delivery.sending import post_of
from vimmerse_mock.errors import ClockError, SpanError
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.batch import Image
from vimmerse_mock.model.clock import SECOND
from vimmerse_mock.model.outbox import LEASE, MessageState
from vimmerse_mock.stores import open_store

Form = Callable[..., dict[str, Any]]
HOOK = "http://127.0.0.1:9/hook"


class ScriptedSender:
    """A sender that answers as given, then 200, and remembers when it was called."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.posts: list[Post] = []
        self.on_send: Callable[[], None] = lambda: None
        self._lock = Lock()

    @property
    def sent(self) -> list[dict[str, str]]:
        """The bodies that were sent."""
        return [json.loads(post.body) for post in self.posts]

    def send(self, post: Post) -> Reply:
        """Answer the next reply."""
        with self._lock:
            self.posts.append(post)
            self.on_send()
            return self.replies.pop(0) if self.replies else Reply(200)


@pytest.fixture
def sender() -> ScriptedSender:
    """What stands in for the network."""
    return ScriptedSender()


@pytest.fixture
def mock(frozen_time: FrozenTime, sender: ScriptedSender) -> Iterator[Mock]:
    """A mock on frozen time that sends by the scripted sender."""
    mock = create_mock(real_time=frozen_time, sender=sender)
    yield mock
    mock.close()


@pytest.fixture
def account(mock: Mock) -> Account:
    """An account with a manual clock."""
    return mock.open_account("http://mock", Opening(clock="manual"))


def create(mock: Mock, account: Account, form: Form, **fields: str) -> str:
    """Create a batch of one image with a webhook; it takes four seconds."""
    wanted = form(webhook_url=HOOK, **fields)
    return mock.service.create(account.customer_id, wanted, [Image("a")]).batch.id


def test_a_webhook_is_delivered_at_its_own_instant(
    mock: Mock, account: Account, sender: ScriptedSender, form: Form
) -> None:
    """While a webhook is delivered, the clock shows the instant at which the submission ended."""
    batch_id = create(mock, account, form)
    start = account.clock.now()
    seen: list[float] = []
    sender.on_send = lambda: seen.append((account.clock.now() - start).total_seconds())
    account.clock.advance(60)
    assert seen == [4.0]
    assert sender.sent == [
        {"customer_id": account.customer_id, "batch_id": batch_id, "status": "success"}
    ]
    assert (account.clock.now() - start).total_seconds() == 60


def test_nothing_is_sent_before_its_time(
    mock: Mock, account: Account, sender: ScriptedSender, form: Form
) -> None:
    """A submission that has not ended sends nothing."""
    create(mock, account, form)
    account.clock.advance(3.999)
    assert sender.sent == []


def test_a_failed_delivery_is_retried_until_it_is_through(
    mock: Mock, account: Account, sender: ScriptedSender, form: Form
) -> None:
    """A 500 and a broken connection are tried again; each attempt is recorded with its instant."""
    sender.replies = [Reply(500), Reply(None, "ConnectionError: refused")]
    create(mock, account, form)
    account.clock.advance(600)
    message = account.outbox[0]
    assert message.state is MessageState.DELIVERED
    assert [attempt.status for attempt in message.attempts] == [500, None, 200]
    first = message.attempts[0].at
    assert [(attempt.at - first).total_seconds() for attempt in message.attempts] == [0, 10, 70]
    assert message.attempts[1].error == "ConnectionError: refused"


def test_a_receiver_that_never_answers_well_exhausts_the_message(
    mock: Mock, account: Account, sender: ScriptedSender, form: Form
) -> None:
    """After five attempts the mock gives up, visibly."""
    sender.replies = [Reply(503)] * 9
    create(mock, account, form)
    account.clock.advance(86_400)
    assert account.outbox[0].state is MessageState.EXHAUSTED
    assert len(sender.sent) == 5


def test_a_superseded_submission_sends_nothing(
    mock: Mock, account: Account, sender: ScriptedSender, form: Form
) -> None:
    """After an update while it processed, one webhook comes, at the end of the new submission."""
    batch_id = create(mock, account, form)
    account.clock.advance(2)
    mock.service.update(account.customer_id, batch_id, {"prompt": "sea"})
    account.clock.advance(3600)
    assert len(sender.sent) == 1
    assert [m.state for m in account.outbox] == [MessageState.WITHDRAWN, MessageState.DELIVERED]


def test_a_failed_batch_says_so(
    mock: Mock, account: Account, sender: ScriptedSender, form: Form
) -> None:
    """The webhook of a batch in which all media failed has the status 'fail'."""
    account.use_scenario("fail")
    create(mock, account, form)
    account.clock.advance(60)
    assert [body["status"] for body in sender.sent] == ["fail"]


def test_a_concat_sends_a_webhook_when_it_ends(
    mock: Mock, account: Account, sender: ScriptedSender, form: Form
) -> None:
    """A concat is a request that is done, too."""
    batch_id = create(mock, account, form)
    account.clock.advance(60)
    mock.service.concat(account.customer_id, batch_id)
    account.clock.advance(60)
    assert [m.submission for m in account.outbox] == [1, 2]
    assert len(sender.sent) == 2


def test_webhooks_are_delivered_in_the_order_in_which_they_fall_due(
    mock: Mock, account: Account, sender: ScriptedSender, form: Form
) -> None:
    """Advancing far delivers what came due on the way in its order."""
    slow = create(mock, account, form, duration="10")
    fast = create(mock, account, form, duration="1")
    account.clock.advance(3600)
    assert [body["batch_id"] for body in sender.sent] == [fast, slow]


def test_a_clock_does_not_move_back(account: Account) -> None:
    """A negative advance, and a moment in the past, are refused."""
    with pytest.raises(SpanError, match="not negative"):
        account.clock.advance(-1)
    earlier = account.clock.now()
    account.clock.advance(1)
    with pytest.raises(ClockError, match="forward only"):
        account.clock.move_to(earlier)


def test_move_to_moves_to_a_moment(account: Account) -> None:
    """`move_to` sets the clock to the moment, exactly."""
    moment = account.clock.now().replace(year=2030)
    account.clock.move_to(moment)
    assert account.clock.now() == moment


def test_a_removed_account_gets_no_webhook(
    mock: Mock, account: Account, sender: ScriptedSender, form: Form
) -> None:
    """A message under way when its account is removed is dropped without a complaint."""
    create(mock, account, form)
    sender.on_send = account.close
    account.clock.advance(0)
    (message,) = mock.courier.store.messages(account.customer_id)
    mock.courier.deliver(message)
    mock.courier.deliver(message)
    assert len(sender.sent) == 1


def test_an_unforeseen_failure_does_not_end_delivery(
    frozen_time: FrozenTime,
    sender: ScriptedSender,
    form: Form,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A store that fails once in a way nobody thought of does not keep later webhooks back."""
    mock = create_mock(real_time=frozen_time, sender=sender)
    store, failed = mock.courier.store, Event()
    claim = store.claim

    def fail_once(*args: Any, **kwargs: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise ZeroDivisionError("nobody thought of this")
        return claim(*args, **kwargs)

    monkeypatch.setattr(store, "claim", fail_once)
    account = mock.open_account("http://mock", Opening())
    create(mock, account, form)
    frozen_time.pass_seconds(60)
    sent = Event()
    sender.on_send = sent.set
    mock.dispatcher.start()
    assert sent.wait(60)
    mock.close()
    assert failed.is_set()
    assert "nobody thought of this" in caplog.text


def test_a_crash_between_attempt_and_record_repeats_the_attempt(
    frozen_time: FrozenTime, sender: ScriptedSender, form: Form, tmp_path: Path
) -> None:
    """What was sent and not recorded is sent again, by another mock, once the lease has ended."""
    url = f"sqlite:///{tmp_path / 'mock.db'}"
    crashing = create_mock(store=open_store(url), real_time=frozen_time, sender=sender)
    account = crashing.open_account("http://mock", Opening(seed="s"))
    create(crashing, account, form)
    frozen_time.pass_seconds(5)
    claimed = crashing.courier.store.claim(frozen_time(), frozen_time() + LEASE)
    assert claimed is not None
    crashing.courier.sender.send(post_of(claimed, (), 0))  # and here it dies
    crashing.close()
    heir = create_mock(store=open_store(url), real_time=frozen_time, sender=sender)
    assert heir.courier.store.claim(frozen_time(), frozen_time() + LEASE) is None
    frozen_time.pass_seconds(LEASE / SECOND)
    heir.dispatcher.start()
    await_condition(lambda: len(sender.sent) == 2, "it is sent again")
    heir.dispatcher.stop()
    (message,) = heir.courier.store.messages(account.customer_id)
    assert (message.state, len(message.attempts)) == ("delivered", 1)
    assert sender.sent[0] == sender.sent[1]
    heir.close()


def test_a_webhook_that_fails_by_a_mistake_of_the_mock_hides_no_other(
    mock: Mock,
    account: Account,
    sender: ScriptedSender,
    form: Form,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever its sender raises, it is set aside and logged, and the clock moves on."""
    for number in range(3):
        wanted = form(webhook_url=f"http://receiver.example/{number}")
        mock.service.create(account.customer_id, wanted, [Image("a")])
    mistakes = iter([RuntimeError("a mistake")])

    def fail_once() -> None:
        for mistake in mistakes:
            raise mistake

    sender.on_send = fail_once
    account.clock.advance(3600)
    states = sorted(message.state.value for message in account.outbox)
    assert states == ["delivered", "delivered", "set_aside"]
    assert "it is set aside" in caplog.text
    mistakes = iter([RuntimeError("another")])
    assert mock.courier.deliver(mock.courier.store.messages(account.customer_id)[0]) == 0
