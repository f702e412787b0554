"""What an inbox answers, returns and explains, over real sockets."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

import flask
import pytest
import requests

from pytest_vimmerse.handle import Vimmerse
from vimmerse_mock.receiving.answers import Answer
from vimmerse_mock.receiving.inbox import Inbox, Listener

PNG = b"\x89PNG\r\n\x1a\n"
BODY = {"customer_id": "c", "batch_id": "b", "status": "success"}


def post(url: str, body: Any = None, **fields: str) -> requests.Response:
    """Send a webhook, by default a good one with some fields changed."""
    with requests.Session() as session:
        session.trust_env = False
        return session.post(url, json={**BODY, **fields} if body is None else body, timeout=60)


class TestExpect:
    """Returning a webhook, once."""

    def test_an_event_is_typed(self, inbox: Inbox) -> None:
        """What the body says, the headers, the order, the answer, and the query of the URL."""
        post(f"{inbox.url}?submission=2")
        event = inbox.expect(batch_id="b", status="success", customer_id="c", within=0)
        assert (event.batch_id, event.status, event.customer_id) == ("b", "success", "c")
        assert (event.number, event.answered, event.query) == (1, 200, "submission=2")
        assert event.headers["Content-Type"] == "application/json"

    def test_each_webhook_is_returned_once(self, inbox: Inbox) -> None:
        """A duplicate is a second event, and a third is not there."""
        post(inbox.url)
        post(inbox.url)
        assert [inbox.expect(within=0).number for _ in range(2)] == [1, 2]
        inbox.expect_none(within=0)
        with pytest.raises(AssertionError, match="returned before"):
            inbox.expect(within=0)

    def test_it_finds_what_is_asked_for_in_whatever_order_it_came(self, inbox: Inbox) -> None:
        """Others are left for later."""
        post(inbox.url, status="fail")
        post(inbox.url)
        assert inbox.expect(status="success", within=0).number == 2
        assert inbox.expect(within=0).number == 1

    def test_it_waits_for_what_another_thread_does(self, inbox: Inbox) -> None:
        """In real time, where no clock can be moved."""
        sender = Thread(target=post, args=(inbox.url,))
        sender.start()
        assert inbox.expect(within=10).batch_id == "b"
        sender.join()

    def test_what_is_no_json_is_an_event_too(self, inbox: Inbox) -> None:
        """Its fields are empty, and its body is the text."""
        requests.post(inbox.url, data=b"\xff nonsense", timeout=60)
        event = inbox.expect(within=0)
        assert (event.batch_id, event.body) == ("", "\ufffd nonsense")
        post(inbox.url, ["no object"])
        assert inbox.expect(within=0).status == ""

    def test_only_a_post_is_a_webhook(self, inbox: Inbox) -> None:
        """A GET of the URL, from a browser, is answered and not counted."""
        answer = requests.get(inbox.url, timeout=60)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
        inbox.expect_none(within=0)

    def test_an_address_without_an_inbox_is_not_found(self, inbox: Inbox) -> None:
        """Such as one that was closed."""
        assert post(inbox.url + "0").status_code == 404


class TestTheClock:
    """Expecting moves the account's clock: a webhook is due after 4 s, and once more after 14 s."""

    @pytest.fixture
    def passed(self, vimmerse: Vimmerse) -> Callable[[], float]:
        """Create the batch; returns how many seconds have passed since."""
        vimmerse.webhooks.answer_with(500)
        began = vimmerse.clock.now()
        vimmerse.client.create([PNG], webhook_url=vimmerse.webhooks.url)

        def seconds() -> float:
            return (vimmerse.clock.now() - began).total_seconds()

        return seconds

    def test_it_moves_from_webhook_to_webhook_until_it_finds(
        self, vimmerse: Vimmerse, passed: Callable[[], float]
    ) -> None:
        """And no further."""
        assert vimmerse.webhooks.expect(answered=200).number == 2
        assert passed() == 14

    def test_it_does_not_move_beyond_what_is_allowed(
        self, vimmerse: Vimmerse, passed: Callable[[], float]
    ) -> None:
        """The miss says what is due later, and the clock stands where it stood."""
        with pytest.raises(AssertionError, match="due in 4 s"):
            vimmerse.webhooks.expect(within=0.1)
        assert passed() == 0

    def test_the_span_counts_from_the_call(
        self, vimmerse: Vimmerse, passed: Callable[[], float]
    ) -> None:
        """Skipping to one webhook leaves less for the next."""
        vimmerse.clock.advance(3.9)
        with pytest.raises(AssertionError, match="due in 10 s"):
            vimmerse.webhooks.expect(answered=200, within=1)
        assert passed() == 4

    def test_expecting_none_lets_the_span_pass(
        self, vimmerse: Vimmerse, passed: Callable[[], float]
    ) -> None:
        """All of it, at once; a webhook in it is one too many."""
        vimmerse.webhooks.expect_none(within=3)
        assert passed() == 3
        with pytest.raises(AssertionError, match=r"but one came:\n.*success.* answered 500"):
            vimmerse.webhooks.expect_none(within=2)
        assert passed() == 5


