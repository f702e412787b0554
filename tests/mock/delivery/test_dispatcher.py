from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event, Timer
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests

from support.serving import Serve
from support.waiting import await_condition
from vimmerse_contracts.vocabulary import PRODUCTION_URL
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.delivery import HttpSender
from vimmerse_mock.interception import intercept
from vimmerse_mock.model.account import SAMPLE_ACCOUNT, Opening
from vimmerse_mock.model.batch import Image
from vimmerse_mock.model.outbox import MessageState
from vimmerse_mock.receiving.inbox import Listener
from vimmerse_mock.server import MockServer
from vimmerse_mock.serving.thread import WsgiThread

Form = Callable[..., dict[str, Any]]


class TestOnALiveClock:
    """What the dispatcher does by itself, with real sockets."""

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
        (webhook,) = inbox.wait_for(1, within=60)
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
        received = inbox.wait_for(100, within=60)
        live.dispatcher.stop()
        assert sorted(w.body["batch_id"] for w in received) == sorted(created)
        assert len(inbox.received) == 100

    def test_what_one_account_sends_to_one_url_keeps_its_order(
        self, live: Mock, listener: Listener, form: Form
    ) -> None:
        """However many senders there are, first attempts arrive in the order of their instants."""
        account = live.open_account("http://mock", Opening(clock="manual"))
        inbox = listener.open_inbox()
        wanted = form(webhook_url=inbox.url)
        created = []
        for _ in range(100):
            view = live.service.create(account.customer_id, wanted, [Image("a")])
            created.append(view.batch.id)
            account.clock.advance(0.001)
        account.clock.set("live", speed=1_000_000)
        received = inbox.wait_for(100, within=60)
        assert [webhook.body["batch_id"] for webhook in received] == created

    def test_a_retry_does_not_hold_up_what_comes_later(
        self, live: Mock, listener: Listener, form: Form
    ) -> None:
        """While a failed webhook waits for its next attempt, the following ones are sent."""
        account = live.open_account("http://mock", Opening(speed=100))
        inbox = listener.open_inbox()
        account.plan_next_webhooks("500")
        account.retry_webhooks_after("1d")
        wanted = form(webhook_url=inbox.url)
        views = [live.service.create(account.customer_id, wanted, [Image("a")]) for _ in range(2)]
        (webhook,) = inbox.wait_for(1, within=60)
        assert webhook.body["batch_id"] == views[1].batch.id

    def test_a_burst_is_under_way_together(self, live: Mock, form: Form) -> None:
        """A receiver that answers only when all have come gets them all."""
        together = Barrier(5)

        def receive(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
            environ["wsgi.input"].read()
            together.wait(60)
            start("200 OK", [("Content-Length", "0")])
            return []

        receiver = WsgiThread(receive)
        receiver.start()
        account = live.open_account("http://mock", Opening(speed=100))
        account.plan_webhooks("burst 5")
        wanted = form(webhook_url=receiver.url)
        live.service.create(account.customer_id, wanted, [Image("a")])
        await_condition(
            lambda: all(m.state == "delivered" for m in account.outbox), "all are through"
        )
        receiver.stop()
        assert not together.broken

    @pytest.mark.parametrize("accounts", [1, 100])
    def test_a_receiver_that_hangs_holds_up_nobody_else(
        self, listener: Listener, form: Form, accounts: int
    ) -> None:
        """With a hundred webhooks to one that never answers, another's arrive meanwhile."""
        inbox = listener.open_inbox()
        with (
            closing(create_mock(sender=HttpSender(timeout=300))) as live,
            socket.create_server(("127.0.0.1", 0), backlog=128) as hanging,
        ):
            live.dispatcher.start()
            url = f"http://127.0.0.1:{hanging.getsockname()[1]}/hook"
            slow = [live.open_account("http://mock", Opening(speed=1000)) for _ in range(accounts)]
            quick = live.open_account("http://mock", Opening(speed=1000))
            for number in range(100):
                customer_id = slow[number % accounts].customer_id
                live.service.create(customer_id, form(webhook_url=url), [Image("a")])
            for _ in range(20):
                wanted = form(webhook_url=inbox.url)
                live.service.create(quick.customer_id, wanted, [Image("a")])
            inbox.wait_for(20, within=60)
            assert all(not message.attempts for one in slow for message in one.outbox)

    def test_receivers_that_hang_take_no_more_than_their_accounts_share(
        self, listener: Listener, form: Form
    ) -> None:
        """However many of one account there are, another account's webhooks arrive meanwhile."""
        inbox = listener.open_inbox()
        with closing(create_mock(sender=HttpSender(timeout=300))) as live, ExitStack() as stack:
            live.dispatcher.start()
            slow = live.open_account("http://mock", Opening(speed=1000))
            quick = live.open_account("http://mock", Opening(speed=1000))
            for _ in range(60):
                hanging = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
                url = f"http://127.0.0.1:{hanging.getsockname()[1]}/hook"
                live.service.create(slow.customer_id, form(webhook_url=url), [Image("a")])
            for _ in range(20):
                wanted = form(webhook_url=inbox.url)
                live.service.create(quick.customer_id, wanted, [Image("a")])
            inbox.wait_for(20, within=60)
            assert not any(message.attempts for message in slow.outbox)

    def test_what_is_under_way_is_finished_on_stop(self, form: Form) -> None:
        """A receiver that is at work when the mock stops gets to answer, and that is recorded."""
        mock = create_mock()
        mock.dispatcher.start()
        arrived, go_on = Event(), Event()

        def receive(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
            environ["wsgi.input"].read()
            arrived.set()
            go_on.wait(60)
            start("200 OK", [("Content-Length", "0")])
            return []

        receiver = WsgiThread(receive)
        receiver.start()
        account = mock.open_account("http://mock", Opening(speed=100))
        wanted = form(webhook_url=receiver.url)
        mock.service.create(account.customer_id, wanted, [Image("a")])
        assert arrived.wait(60)
        Timer(0.2, go_on.set).start()
        mock.dispatcher.stop()
        assert [message.state for message in account.outbox] == ["delivered"]
        receiver.stop()
        mock.close()


class TestCallingBack:
    """A receiver that asks the API from its handler, in every way of running the mock."""

    def test_a_server_in_a_thread(self) -> None:
        """It reads the batch that it hears of in its final state."""
        with MockServer(opening=replace(SAMPLE_ACCOUNT, speed=100)) as server:
            assert statuses_from(server.url) == ["success"]

    def test_a_server_in_a_thread_on_a_clock_moved_by_hand(self) -> None:
        """The clock's mover waits for the handler, and the handler's call is answered meanwhile."""
        with MockServer(opening=replace(SAMPLE_ACCOUNT, clock="manual")) as server:
            assert statuses_from(server.url, server.account.clock.advance) == ["success"]

    def test_a_process_of_its_own(self, tmp_path: Path) -> None:
        """`serve` with one worker answers while it delivers."""
        with Serve(tmp_path, "--speed", "100") as serve:
            assert statuses_from(serve.await_url()) == ["success"]

    def test_in_process(self) -> None:
        """Under `intercept()` the handler's own call is intercepted too."""
        opening = replace(SAMPLE_ACCOUNT, clock="manual")
        with intercept(opening=opening) as vimmerse:
            assert statuses_from(PRODUCTION_URL, vimmerse.account.clock.advance) == ["success"]


def statuses_from(
    url: str, advance: Callable[[float], object] = lambda _seconds: None
) -> list[str]:
    """Create a batch, and let its receiver read it when it hears of it; return what it read."""
    statuses: list[str] = []
    headers = {"X-Api-Key": SAMPLE_ACCOUNT.api_key}

    def receive(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        batch_id = json.loads(environ["wsgi.input"].read())["batch_id"]
        read = requests.get(f"{url}/batch/{batch_id}", headers=headers, timeout=60)
        statuses.append(read.json()["data"]["status"])
        start("200 OK", [("Content-Length", "0")])
        return []

    receiver = WsgiThread(receive)
    receiver.start()
    data = {"image_urls": "http://images.example/1.jpg", "webhook_url": receiver.url}
    requests.post(f"{url}/batch", headers=headers, data=data, timeout=60)
    advance(60)
    await_condition(lambda: statuses, "the receiver has read the batch")
    receiver.stop()
    return statuses
