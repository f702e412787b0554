"""Everything that a customer, and the test that holds the account, can do: as values, to be drawn.

A move is done by a `Hand`, and its outcome can be compared with the same move's elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from hypothesis import strategies as st

from vimmerse_mock.account.account import Account
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.delivery import Reply
from vimmerse_mock.delivery.sending import Post
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.scenarios import SCENARIOS
from vimmerse_mock.stores import Store

FILES = "http://files.example"
Answer = tuple[int, bytes]
Call = Callable[[str, str, Mapping[str, str], Mapping[str, Any]], Answer]
Move = tuple[Any, ...]

_PLACE = st.integers(0, 5)
_PRESETS = st.sampled_from(sorted(SCENARIOS))
_SPANS = st.sampled_from([0, 0.5, 1, 2, 3.7, 15, 90, 4_000, "14m50s"])
CREATIONS: st.SearchStrategy[Move] = st.tuples(
    st.just("create"),
    st.sampled_from([1, 1, 2, 3]),
    st.booleans(),
    st.sampled_from(["Auto", "Wan"]),
)
TIMES: st.SearchStrategy[Move] = st.tuples(st.just("advance"), _SPANS) | st.tuples(
    st.just("advance_to_next")
)
CHANGES: st.SearchStrategy[Move] = st.one_of(
    st.tuples(st.just("resubmit"), _PLACE, st.sampled_from(["One", "Two"])),
    st.tuples(st.just("retitle"), _PLACE, st.sampled_from(["A", "B"])),
    st.tuples(st.just("redirect"), _PLACE, st.booleans()),
    st.tuples(st.just("concat"), _PLACE),
)
SETTINGS: st.SearchStrategy[Move] = st.one_of(
    st.tuples(st.just("pay_in"), st.sampled_from([1, 4, 50])),
    st.tuples(st.just("use_scenario"), _PRESETS),
    st.tuples(st.just("next_batch"), _PRESETS),
    st.tuples(st.just("refuse_creation"), st.sampled_from([429, 503])),
    st.tuples(st.just("limit"), st.sampled_from([None, 3])),
    st.tuples(st.just("break_receiver"), st.booleans()),
)
MOVES: st.SearchStrategy[Move] = CREATIONS | TIMES | CHANGES | SETTINGS
"""What changes something; looking is not among them."""


@dataclass
class Receivers:
    """What stands in for the receivers of webhooks: those that are broken answer 500."""

    broken: set[str] = field(default_factory=set)

    def send(self, post: Post) -> Reply:
        """Answer."""
        return Reply(500 if any(url in post.url for url in self.broken) else 200)


def make_mock(
    real_time: Callable[[], Instant], receivers: Receivers, store: Store | None = None
) -> Mock:
    """A mock whose links and deliveries depend on nothing but what is done with it."""
    return create_mock(real_time=real_time, sender=receivers, store=store, files_url=FILES)


def in_process(mock: Mock) -> Call:
    """Call the API without a socket."""
    api = mock.app.test_client()

    def call(method: str, path: str, headers: Mapping[str, str], form: Mapping[str, Any]) -> Answer:
        answer = api.open(path, method=method, headers=dict(headers), data=dict(form) or None)
        return answer.status_code, answer.data

    return call


def over_http(url: str, session: requests.Session) -> Call:
    """Call the API over real sockets."""

    def call(method: str, path: str, headers: Mapping[str, str], form: Mapping[str, Any]) -> Answer:
        answer = session.request(method, url + path, headers=dict(headers), data=form, timeout=60)
        return answer.status_code, answer.content

    return call


class Hand:
    """Does moves with one account."""

    def __init__(self, account: Account, call: Call, receivers: Receivers) -> None:
        self.account = account
        self.batches: list[str] = []
        self._call = call
        self._receivers = receivers
        self._hook = f"http://{account.customer_id}.example/hook"

    def do(self, move: Move) -> Any:
        """Do a move, and return what came of it, as something to compare."""
        name, *arguments = move
        return getattr(self, name)(*arguments)

    def look(self, batch_id: str) -> Answer:
        """Read a batch."""
        return self.ask("GET", f"/batch/{batch_id}")

    def ask(self, method: str, path: str, **form: Any) -> Answer:
        """Call the API with the account's key; whatever was done before, no answer is a 500."""
        answer = self._call(method, path, {"X-Api-Key": self.account.key}, form)
        assert answer[0] != 500, (method, path, form, answer[1])
        return answer

    def create(self, images: int, hooked: bool, motion_type: str) -> Answer:  # noqa: FBT001 - drawn
        """Create a batch."""
        urls = [f"http://images.example/{i}.jpg" for i in range(images)]
        hook = {"webhook_url": self._hook} if hooked else {}
        answer = self.ask("POST", "/batch", image_urls=urls, motion_type=motion_type, **hook)
        if answer[0] == 200:
            self.batches.append(json.loads(answer[1])["data"]["id"])
        return answer

    def resubmit(self, place: int, prompt: str) -> Answer | None:
        """Change a batch so that it is processed again."""
        return self._edit(place, prompt=prompt)

    def retitle(self, place: int, title: str) -> Answer | None:
        """Change what costs nothing."""
        return self._edit(place, title=title)

    def redirect(self, place: int, other: bool) -> Answer | None:  # noqa: FBT001 - drawn
        """Send the webhook elsewhere."""
        return self._edit(place, webhook_url=f"{self._hook}/{'other' if other else ''}")

    def concat(self, place: int) -> Answer | None:
        """Concat a batch."""
        batch_id = self._at(place)
        return batch_id and self.ask("POST", f"/batch/{batch_id}/concat")

    def advance(self, span: str | float) -> Any:
        """Move the clock."""
        return self.account.clock.advance(span)

    def advance_to_next(self) -> Any:
        """Move the clock to the next thing."""
        return self.account.clock.advance_to_next()

    def pay_in(self, amount: int) -> None:
        """Add credits."""
        self.account.pay_in(amount)

    def use_scenario(self, name: str) -> None:
        """Decide over the submissions to come."""
        self.account.use_scenario(name)

    def next_batch(self, name: str) -> None:
        """Decide over the next batch."""
        self.account.next_batch(name)

    def refuse_creation(self, status: int) -> None:
        """Plan a fault for the next creation."""
        self.account.faults.status(status, operation="create_batch")

    def limit(self, most: int | None) -> None:
        """Limit batches at once."""
        self.account.limit(concurrent_batches=most)

    def break_receiver(self, broken: bool) -> None:  # noqa: FBT001 - drawn
        """Break the account's receiver, or mend it."""
        (self._receivers.broken.add if broken else self._receivers.broken.discard)(self._hook)

    def described(self) -> dict[str, Any]:
        """Everything visible of the account, but for what looking itself leaves."""
        seen = [self.look(batch_id) for batch_id in self.batches]
        story = [event for event in self.account.events() if event.kind != "request"]
        return {
            "reads": seen,
            "batches": self.account.batches,
            "ledger": self.account.ledger,
            "outbox": self.account.outbox,
            "faults": self.account.faults.planned,
            "clock": self.account.clock.now(),
            "credits": self.account.credits,
            "story": sorted(map(str, story)),
        }

    def _edit(self, place: int, **form: str) -> Answer | None:
        batch_id = self._at(place)
        return batch_id and self.ask("PUT", f"/batch/{batch_id}/edit", **form)

    def _at(self, place: int) -> Any:
        return self.batches[place % len(self.batches)] if self.batches else None