class TestAnswers:
    """What the sender gets to see."""

    def test_it_answers_as_planned_then_well(self, inbox: Inbox) -> None:
        """In the order in which they were planned, then 200 again."""
        inbox.answer_with(500, 503, 200)
        assert [post(inbox.url).status_code for _ in range(4)] == [500, 503, 200, 200]
        assert [event.answered for event in inbox.received] == [500, 503, 200, 200]
        assert inbox.expect(answered=200, within=0).number == 3

    def test_a_whole_answer_can_be_planned(self, inbox: Inbox) -> None:
        """With body, headers and a status that has no name."""
        inbox.answer_with(Answer(599, b"later", (("Retry-After", "7"),), after=0.01))
        answer = post(inbox.url)
        assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (
            599,
            "later",
            "7",
        )

    def test_a_function_decides_when_the_webhook_is_there(self, inbox: Inbox) -> None:
        """It sees the webhook."""
        inbox.answer_with(lambda webhook: 200 if webhook.body["status"] == "success" else 410)
        assert post(inbox.url, status="fail").status_code == 410

    def test_planning_again_replaces_what_was_planned(self, inbox: Inbox) -> None:
        """And planning nothing takes it back."""
        inbox.answer_with(500, 500)
        inbox.answer_with()
        assert post(inbox.url).status_code == 200

    @pytest.mark.parametrize("wrong", [199, 600, True, Answer])
    def test_what_no_receiver_answers_is_refused(self, inbox: Inbox, wrong: Any) -> None:
        """At once, where it was written."""
        if wrong is Answer:
            with pytest.raises(ValueError, match="after 0 seconds or more, not -1"):
                inbox.answer_with(Answer(after=-1))
            return
        with pytest.raises(ValueError, match="a status from 200 to 599"):
            inbox.answer_with(500, wrong)
        assert post(inbox.url).status_code == 200

    def test_something_else_is_no_answer(self, inbox: Inbox) -> None:
        """A text, for example."""
        with pytest.raises(TypeError, match="an answer is a status, an Answer or a function"):
            inbox.answer_with("500")  # type: ignore[arg-type] # on purpose

    def test_a_delay_ends_with_the_inbox(self, listener: Listener) -> None:
        """A receiver that hangs does not hold up the end of a run."""
        inbox = listener.open_inbox()
        inbox.answer_with(Answer(after=600))
        sender = Thread(target=post, args=(inbox.url,))
        sender.start()
        listener.close_inbox(inbox)
        sender.join(timeout=60)
        assert not sender.is_alive()


