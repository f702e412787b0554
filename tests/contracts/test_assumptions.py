from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vimmerse_contracts.runs.assumptions import Sent, Step, relied_on

BEGIN = datetime(2025, 4, 2, tzinfo=UTC)
ID = "9b2f0c9e-7f0a-4a39-8a53-d6f1f7f7d001"
PATHS = {
    "create_batch": "/batch",
    "get_batch": f"/batch/{ID}",
    "update_batch": f"/batch/{ID}/edit",
    "concat_batch": f"/batch/{ID}/concat",
    "health": "/health",
}


@dataclass(frozen=True)
class World:
    """What else happened."""

    ended_after: Sequence[int] = ()
    webhooks: Sequence[Sent] = ()

    def ends(self, batch_id: str) -> Sequence[datetime]:
        """Return instants, given in seconds."""
        assert batch_id == ID
        return [BEGIN + timedelta(seconds=seconds) for seconds in self.ended_after]

    def sent(self) -> Sequence[Sent]:
        """Return what was given."""
        return self.webhooks


def step(operation: str, status: int = 200, at: int = 0, **more: Any) -> Step:
    """Make a step of the one batch."""
    known = {"batch_id": ID, "batch_status": "processing"} if status == 200 else {}
    return Step(
        at=BEGIN + timedelta(seconds=at),
        operation=operation,
        path=PATHS[operation],
        status=status,
        **{**known, **more},
    )


def rules(*steps: Step, world: World | None = None) -> list[str]:
    """Name the assumed rules that the steps relied on."""
    seen = world or World()
    return [assumption.rule.id for assumption in relied_on(steps, seen.ends, seen.sent)]


CREATED = step("create_batch", form={"image_urls": ("a", "b"), "title": ("First",)})
DONE = step("get_batch", at=9, batch_status="success", progress=100)


def test_what_is_documented_is_no_assumption() -> None:
    """To create, to read to success, to update metadata, and documented errors rely on nothing."""
    refused = [step("get_batch", status) for status in (400, 402, 404, 422)]
    metadata = step("update_batch", at=9, batch_status="success", form={"title": ("New",)})
    assert rules(CREATED, DONE, metadata, *refused) == []


@pytest.mark.parametrize("status", [401, 405, 413, 429, 500, 503, 507])
def test_an_assumed_error_is_named(status: int) -> None:
    """Each error that no source shows is relied on by who gets it."""
    assert rules(step("get_batch", status)) == [f"error.{status}"]


def read(status: str, progress: int, **batch: Any) -> Step:
    """Make a reading with a whole Batch in it."""
    answer = json.dumps({"data": batch})
    return step("get_batch", batch_status=status, progress=progress, answer=answer)


@pytest.mark.parametrize(
    ("seen", "rule"),
    [
        (step("health"), "health.body"),
        (step("concat_batch", 400), "concat.too_early"),
        (step("concat_batch"), "concat.processing"),
        (step("get_batch", progress=40), "read.progress"),
        (step("get_batch", batch_status="fail", progress=100), "read.partial"),
        (read("success", 100, failed_medias=[{}]), "read.partial"),
        (read("processing", 0, finished_medias=[{}]), "read.medias"),
        (
            step("create_batch", 422, answer='{"loc": ["body", "image_urls"]}'),
            "create.image_content",
        ),
        (step("create_batch", 422, answer='{"type": "url_too_long"}'), "text.length"),
        (step("create_batch", form={"colour": ("blue",)}), "create.unknown_fields"),
        (step("create_batch", form={"title": ("",)}), "create.empty_is_absent"),
        (step("update_batch", form={"loop": ("1", "2")}), "create.empty_is_absent"),
    ],
)
def test_what_was_met_names_its_assumption(seen: Step, rule: str) -> None:
    """An operation, an error or a transition of which no source tells."""
    assert rules(CREATED, seen) in ([rule], [rule, "update.supersedes"])


def test_a_bad_id_is_documented_for_a_concat_too() -> None:
    """Only a batch that could be composed can be composed too early."""
    bad = Step(BEGIN, "concat_batch", "/batch/not-a-uuid/concat", 400)
    assert rules(bad) == []


AGAIN = {"prompt": ("Anew",)}


def test_only_an_update_in_mid_course_supersedes() -> None:
    """Where the batch had ended by then, seen or not, nothing was replaced."""
    update = step("update_batch", at=5, form=AGAIN)
    assert rules(CREATED, update, world=World(ended_after=[4])) == []
    assert rules(CREATED, update, world=World(ended_after=[6])) == ["update.supersedes"]


def test_to_look_while_it_processes_again_is_an_assumption() -> None:
    """A reading of a first submission relies on nothing, of a second on what it may show."""
    update = step("update_batch", at=5, form=AGAIN)
    assert rules(CREATED, step("get_batch")) == []
    looked = [CREATED, update, step("get_batch", at=6)]
    assert rules(*looked, world=World(ended_after=[4])) == ["update.no_video_meanwhile"]


def test_webhooks_of_concats_and_retries_are_assumptions() -> None:
    """The webhook of a creation is documented; a second attempt, or a concat's, is not."""
    steps = [step("create_batch", form={"webhook_url": ("http://x.example/",)}), DONE]
    assert rules(*steps, world=World(webhooks=[Sent(ID, 1, 1)])) == []
    assert rules(*steps, world=World(webhooks=[Sent(ID, 1, 2)])) == ["webhook.retries"]
    composed = [*steps, step("concat_batch", at=10)]
    both = World(webhooks=[Sent(ID, 1, 1), Sent(ID, 2, 1)])
    assert rules(*composed, world=both) == ["concat.processing", "concat.webhook"]


def test_an_answer_that_was_cut_off_tells_nothing() -> None:
    """A journal keeps the beginning of a long answer; that is no reason to fail."""
    cut = step("get_batch", batch_status="success", progress=100, answer='{"data": {"failed')
    assert rules(cut) == []


def test_an_assumption_says_rule_reason_and_occasion() -> None:
    """Enough to understand a test that failed by it."""
    world = World()
    (assumptions,) = relied_on([step("health", batch_status="")], world.ends, world.sent)
    assert str(assumptions) == (
        "health.body (health answered 200): The body is {'status': 'ok'}; "
        "assumed, because no source shows the body"
    )
