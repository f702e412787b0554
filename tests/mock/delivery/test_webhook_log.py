"""Webhooks end to end on a clock moved by hand: plans, retries, signatures, and the log of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests
import standardwebhooks
from click.testing import CliRunner, Result

from vimmerse_contracts.vocabulary import CONTROL_HEADER
from vimmerse_mock.account.account import Account
from vimmerse_mock.cli import main
from vimmerse_mock.control.messages import WebhookInfo
from vimmerse_mock.delivery import courier
from vimmerse_mock.errors import (
    InvalidRequestError,
    PlanError,
    SpanError,
    UnknownMessageError,
    WebhookSettingsError,
)
from vimmerse_mock.model.account import Opening
from vimmerse_mock.receiving.inbox import Inbox, Listener
from vimmerse_mock.server import MockServer
from vimmerse_mock.serving.thread import WsgiThread

FORM = {"image_urls": ["http://images.example/1.jpg"]}
Answers = Callable[[WSGIEnvironment, StartResponse], list[bytes]]


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    """A mock for all tests of this module."""
    with MockServer() as server:
        yield server


@pytest.fixture
def account(server: MockServer) -> Iterator[Account]:
    """An account of this test's own, with a clock moved by hand."""
    account = server.open_account(Opening(clock="manual"))
    yield account
    account.close()


@pytest.fixture
def receiver() -> Iterator[Callable[[Answers], str]]:
    """Serve receivers of one's own; gives their URLs."""
    threads: list[WsgiThread] = []

    def serve(app: Answers) -> str:
        threads.append(WsgiThread(app))
        threads[-1].start()
        return threads[-1].url

    yield serve
    for thread in threads:
        thread.stop()


def create(account: Account, url: str, **fields: str) -> str:
    """Create a batch of one image, which takes four seconds."""
    answer = requests.post(
        f"{account.url}/batch",
        headers={"X-Api-Key": account.key},
        data={**FORM, "webhook_url": url, **fields},
        timeout=60,
    )
    created: dict[str, Any] = answer.json()["data"]
    return str(created["id"])


def update(account: Account, batch_id: str, **fields: str) -> None:
    """Update a batch."""
    url = f"{account.url}/batch/{batch_id}/edit"
    requests.put(url, headers={"X-Api-Key": account.key}, data=fields, timeout=60)


def came(webhook: WebhookInfo) -> list[str]:
    """What came of each attempt."""
    return [attempt.came for attempt in webhook.attempts]