class TestMisses:
    """A miss explains itself."""

    def test_it_says_what_came_and_how_it_differs(self, inbox: Inbox) -> None:
        """The nearest is marked."""
        post(inbox.url, batch_id="another", status="fail")
        post(inbox.url, batch_id="another")
        with pytest.raises(AssertionError) as missed:
            inbox.expect(batch_id="mine", status="success", within=0)
        text = str(missed.value)
        assert "no webhook with batch_id='mine', status='success' came within 0 s" in text
        assert f"came to {inbox.url}: 2" in text
        assert "batch_id is 'another', not 'mine', status is 'fail', not 'success'\n" in text
        assert "\"success\"} answered 200 <- batch_id is 'another', not 'mine' (nearest)" in text

    def test_it_says_that_nothing_came(self, inbox: Inbox) -> None:
        """And for how many one waited."""
        with pytest.raises(AssertionError, match=r"came to .*: nothing"):
            inbox.expect(within=0)
        with pytest.raises(AssertionError, match="expected 2 webhooks within 0 s"):
            inbox.wait_for(2, within=0)

    def test_it_stays_readable(self, inbox: Inbox) -> None:
        """The last ten are shown, each shortened."""
        for _ in range(12):
            post(inbox.url, batch_id="x" * 2000)
        with pytest.raises(AssertionError) as missed:
            inbox.expect(status="fail", within=0)
        text = str(missed.value)
        assert len(text) < 5000
        assert ": 12\n  3. " in text


class TestDeliverTo:
    """The user's own application receives."""

    @pytest.fixture
    def app(self) -> flask.Flask:
        """A receiver that refuses failures, and crashes for want of a batch."""
        app = flask.Flask("receiver")
        app.testing = True
        taken: list[Any] = []
        app.config["TAKEN"] = taken

        @app.post("/hook")
        def hook() -> tuple[str, int]:
            body = flask.request.get_json()
            taken.append((flask.request.full_path, body))
            return "seen", 202 if body["batch_id"] else 500

        return app

    def test_the_application_answers(self, inbox: Inbox, app: flask.Flask) -> None:
        """Through a listener, at a path of its own; the inbox records what it said."""
        url = inbox.deliver_to(app, path="/hook")
        assert url == inbox.url
        assert (post(url).status_code, post(f"{url}?a=1", batch_id="").status_code) == (202, 500)
        assert post(url.removesuffix("/hook") + "/typo").status_code == 404
        assert [event.answered for event in inbox.received] == [202, 500, 404]
        assert [path for path, _ in app.config["TAKEN"]] == ["/hook?", "/hook?a=1"]

    def test_what_is_planned_comes_before_the_application(
        self, inbox: Inbox, app: flask.Flask
    ) -> None:
        """As if something before it failed: it is not called."""
        url = inbox.deliver_to(app, path="/hook")
        inbox.answer_with(502)
        assert [post(url).status_code for _ in range(2)] == [502, 202]
        assert len(app.config["TAKEN"]) == 1

    def test_an_exception_is_raised_in_the_test(self, inbox: Inbox, app: flask.Flask) -> None:
        """The sender gets a 500, the test the exception itself, once, with the webhook."""
        url = inbox.deliver_to(app, path="/hook")
        assert post(url, {"status": "success"}).status_code == 500
        with pytest.raises(KeyError, match="batch_id") as raised:
            inbox.expect(within=0)
        assert raised.value.__notes__ == [
            "raised while it received the webhook {'status': 'success'}"
        ]
        inbox.expect_none(within=0)

    def test_what_an_assertion_in_the_receiver_says_is_seen(self, inbox: Inbox) -> None:
        """`pytest.fail` in a handler fails the test, although it is called by a server's thread."""
        inbox.deliver_to(lambda *_: pytest.fail("not this one"))
        assert post(inbox.url).status_code == 500
        with pytest.raises(pytest.fail.Exception, match="not this one"):
            inbox.wait_for(1)

    def test_exceptions_can_be_left_to_the_receiver(self, inbox: Inbox, app: flask.Flask) -> None:
        """For a test of what a crash leads to."""
        inbox.deliver_to(app, path="/hook", raises=False)
        post(inbox.url, {})
        assert inbox.expect(within=0).answered == 500
        inbox.raise_errors()

    def test_a_path_begins_with_a_slash(self, inbox: Inbox, app: flask.Flask) -> None:
        """Another is refused."""
        with pytest.raises(ValueError, match="begins with a slash, not 'hook'"):
            inbox.deliver_to(app, path="hook")


def test_an_inbox_needs_an_address() -> None:
    """Neither a URL nor a sender to be mounted on is a mistake."""
    with pytest.raises(ValueError, match="needs a sender"):
        Inbox("")
