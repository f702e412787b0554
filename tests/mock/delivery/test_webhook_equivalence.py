"""Webhooks, polling and ledger agree in the end, whatever becomes of the deliveries on the way.

What goes wrong between the mock and the receiver is drawn as fates (`Way`), and what the mock does
wrong on purpose as delivery plans.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from support.frozen_time import FrozenTime
from vimmerse_client import Batch, MemorySeen, NotFound, Receiver, VimmerseError, WebhookEvent
from vimmerse_mock.account.account import Account
from vimmerse_mock.app import create_mock
from vimmerse_mock.control.messages import WebhookInfo
from vimmerse_mock.delivery import Post, Reply
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.credits import PriceList
from vimmerse_mock.model.outbox import MessageState, Variant

URL: Final = "http://receiver.example/hook"
CREDITS: Final = 100_000
AGES: Final = 30 * 86_400

Fate = Literal["arrives", "arrives twice", "refused", "never arrives", "answer lost", "comes again"]
FATES: Final = st.lists(st.sampled_from(Fate.__args__), max_size=12)  # type: ignore[attr-defined] # typing hides it
PLANS: Final = st.sampled_from(
    [
        "ok",
        "500, timeout, ok",
        "delay 1s..90s",
        "drop",
        "duplicate",
        "burst 3",
        "swap",
        "early",
        "stale",
        "wrong status",
        "wrong batch_id",
        "missing customer_id",
        "stale, missing status, 503, duplicate",
    ]
)
SCENARIOS: Final = st.sampled_from(["success", "partial", "fail"])

creations = st.tuples(st.just("create"), SCENARIOS, st.integers(1, 2))
resubmissions = st.tuples(st.just("resubmit"), st.integers(0, 3), SCENARIOS)
concats = st.tuples(st.just("concat"), st.integers(0, 3))
retitles = st.tuples(st.just("retitle"), st.integers(0, 3))
advances = st.tuples(st.just("advance"), st.sampled_from([0, 0.5, 2, 4, 11, 90, 2_000]))
plans = st.tuples(st.just("plan"), PLANS)
STEPS: Final = st.lists(
    creations | resubmissions | concats | retitles | advances | plans, min_size=1, max_size=12
)

OVERTAKEN: Final = [("create", "success", 1), ("advance", 4), ("resubmit", 0, "fail")]
"""The webhook of the first submission is retried when the second has ended otherwise."""


class Api:
    """The mock's API, as the receiver's client reads it."""

    def __init__(self, app: Any, key: str) -> None:
        self._call = app.test_client().open
        self._headers = {"X-Api-Key": key}

    def call(self, method: str, path: str, form: Mapping[str, Any] | None = None) -> Batch:
        """Send a request, and read the batch that is answered."""
        answer = self._call(path, method=method, headers=self._headers, data=form or {})
        if answer.status_code != 200:
            raise NotFound(answer.status_code, "", answer.get_json(), path)
        return Batch.from_dict(answer.get_json()["data"])

    def get(self, batch_id: str) -> Batch:
        """Read a batch."""
        return self.call("GET", f"/batch/{batch_id}")


class Way:
    """Between the mock and the receiver: each attempt has its fate; then all goes well."""

    def __init__(self, fates: Sequence[Fate]) -> None:
        self.receive: Callable[[str, Mapping[str, str]], int]
        self._fates = list(fates)
        self._copies: list[tuple[str, Mapping[str, str]]] = []

    def send(self, post: Post) -> Reply:
        """POST, or what becomes of it."""
        url, body = post.url, json.loads(post.body)
        fate = self._fates.pop(0) if self._fates else "arrives"
        if fate == "never arrives":
            return Reply(None, "ConnectionError: nobody there")
        if fate == "refused":
            return Reply(503)
        status = self.receive(url, body)
        if fate == "arrives twice":
            self.receive(url, body)
        if fate == "comes again":
            self._copies.append((url, body))
        return Reply(None, "TimeoutError: answer lost") if fate == "answer lost" else Reply(status)

    def bring_copies(self) -> None:
        """Deliver what is to come again: late, and out of order."""
        while self._copies:
            self.receive(*self._copies.pop())


class World:
    """An account, a receiver that drops duplicates, and what they have seen.

    `names_submissions` makes the webhook_url of each submission its own, by which the receiver then
    tells them apart.
    """

    def __init__(self, account: Account, api: Api, way: Way, *, names_submissions: bool) -> None:
        self.account, self.api, self.way = account, api, way
        self.batches: list[str] = []
        self.ends: defaultdict[str, list[str]] = defaultdict(list)
        self.submissions: Counter[str] = Counter()
        self.events: defaultdict[str, list[str]] = defaultdict(list)
        self._names_submissions = names_submissions
        self._receiver = Receiver(api, self._handle, MemorySeen())
        way.receive = self._receive

    def play(self, steps: Sequence[tuple[Any, ...]], *, calm: bool) -> None:
        """Do every step, then let all that is planned be delivered.

        Where it is calm, everything is delivered before anything more is asked.
        """
        for name, *details in steps:
            getattr(self, name)(*details)
            if calm:
                self.settle()
        self.settle()
        for batch_id in self.batches:
            self._note_end(batch_id)

    def settle(self) -> None:
        """Wait until everything is delivered, or given up."""
        self.account.clock.advance(AGES)
        self.way.bring_copies()

    def create(self, scenario: str, images: int) -> None:
        """Create a batch."""
        self.account.use_scenario(scenario)
        urls = [f"http://images.example/{n}.jpg" for n in range(images)]
        form = {"image_urls": urls, "duration": "1", "webhook_url": self._url(1)}
        batch_id = self.api.call("POST", "/batch", form).id
        self.batches.append(batch_id)
        self.submissions[batch_id] = 1

    def resubmit(self, place: int, scenario: str) -> None:
        """Process a batch again."""
        for batch_id in self.batches[place : place + 1]:
            self._note_end(batch_id)
            self.account.use_scenario(scenario)
            self.submissions[batch_id] += 1
            form = {"prompt": "Anew", "webhook_url": self._url(self.submissions[batch_id])}
            self.api.call("PUT", f"/batch/{batch_id}/edit", form)

    def concat(self, place: int) -> None:
        """Concat a batch that is in success."""
        for batch_id in self.batches[place : place + 1]:
            if self.api.get(batch_id).succeeded:
                self._note_end(batch_id)
                self.submissions[batch_id] += 1
                form = {"webhook_url": self._url(self.submissions[batch_id])}
                self.api.call("PUT", f"/batch/{batch_id}/edit", form)
                self.api.call("POST", f"/batch/{batch_id}/concat")

    def retitle(self, place: int) -> None:
        """Change what costs nothing; for a failure that is told apart by its time, nothing."""
        for batch_id in self.batches[place : place + 1]:
            if self._names_submissions or self.api.get(batch_id).succeeded:
                self.api.call("PUT", f"/batch/{batch_id}/edit", {"title": "Other"})

    def advance(self, seconds: float) -> None:
        """Move time forward."""
        self.account.clock.advance(seconds)

    def plan(self, plan: str) -> None:
        """Deliver the webhooks of the next submission by a plan."""
        self.account.plan_next_webhooks(plan)

    def reported(self, batch_id: str) -> list[str]:
        """What the true webhooks said of each submission that was not replaced, in order."""
        return [
            webhook.status
            for webhook in self.true_webhooks(batch_id)
            if webhook.state is not MessageState.WITHDRAWN
        ]

    def was_delivered(self, batch_id: str) -> bool:
        """Whether the true webhook of a batch's last submission got through."""
        return self.true_webhooks(batch_id)[-1].state is MessageState.DELIVERED

    def true_webhooks(self, batch_id: str) -> list[WebhookInfo]:
        """The one webhook of each submission that no plan has changed or added, in order."""
        return [
            webhook
            for webhook in self.account.outbox
            if webhook.batch_id == batch_id and webhook.variant is Variant.NONE
        ]

    def _url(self, submission: int) -> str:
        return f"{URL}?submission={submission}" if self._names_submissions else URL

    def _note_end(self, batch_id: str) -> None:
        """Remember how the present submission ended, as polling shows it, if it has."""
        status = self.api.get(batch_id).status
        if status.is_final:
            self.ends[batch_id].append(status.value)

    def _receive(self, url: str, body: Mapping[str, str]) -> int:
        try:
            name = url.partition("?")[2] or None
            self._receiver.receive(dict(body), submission=name)
        except VimmerseError:
            return 503
        return 204

    def _handle(self, event: WebhookEvent, batch: Batch) -> None:
        assert event.status is batch.status
        self.events[batch.id].append(batch.status.value)