class TestTheLog:
    """What is kept of each attempt."""

    def test_it_has_what_was_sent_and_what_came_back(
        self, account: Account, receiver: Callable[[Answers], str]
    ) -> None:
        """Instant, URL, headers and body of both, and the time it took."""

        def answer(_environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
            start("202 Accepted", [("X-Mine", "yes")])
            return [b"thank you"]

        url = f"{receiver(answer)}/hook?page=abc"
        batch_id = create(account, url)
        account.clock.advance(60)
        (webhook,) = account.outbox
        (attempt,) = webhook.attempts
        assert (webhook.state, webhook.batch_id, webhook.number) == ("delivered", batch_id, 1)
        assert (attempt.status, attempt.error, attempt.url) == (202, "", url)
        assert json.loads(attempt.request_body) == webhook.body
        assert attempt.request_headers["Content-Type"] == "application/json"
        assert attempt.response_headers["X-Mine"] == "yes"
        assert attempt.response_body == "thank you"
        assert not attempt.pretended
        assert account.webhook(webhook.id) == webhook

    def test_a_long_answer_is_cut(
        self, account: Account, receiver: Callable[[Answers], str]
    ) -> None:
        """Four kilobytes of the body stay, and eight of the headers, whatever they are."""

        def answer(_environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
            start("200 OK", [(f"X-Long-{n}", "y" * 1000) for n in range(20)])
            return [b"\xff" * 100_000]

        create(account, receiver(answer))
        account.clock.advance(60)
        attempt = account.outbox[0].attempts[0]
        assert attempt.response_body == "\ufffd" * 4096
        assert len(str(attempt.response_headers)) < 10_000

    def test_it_has_no_secret(self, account: Account, inbox: Inbox) -> None:
        """A login in the URL reaches the receiver, and neither log nor story show it."""
        create(account, inbox.url.replace("http://", "http://me:pssst@"))
        account.clock.advance(60)
        assert inbox.received[0].headers["Authorization"].startswith("Basic ")
        (webhook,) = account.outbox
        assert webhook.attempts[0].request_headers["Authorization"] == "[redacted]"
        assert webhook.url.startswith("http://127.0.0.1:")
        for shown in (repr(webhook), account.story()):
            assert "pssst" not in shown
            assert inbox.received[0].headers["Authorization"] not in shown
            assert account.key not in shown

    def test_the_story_tells_every_attempt(self, account: Account, inbox: Inbox) -> None:
        """In the order of the account's clock, with what a plan made of it."""
        account.plan_next_webhooks("stale, 500")
        create(account, inbox.url)
        account.clock.advance(60)
        lines = [event.what for event in account.events() if event.kind == "delivery"]
        assert lines == [
            f"webhook 'success' (stale) to {inbox.url}, attempt 1: 200",
            f"webhook 'success' to {inbox.url}, attempt 1: 500 (pretended)",
            f"webhook 'success' to {inbox.url}, attempt 2: 200",
        ]

    def test_an_unknown_webhook_is_told(self, account: Account) -> None:
        """Asking for one that is not there says where to look."""
        with pytest.raises(UnknownMessageError, match="no webhook 'msg_9'"):
            account.webhook("msg_9")


class TestRetries:
    """When a failed attempt is repeated."""

    def test_the_policy_is_the_accounts(self, account: Account) -> None:
        """After a second and a minute, say; then it is exhausted."""
        account.retry_webhooks_after(1, "1m")
        create(account, "http://127.0.0.1:9/nobody")
        account.clock.advance("1h")
        (webhook,) = account.outbox
        first = webhook.attempts[0].at
        waited = [(attempt.at - first).total_seconds() for attempt in webhook.attempts]
        assert (waited, webhook.state) == ([0.0, 1.0, 61.0], "exhausted")

    def test_there_may_be_no_retry(self, account: Account) -> None:
        """Without spans the first attempt is the last."""
        account.retry_webhooks_after()
        create(account, "http://127.0.0.1:9/nobody")
        account.clock.advance("1h")
        assert [len(webhook.attempts) for webhook in account.outbox] == [1]

    def test_gone_ends_it(self, account: Account) -> None:
        """410 says that the receiver wants no more."""
        account.plan_webhooks("410")
        create(account, "http://127.0.0.1:9/nobody")
        account.clock.advance("1h")
        (webhook,) = account.outbox
        assert (came(webhook), webhook.state) == (["410 (pretended)"], "exhausted")

    def test_what_makes_no_sense_is_refused(self, account: Account) -> None:
        """A span that is none, and too many of them; the policy stays as it was."""
        with pytest.raises(SpanError, match="soon"):
            account.retry_webhooks_after("soon")
        with pytest.raises(WebhookSettingsError, match="at most 50 retries"):
            account.retry_webhooks_after(*[1] * 51)
        assert account.webhook_settings.retry_after == (10, 60, 300, 1800)

    def test_a_refused_receiver_is_an_attempt_that_says_what_to_do(self, account: Account) -> None:
        """What may not be called is recorded like every failure, and nothing is dropped."""
        create(account, "http://8.8.8.8/hook")
        account.clock.advance(5)
        (webhook,) = account.outbox
        assert webhook.state == "pending"
        assert "8.8.8.8 is not called" in webhook.attempts[0].error
        assert "--webhook-allow 8.8.8.8" in webhook.attempts[0].error


class TestPlans:
    """Deliveries that go wrong, on purpose."""

    def test_pretended_answers_never_reach_the_receiver(
        self, account: Account, inbox: Inbox
    ) -> None:
        """`500, timeout, ok`: two failures that the receiver knows nothing of, then the webhook."""
        account.plan_webhooks("500, timeout, ok")
        create(account, inbox.url)
        account.clock.advance(5)
        assert inbox.received == ()
        account.clock.advance("1h")
        (webhook,) = account.outbox
        assert came(webhook) == [
            "500 (pretended)",
            "TimeoutError: no answer within 10 s (pretended)",
            "200",
        ]
        assert [attempt.pretended for attempt in webhook.attempts] == [True, True, False]
        assert webhook.attempts[1].took == 10
        assert len(inbox.received) == 1

    def test_each_of_the_next_submissions_takes_a_plan(
        self, account: Account, inbox: Inbox
    ) -> None:
        """The queue is taken in order by what has a webhook; then the account's own plan counts."""
        account.plan_webhooks("duplicate")
        account.plan_next_webhooks("drop", "500")
        first = create(account, inbox.url)
        create(account, "")
        second = create(account, inbox.url)
        third = create(account, inbox.url)
        assert account.webhook_settings.next_plans == ()
        account.clock.advance("1h")
        arrived = [webhook.body["batch_id"] for webhook in inbox.received]
        assert sorted(arrived) == sorted([second, third, third])
        states = {webhook.batch_id: webhook.state for webhook in account.outbox}
        assert states == {first: "dropped", second: "delivered", third: "delivered"}

    def test_a_plan_is_frozen_into_the_submission(self, account: Account, inbox: Inbox) -> None:
        """Ending the plan later changes nothing for webhooks that were planned by it."""
        account.plan_webhooks("drop")
        create(account, inbox.url)
        account.plan_webhooks(None)
        create(account, inbox.url)
        account.clock.advance("1h")
        assert [webhook.state for webhook in account.outbox] == ["dropped", "delivered"]

    def test_two_swap(self, account: Account, inbox: Inbox) -> None:
        """The first of two comes after the second, and the third after both."""
        account.plan_next_webhooks("swap")
        batches: list[str] = []
        for _ in range(3):
            batches.append(create(account, inbox.url))
            account.clock.advance(1)
        account.clock.advance(60)
        arrived = [webhook.body["batch_id"] for webhook in inbox.received]
        assert arrived == [batches[1], batches[0], batches[2]]

    def test_an_early_webhook_comes_before_the_answer(
        self, account: Account, receiver: Callable[[Answers], str]
    ) -> None:
        """The receiver hears of a batch before its creator, may read it, and hears the end too."""
        seen: list[str] = []

        def read(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
            body = json.loads(environ["wsgi.input"].read())
            url = f"{account.url}/batch/{body['batch_id']}"
            answer = requests.get(url, headers={"X-Api-Key": account.key}, timeout=60).json()
            seen.append(f"{body['status']} while {answer['data']['status']}")
            start("200 OK", [("Content-Length", "0")])
            return []

        account.plan_next_webhooks("early")
        create(account, receiver(read))
        assert seen == ["success while processing"]
        account.clock.advance(60)
        assert seen == ["success while processing", "success while success"]

    def test_an_early_webhook_that_fails_is_tried_again(self, account: Account) -> None:
        """It is delivered like every other: a refused connection is retried after ten seconds."""
        account.plan_next_webhooks("early")
        create(account, "http://127.0.0.1:9/nobody")
        assert [len(webhook.attempts) for webhook in account.outbox] == [1, 0]
        account.clock.advance(11)
        assert [len(webhook.attempts) for webhook in account.outbox] == [2, 1]

    def test_a_superseded_submission_takes_all_its_webhooks_back(
        self, account: Account, inbox: Inbox
    ) -> None:
        """Copies and variants that were not sent yet are withdrawn together."""
        account.plan_next_webhooks("wrong status, burst 3")
        batch_id = create(account, inbox.url)
        account.clock.advance(1)
        update(account, batch_id, prompt="sea")
        account.clock.advance("1h")
        states = [(webhook.submission, webhook.state) for webhook in account.outbox]
        assert states == [(1, "withdrawn")] * 4 + [(2, "delivered")]
        assert len(inbox.received) == 1

    def test_another_url_is_for_everything_that_is_still_to_come(
        self, account: Account, inbox: Inbox, listener: Listener
    ) -> None:
        """A webhook_url given while the batch processes gets its webhooks, by the plan they had."""
        account.plan_next_webhooks("stale, duplicate")
        batch_id = create(account, inbox.url)
        account.clock.advance(3)
        other = listener.open_inbox()
        update(account, batch_id, webhook_url=other.url)
        account.clock.advance(60)
        assert (len(inbox.received), len(other.received)) == (1, 2)

    def test_a_plan_that_makes_no_sense_is_400(self, account: Account) -> None:
        """Over HTTP with what is allowed; in Python as what it is; nothing changes."""
        where = f"{account.url}/__admin/accounts/{account.customer_id}/webhook_settings"
        answer = requests.patch(
            where, json={"plan": "explode"}, headers={CONTROL_HEADER: "1"}, timeout=60
        )
        assert (answer.status_code, answer.json()["error"]) == (400, "PlanError")
        assert "use ok, 500, timeout, refused, delay 30s" in answer.json()["message"]
        with pytest.raises(PlanError, match="'explode'"):
            account.plan_next_webhooks("ok", "explode")
        assert account.webhook_settings.plan is None
        assert account.webhook_settings.next_plans == ()


class TestRedelivery:
    """Sending again by hand."""

    def test_it_is_a_further_attempt_of_the_same_message(
        self, account: Account, inbox: Inbox
    ) -> None:
        """Whatever state it is in, it is really sent, and stays the same message."""
        create(account, inbox.url)
        account.clock.advance(60)
        (webhook,) = account.outbox
        again = account.redeliver(webhook.id)
        assert (again.id, again.state, came(again)) == (webhook.id, "delivered", ["200", "200"])
        assert len(inbox.received) == 2

    def test_it_is_not_sent_without_end(
        self, account: Account, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Every attempt is kept, so there is a last one."""
        monkeypatch.setattr(courier, "MOST_ATTEMPTS", 2)
        create(account, inbox.url)
        account.clock.advance(60)
        (webhook,) = account.outbox
        account.redeliver(webhook.id)
        with pytest.raises(InvalidRequestError, match="2 times at most"):
            account.redeliver(webhook.id)
        assert len(inbox.received) == 2

    @pytest.mark.parametrize("plan", ["drop", "410"])
    def test_what_never_came_can_still_get_through(
        self, account: Account, inbox: Inbox, plan: str
    ) -> None:
        """A dropped and an exhausted one are delivered then; pretended answers do not count."""
        account.plan_webhooks(plan)
        create(account, inbox.url)
        account.clock.advance("1h")
        (webhook,) = account.outbox
        assert account.redeliver(webhook.id).state == "delivered"
        assert len(inbox.received) == 1

    def test_a_pending_one_is_sent_at_once(self, account: Account, inbox: Inbox) -> None:
        """Its own instant has nothing left to do then."""
        account.plan_webhooks("500")
        create(account, inbox.url)
        account.clock.advance(5)
        (webhook,) = account.outbox
        assert account.redeliver(webhook.id).state == "delivered"
        account.clock.advance("1h")
        assert len(inbox.received) == 1

    def test_a_withdrawn_one_stays_so(self, account: Account, inbox: Inbox) -> None:
        """It is sent, since that was asked for, but what it says is not true."""
        batch_id = create(account, inbox.url)
        update(account, batch_id, prompt="sea")
        webhook = account.redeliver(account.outbox[0].id)
        assert (webhook.state, came(webhook)) == ("withdrawn", ["200"])


class TestSigning:
    """Standard Webhooks, if an account has a secret."""

    def test_the_standard_package_verifies_what_arrives(
        self, account: Account, inbox: Inbox
    ) -> None:
        """With the present secret and with the one before it; a copy has the same id."""
        old, new = account.rotate_webhook_secret(), account.rotate_webhook_secret()
        account.plan_webhooks("500, duplicate")
        create(account, inbox.url)
        account.clock.advance("1h")
        for webhook in inbox.received:
            body = json.dumps(webhook.body)
            for secret in (old, new):
                standardwebhooks.Webhook(secret).verify(body, dict(webhook.headers))
        assert len({webhook.headers["Webhook-Id"] for webhook in inbox.received}) == 1
        ids = {
            attempt.request_headers["webhook-id"]
            for webhook in account.outbox
            for attempt in webhook.attempts
        }
        assert ids == {inbox.received[0].headers["Webhook-Id"]}

    def test_it_is_off_until_asked_for_and_can_be_ended(
        self, account: Account, inbox: Inbox
    ) -> None:
        """Without a secret there is no header of it."""
        account.rotate_webhook_secret()
        account.sign_webhooks()
        create(account, inbox.url)
        account.clock.advance(60)
        assert "Webhook-Signature" not in inbox.received[0].headers

    def test_what_is_no_secret_is_refused(self, account: Account) -> None:
        """With what one is, and without repeating it."""
        with pytest.raises(WebhookSettingsError, match="Base64 of 24 to 64 bytes") as refusal:
            account.sign_webhooks("sesame")
        assert "sesame" not in str(refusal.value)


class TestTheCommands:
    """`vimmerse-mock webhooks`."""

    @pytest.fixture
    def invoke(self, server: MockServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
        """Run the command line in this process, on this module's mock."""
        monkeypatch.setenv("VIMMERSE_ADMIN_URL", server.url)
        return lambda *words: CliRunner().invoke(main, ["webhooks", *words])

    def test_webhooks_are_listed_shown_and_sent_again(
        self, account: Account, inbox: Inbox, invoke: Callable[..., Result]
    ) -> None:
        """State and last answer in a line; everything that went over the wire in a page."""
        account.plan_webhooks("500")
        batch_id = create(account, inbox.url)
        account.clock.advance(60)
        (webhook,) = account.outbox
        listed = invoke("list", "--customer-id", account.customer_id)
        assert listed.exit_code == 0
        assert listed.output.strip() == (
            f"{webhook.id}  delivered  success of batch {batch_id}, submission 1, to {inbox.url}: "
            "2 attempts, last: 200"
        )
        shown = invoke("show", webhook.id).output
        assert "500 (pretended)" in shown
        assert f"POST {inbox.url}" in shown
        assert webhook.attempts[1].request_body in shown
        again = invoke("redeliver", webhook.id)
        assert "3 attempts, last: 200" in again.output
        assert len(inbox.received) == 2

    def test_they_print_json_for_programs(
        self, account: Account, inbox: Inbox, invoke: Callable[..., Result]
    ) -> None:
        """`--json` has what the control plane says."""
        create(account, inbox.url)
        listed = json.loads(invoke("list", "--json", "--customer-id", account.customer_id).output)
        assert [each["state"] for each in listed] == ["pending"]
        shown = json.loads(invoke("show", "--json", listed[0]["id"]).output)
        assert shown == listed[0]

    def test_one_that_is_not_there_is_told(self, invoke: Callable[..., Result]) -> None:
        """Exit code 2, and where to look."""
        refused = invoke("show", "msg_9")
        assert refused.exit_code == 2
        assert "no webhook 'msg_9': `vimmerse-mock webhooks list`" in refused.output

    def test_none_at_all_is_told(self, account: Account, invoke: Callable[..., Result]) -> None:
        """An empty list says how to have one."""
        listed = invoke("list", "--customer-id", account.customer_id)
        assert (listed.exit_code, listed.stdout) == (0, "")
        assert "no webhooks yet" in listed.stderr
