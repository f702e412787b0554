from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vimmerse_mock.model.clock import SECOND
from vimmerse_mock.model.outbox import Attempt, Message, MessageState


def message() -> Message:
    """A message due at instant 0."""
    return Message("msg_1", "customer", "batch", 1, "http://127.0.0.1/", "success", due_at=0)


def test_the_body_is_the_documented_one_in_its_order() -> None:
    """A webhook says customer_id, batch_id and status."""
    assert list(message().body.items()) == [
        ("customer_id", "customer"),
        ("batch_id", "batch"),
        ("status", "success"),
    ]


def test_it_is_tried_after_ten_seconds_a_minute_five_and_thirty_minutes() -> None:
    """Failed attempts are retried with growing delays, five attempts in all, then given up."""
    tried, delays = message(), []
    while tried.state is MessageState.PENDING:
        before = tried.due_at
        tried = tried.after(Attempt(before, 500, "", 0))
        delays.append((tried.due_at - before) // SECOND)
    assert delays == [10, 60, 300, 1800, 0]
    assert tried.state is MessageState.EXHAUSTED


@given(st.one_of(st.none(), st.integers(100, 599)))
def test_only_2xx_counts(status: int | None) -> None:
    """A message is delivered if and only if the receiver answered 2xx."""
    tried = message().after(Attempt(0, status, "", 0))
    assert (tried.state is MessageState.DELIVERED) == (status is not None and 200 <= status < 300)
