from __future__ import annotations

import socket
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from frozen_time import FrozenTime
from vimmerse_mock.account import Account
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.delivery import HttpSender, Reply
from vimmerse_mock.listener import Listener
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.batch import Image
from vimmerse_mock.model.clock import ClockError
from vimmerse_mock.model.outbox import MessageState
from vimmerse_mock.model.spans import SpanError
from vimmerse_mock.wsgi_thread import WsgiThread

Form = Callable[..., dict[str, Any]]
HOOK = "http://127.0.0.1:9/hook"


class ScriptedSender:
    """A sender that answers as told, then 200, and remembers when it was called."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.sent: list[Mapping[str, str]] = []
        self.on_send: Callable[[], None] = lambda: None
        self._lock = Lock()

    def send(self, url: str, body: Mapping[str, str]) -> Reply:  # noqa: ARG002 - the protocol's
        """Answer the next reply."""
        with self._lock:
            self.sent.append(body)
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
    return mock.open_account("http://mock", Opening(speed=0))


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


def test_a_composition_sends_a_webhook_when_it_ends(
    mock: Mock, account: Account, sender: ScriptedSender, form: Form
) -> None:
    """A composition is a request that is done, too."""
    batch_id = create(mock, account, form)
    account.clock.advance(60)
    mock.service.compose(account.customer_id, batch_id)
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
    account.close()
    mock.courier.deliver(message)
    assert len(sender.sent) == 1


class TestOnALiveClock:
    """What the dispatcher does by itself, with real sockets."""

    @pytest.fixture
    def listener(self) -> Iterator[Listener]:
        """A real listener."""
        listener = Listener()
        yield listener
        listener.stop()

    @pytest.fixture
    def live(self) -> Iterator[Mock]:
        """A mock on real time, whose dispatcher runs."""
        mock = create_mock()
        mock.dispatcher.start()
        yield mock
        mock.close()

    def test_a_webhook_reaches_a_real_listener_once(
        self, live: Mock, listener: Listener, form: Form
    ) -> None:
        """On a clock that runs a hundredfold, the POST arrives as JSON, and it arrives once."""
        account = live.open_account("http://mock", Opening(speed=100))
        inbox = listener.open_inbox()
        wanted = form(webhook_url=inbox.url)
        batch = live.service.create(account.customer_id, wanted, [Image("a")]).batch
        (webhook,) = inbox.wait_for(1)
        assert webhook.headers["Content-Type"] == "application/json"
        assert list(webhook.body) == ["customer_id", "batch_id", "status"]
        assert webhook.body["batch_id"] == batch.id
        live.dispatcher.stop()
        assert len(inbox.received) == 1
        assert account.outbox[0].state is MessageState.DELIVERED

    def test_a_hundred_webhooks_of_ten_accounts_each_arrive_once(
        self, live: Mock, listener: Listener, form: Form
    ) -> None:
        """No message is lost, and none is sent twice."""
        inbox = listener.open_inbox()
        wanted = form(webhook_url=inbox.url)
        accounts = [live.open_account("http://mock", Opening(speed=1000)) for _ in range(10)]
        created = [
            live.service.create(account.customer_id, wanted, [Image("a")]).batch.id
            for account in accounts
            for _ in range(10)
        ]
        received = inbox.wait_for(100, within=20)
        live.dispatcher.stop()
        assert sorted(w.body["batch_id"] for w in received) == sorted(created)
        assert len(inbox.received) == 100

    def test_a_receiver_may_call_back_from_its_handler(self, form: Form) -> None:
        """A receiver that reads the batch while it is being told about it gets its final state."""
        from vimmerse_client import Client
        from vimmerse_mock.server import MockServer

        done, statuses = Event(), []

        with MockServer() as server:
            account = server.open_account(Opening(speed=0))
            client = Client(account.key, account.url)

            def receive(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
                environ["wsgi.input"].read()
                statuses.append(client.get(batch_id).status)
                done.set()
                start("200 OK", [("Content-Length", "0")])
                return []

            receiver = WsgiThread(receive)
            receiver.start()
            wanted = form(webhook_url=receiver.url)
            service = server.mock.service
            batch_id = service.create(account.customer_id, wanted, [Image("a")]).batch.id
            account.clock.advance(60)
            assert done.is_set()
            assert statuses == ["success"]
            receiver.stop()
            client.close()


class TestHttpSender:
    """What comes of a POST."""

    def test_a_redirect_is_not_followed(self) -> None:
        """A 302 is the reply, and the place it points to is never asked."""
        asked: list[str] = []

        def redirect(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
            asked.append(environ["PATH_INFO"])
            start("302 Found", [("Location", "/elsewhere"), ("Content-Length", "0")])
            return []

        thread = WsgiThread(redirect)
        thread.start()
        assert HttpSender().send(thread.url + "/hook", {}) == Reply(302)
        thread.stop()
        assert asked == ["/hook"]

    def test_a_refused_connection_is_a_reply_with_its_reason(self) -> None:
        """Nobody listening is no exception."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            reply = HttpSender().send(f"http://127.0.0.1:{port}/", {})
        assert reply.status is None
        assert "ConnectionRefusedError" in reply.error

    def test_a_proxy_never_gets_between_the_mock_and_loopback(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With HTTP_PROXY set to nowhere, a listener on loopback is still reached."""
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        listener = Listener()
        inbox = listener.open_inbox()
        assert HttpSender().send(inbox.url, {"status": "success"}) == Reply(200)
        listener.stop()
        assert inbox.received[0].body == {"status": "success"}

    def test_a_receiver_that_drips_does_not_get_more_than_its_time(self) -> None:
        """The timeout is for the whole answer: a byte now and then does not prolong it."""
        stop = Event()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]

            def drip() -> None:
                connection, _ = listening.accept()
                with connection, suppress(OSError):
                    while not stop.wait(0.05):
                        connection.sendall(b"H")

            dripper = Thread(target=drip)
            dripper.start()
            reply = HttpSender(timeout=0.3).send(f"http://127.0.0.1:{port}/", {})
            stop.set()
            dripper.join()
        assert reply.status is None
        assert reply.error

    def test_a_login_in_the_url_is_sent_as_one(self) -> None:
        """`http://user:password@host/` becomes basic authentication, and netrc is not asked."""
        listener = Listener()
        inbox = listener.open_inbox()
        HttpSender().send(inbox.url.replace("http://", "http://me:p%40ss@"), {})
        HttpSender().send(inbox.url, {})
        listener.stop()
        first, second = inbox.received
        assert first.headers["Authorization"] == "Basic " + b64encode(b"me:p@ss").decode()
        assert "Authorization" not in second.headers


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
    claim = store.claim_due

    def fail_once(*args: Any, **kwargs: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise ZeroDivisionError("nobody thought of this")
        return claim(*args, **kwargs)

    monkeypatch.setattr(store, "claim_due", fail_once)
    account = mock.open_account("http://mock", Opening())
    create(mock, account, form)
    frozen_time.pass_seconds(60)
    sent = Event()
    sender.on_send = sent.set
    mock.dispatcher.start()
    assert sent.wait(10)
    mock.close()
    assert failed.is_set()
    assert "nobody thought of this" in caplog.text