@contextmanager
def world(fates: Sequence[Fate], *, names_submissions: bool) -> Iterator[World]:
    """Make a world of its own for one example."""
    way = Way(fates)
    prices = PriceList(concat=1)
    mock = create_mock(real_time=FrozenTime(), sender=way, prices=prices)
    account = mock.open_account("http://mock.example", Opening(clock="manual", credits=CREDITS))
    yield World(account, Api(mock.app, account.key), way, names_submissions=names_submissions)
    mock.close()


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, fates=FATES, calm=st.booleans())
def test_webhooks_polling_and_ledger_agree(
    *, steps: list[tuple[Any, ...]], fates: list[Fate], calm: bool
) -> None:
    """Each submission that ended was reported as polling showed it, and each was charged once."""
    with world(fates, names_submissions=True) as w:
        w.play(steps, calm=calm)
        for batch_id in w.batches:
            assert w.reported(batch_id) == w.ends[batch_id]
            assert w.reported(batch_id)[-1] == w.api.get(batch_id).status
        charged = Counter(line.batch_id for line in w.account.ledger if line.amount < 0)
        assert charged == +w.submissions
        assert w.account.credits == sum(line.amount for line in w.account.ledger) >= 0


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, fates=FATES, names_submissions=st.booleans())
def test_a_receiver_ends_with_one_event_for_each_submission_that_ended(
    *, steps: list[tuple[Any, ...]], fates: list[Fate], names_submissions: bool
) -> None:
    """Where each webhook gets through before the batch is asked for more."""
    with world(fates, names_submissions=names_submissions) as w:
        w.play(steps, calm=True)
        true = [webhook for batch_id in w.batches for webhook in w.true_webhooks(batch_id)]
        assume(all(webhook.state is MessageState.DELIVERED for webhook in true))
        for batch_id in w.batches:
            assert w.events[batch_id] == w.ends[batch_id]


@settings(max_examples=100, deadline=None)
@example(steps=OVERTAKEN, fates=["refused", "refused"], names_submissions=False)
@example(steps=OVERTAKEN, fates=["answer lost"], names_submissions=True)
@given(steps=STEPS, fates=FATES, names_submissions=st.booleans())
def test_a_receiver_never_has_an_event_too_many_and_always_the_last(
    *, steps: list[tuple[Any, ...]], fates: list[Fate], names_submissions: bool
) -> None:
    """Also where a batch is asked for more while webhooks are still retried."""
    with world(fates, names_submissions=names_submissions) as w:
        w.play(steps, calm=False)
        for batch_id in w.batches:
            assert not Counter(w.events[batch_id]) - Counter(w.ends[batch_id])
            if w.was_delivered(batch_id):
                assert w.events[batch_id][-1] == w.ends[batch_id][-1]
