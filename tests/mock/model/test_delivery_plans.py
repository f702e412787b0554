from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_mock.errors import PlanError
from vimmerse_mock.model.clock import SECOND, Instant
from vimmerse_mock.model.delivery_plans import (
    VERBS,
    DeliveryPlan,
    parse_plan,
    planned_messages,
    swapped,
)
from vimmerse_mock.model.outbox import BODY_FIELDS, Message, MessageState, Variant

BEGIN: Instant = 1_000 * SECOND
END: Instant = 1_004 * SECOND
TRUE = Message("msg_1", "c", "b", 1, "http://127.0.0.1:9/hook", "fail", END)
ANSWERS = ["ok", "500", "302", "410", "timeout", "refused"]
SHAPES = ["delay 30s", "delay 1s..30s", "duplicate", "burst 3", "swap", "early", "stale"]
FAULTY = [f"{verb} {name}" for verb in ("wrong", "missing") for name in BODY_FIELDS]


def planned(text: str, seed: str = "seed") -> tuple[Message, ...]:
    """The messages that a plan makes of the true one."""
    return planned_messages(parse_plan(text), TRUE, BEGIN, Random(seed))  # noqa: S311 - meant to repeat


def sensible(steps: Sequence[str]) -> bool:
    """Whether steps can stand together."""
    try:
        return bool(parse_plan(", ".join(steps)))
    except PlanError:
        return False


plans = st.lists(st.sampled_from([*ANSWERS, *SHAPES, *FAULTY]), min_size=1, max_size=8).filter(
    sensible
)


@given(plans)
def test_a_plan_is_written_as_it_is_read(steps: list[str]) -> None:
    """Its text, and its JSON in a store, give the same plan again."""
    plan = parse_plan(", ".join(steps))
    assert parse_plan(str(plan)) == plan
    assert msgspec.json.decode(msgspec.json.encode(plan), type=DeliveryPlan) == plan


@given(plans, st.text(max_size=3))
def test_whatever_a_plan_adds_the_true_webhook_comes(steps: list[str], seed: str) -> None:
    """There is one true one, as it was but for its due instant; what else comes is marked."""
    messages = planned(", ".join(steps), seed)
    (true,) = [message for message in messages if message.variant is Variant.NONE]
    assert (true.id, true.body, true.url) == (TRUE.id, TRUE.body, TRUE.url)
    assert true.due_at >= TRUE.due_at
    assert [message.number for message in messages] == list(range(1, len(messages) + 1))
    assert len({message.id for message in messages}) == len(messages)
    assert all(message.state is MessageState.PENDING for message in messages)


@given(plans, st.text(max_size=3))
def test_the_same_seed_gives_the_same_messages(steps: list[str], seed: str) -> None:
    """A plan is decided by its text and the seed."""
    assert planned(", ".join(steps), seed) == planned(", ".join(steps), seed)


def test_without_a_plan_there_is_the_true_webhook_alone() -> None:
    """One message for one submission."""
    assert planned_messages(None, TRUE, BEGIN, Random(0)) == (TRUE,)  # noqa: S311 - as above


def test_answers_belong_to_the_attempts_of_the_true_webhook() -> None:
    """They stand in the order of the attempts, and what comes beside has none."""
    first, true = planned("stale, 500, timeout, ok")
    assert true.answers == ("500", "timeout", "ok")
    assert first.answers == ()


def test_a_delay_comes_from_the_seed_within_its_bounds() -> None:
    """One span delays by itself; two draw from between them."""
    assert planned("delay 30s")[0].due_at == END + 30 * SECOND
    drawn = {planned("delay 1s..30s", seed)[0].due_at for seed in "abcdef"}
    assert len(drawn) > 1
    assert all(END + SECOND <= at <= END + 30 * SECOND for at in drawn)


def test_a_dropped_webhook_never_comes() -> None:
    """It is there, to be seen, and is not pending."""
    assert planned("drop") == (replace(TRUE, state=MessageState.DROPPED),)


