"""`vimmerse.webhooks.expect` and its kin, as a test of a user has them."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from pytest_vimmerse.handle import Vimmerse
from vimmerse_mock.account.account import RemoteMock
from vimmerse_mock.receiving.inbox import Listener
from vimmerse_mock.server import MockServer

PNG = b"\x89PNG\r\n\x1a\n"


def create(vimmerse: Vimmerse) -> str:
    """Create a batch of one image, which takes four seconds and reports to the inbox."""
    return vimmerse.client.create([PNG], webhook_url=vimmerse.webhooks.url).id


def test_expecting_needs_neither_advance_nor_sleep(vimmerse: Vimmerse) -> None:
    """The clock stops where the webhook is due."""
    start = vimmerse.clock.now()
    batch_id = create(vimmerse)
    event = vimmerse.webhooks.expect(batch_id=batch_id, status="success", within=5)
    assert event.customer_id == vimmerse.customer_id
    assert (vimmerse.clock.now() - start).total_seconds() == 4


def test_retries_are_events(vimmerse: Vimmerse) -> None:
    """Each attempt is one, with its answer, as far apart as the policy says."""
    vimmerse.webhooks.answer_with(500, 500, 200)
    create(vimmerse)
    assert vimmerse.webhooks.expect(answered=200).number == 3
    assert [event.answered for event in vimmerse.webhooks.received] == [500, 500, 200]
    vimmerse.webhooks.expect(answered=500)
    vimmerse.webhooks.expect(answered=500)
    vimmerse.webhooks.expect_none(within=86_400)


@pytest.mark.parametrize("is_mounted", [False, True])
@pytest.mark.parametrize("plan", ["ok", "early"])
def test_a_receiver_may_wait_with_the_fixtures_client(
    vimmerse: Vimmerse, plan: str, *, is_mounted: bool
) -> None:
    """Its waiting moves the clock that is being moved; it does not wait for its own delivery."""
    done: list[str] = []

    def finish_another() -> int:
        other = vimmerse.client.create([PNG])
        done.append(vimmerse.client.wait(other.id).status)
        return 200

    if is_mounted:
        receiver = Flask("receiver")
        receiver.add_url_rule("/", view_func=lambda: str(finish_another()), methods=["POST"])
        vimmerse.webhooks.deliver_to(receiver)
    else:
        vimmerse.webhooks.answer_with(lambda _webhook: finish_another())
    vimmerse.plan_next_webhooks(plan)
    create(vimmerse)
    vimmerse.webhooks.expect(answered=200)
    assert done == ["success"]
    assert [each.status for each in vimmerse.outbox[0].attempts] == [200]


def test_what_is_due_later_is_said(vimmerse: Vimmerse) -> None:
    """With the batch, the state, and how far the clock has to go."""
    batch_id = create(vimmerse)
    with pytest.raises(AssertionError) as missed:
        vimmerse.webhooks.expect(within=0)
    assert (
        f"batch {batch_id}, submission 1, 'success': pending, due in 4 s: "
        "expect it within 4 s, or advance the clock by 4 s"
    ) in str(missed.value)


def test_what_was_tried_is_said(vimmerse: Vimmerse) -> None:
    """With every answer."""
    vimmerse.webhooks.answer_with(500)
    create(vimmerse)
    vimmerse.webhooks.expect(answered=500)
    with pytest.raises(AssertionError, match=r"pending after 1 attempt \(500\), due in 10 s"):
        vimmerse.webhooks.expect(within=0)
    vimmerse.clock.advance(10)
    with pytest.raises(AssertionError, match=r"delivered after 2 attempts \(500, 200\)"):
        vimmerse.webhooks.expect(status="fail", within=0)


def test_a_webhook_that_was_never_asked_for_is_said(vimmerse: Vimmerse) -> None:
    """No webhook_url at all, or that of somebody else."""
    vimmerse.client.create([PNG])
    with pytest.raises(AssertionError, match="no batch was created with a webhook_url"):
        vimmerse.webhooks.expect(within=0)
    vimmerse.client.create([PNG], webhook_url="http://me:secret@127.0.0.1:9/hook")
    with pytest.raises(AssertionError, match=r"webhook_url led elsewhere: 127\.0\.0\.1:9$"):
        vimmerse.webhooks.expect(within=0)


def test_an_application_receives_from_a_mock_that_runs_elsewhere(
    vimmerse_server: MockServer, vimmerse_listener: Listener
) -> None:
    """It is still called in this process; the webhook gets here by the listener's socket."""
    remote = RemoteMock(vimmerse_server.url)
    handle = Vimmerse(remote, vimmerse_listener)
    paths: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        paths.append(environ["PATH_INFO"])
        start_response("202 Accepted", [])
        return []

    url = handle.webhooks.deliver_to(app, path="/hook")
    assert url.startswith("http://127.0.0.1:")
    handle.client.create([PNG], webhook_url=url)
    assert handle.webhooks.expect().answered == 202
    assert paths == ["/hook"]
    handle.close()
    remote.close()


def test_a_miss_points_at_the_users_line(pytester: pytest.Pytester) -> None:
    """The report shows the test and the explanation, and nothing of how it was waited for."""
    pytester.makepyfile(
        """
        def test_it(vimmerse):
            vimmerse.webhooks.expect(status="success", within=0)
        """
    )
    result = pytester.runpytest("-p", "no:randomly", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*no webhook with status='success' came within 0 s"])
    assert "_waited" not in result.stdout.str()


def test_a_receiver_that_crashes_fails_the_test_at_its_end(pytester: pytest.Pytester) -> None:
    """Although the test itself looked at nothing."""
    pytester.makepyfile(
        """
        def test_it(vimmerse):
            def app(environ, start_response):
                raise RuntimeError("my receiver broke")

            url = vimmerse.webhooks.deliver_to(app)
            vimmerse.client.create([b"\\x89PNG\\r\\n\\x1a\\n"], webhook_url=url)
            vimmerse.clock.advance(4)
        """
    )
    result = pytester.runpytest("-p", "no:randomly", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E*RuntimeError: my receiver broke"])