def test_a_duplicate_is_the_same_event() -> None:
    """Both say the same under one id, and keep their order."""
    true, copy = planned("duplicate")
    assert copy.body == true.body
    assert copy.event_id == true.event_id == TRUE.id
    assert copy.lane == true.lane


def test_a_burst_comes_at_once() -> None:
    """So many in all, at the same instant, without an order among them."""
    burst = planned("burst 20")
    assert len(burst) == len({message.lane for message in burst}) == 20
    assert {(message.due_at, message.event_id) for message in burst} == {(END, TRUE.id)}


def test_a_stale_webhook_says_success_while_the_batch_processes() -> None:
    """Midway, whatever the end will be; it is an event of its own."""
    stale, true = planned("stale, delay 1d")
    assert BEGIN < stale.due_at < END
    assert (stale.status, true.status) == ("success", "fail")
    assert stale.event_id != true.event_id


def test_an_early_webhook_is_due_when_the_submission_begins() -> None:
    """It says the end that is to come."""
    early, _ = planned("early")
    assert (early.due_at, early.status, early.variant) == (BEGIN, "fail", Variant.EARLY)


@pytest.mark.parametrize("name", BODY_FIELDS)
def test_a_field_is_wrong_or_missing_in_a_first_webhook(name: str) -> None:
    """That field alone, in the documented order otherwise."""
    wrong, _ = planned(f"wrong {name}")
    assert list(wrong.body) == list(BODY_FIELDS)
    assert {field for field in BODY_FIELDS if wrong.body[field] != TRUE.body[field]} == {name}
    missing, _ = planned(f"missing {name}")
    assert missing.body == {field: TRUE.body[field] for field in BODY_FIELDS if field != name}


def test_two_that_swap_come_the_other_way_round() -> None:
    """What would have come first comes right after the other."""
    for first, second in ((END, END + SECOND), (END + SECOND, END), (END, END)):
        waiting = replace(TRUE, due_at=first)
        coming = replace(TRUE, due_at=second)
        after_waiting, after_coming = swapped(waiting, coming)
        came_first = first <= second
        assert (after_waiting.due_at > after_coming.due_at) == came_first
        assert abs(after_waiting.due_at - after_coming.due_at) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has an empty step: use ok, 500, timeout, refused, delay 30s, drop"),
        ("500,,ok", "has an empty step"),
        ("explode", "'explode': unknown step; use ok, 500"),
        ("300..599", "unknown step"),
        ("200", "from 300 to 599; for 2xx use ok"),
        ("999", "from 300 to 599"),
        ("ok 3", "'ok': this step takes no argument, not '3'"),
        ("delay", "a span like 30s, or two like 1s..30s"),
        ("delay soon", "a span like 30s"),
        ("delay 30s..1s", "the shorter span"),
        ("delay 1s, delay 2s", "one delay"),
        ("burst", "a number from 2 to 1000"),
        ("burst 1", "a number from 2 to 1000"),
        ("burst 1001", "a number from 2 to 1000"),
        ("burst \u0663", "a number from 2 to 1000"),
        ("burst 2, burst 3", "one burst"),
        ("duplicate, burst 2", "duplicate and burst cannot be combined"),
        ("wrong", "expected a field after it (customer_id, batch_id, status), not ''"),
        ("missing title", "not 'title'"),
        ("drop, ok", "drop cannot be combined with other steps"),
        ("stale, stale", "stale is there twice"),
        (", ".join(["500"] * 101), "1 to 100 steps, not 101"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_with_what_is_allowed(text: str, says: str) -> None:
    """One sentence says what was wrong and what is right."""
    with pytest.raises(PlanError) as refusal:
        parse_plan(text)
    assert says in str(refusal.value)


def test_a_stored_plan_that_makes_no_sense_is_refused_too() -> None:
    """A snapshot that was written by hand cannot bring one in."""
    with pytest.raises(msgspec.ValidationError, match="unknown step"):
        msgspec.json.decode(b'{"steps": [{"verb": "explode"}]}', type=DeliveryPlan)


def test_every_verb_shows_how_it_is_written() -> None:
    """What the table shows for a verb is a plan."""
    for verb in VERBS.values():
        assert parse_plan(verb.written)
        assert verb.meaning
