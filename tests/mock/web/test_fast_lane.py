"""The fast lane beside Flask's dispatch: nobody can tell which of them answered."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.frozen_time import FrozenTime
from vimmerse_contracts.schemas import BatchSchema
from vimmerse_mock.account.account import Account
from vimmerse_mock.app import Mock, MockApplication, create_mock
from vimmerse_mock.model.account import Opening
from vimmerse_mock.serving.messages import Answer, Request
from vimmerse_mock.stores import UNAUTHENTICATED

SERVER = "http://127.0.0.1:5000"
KEY = ("X-Api-Key", "key-one")
HOST = ("Host", "127.0.0.1:5000")
PLAIN = (HOST, KEY)
Headers = tuple[tuple[str, str], ...]

HEADERS: st.SearchStrategy[Headers] = st.one_of(
    st.just(PLAIN),
    st.just(PLAIN),
    st.permutations(
        [
            ("HOST", "mock.example:80"),
            ("x-api-key", "key-one"),
            ("User-Agent", "one key-one two"),
            ("X-Twice", "a"),
            ("X-Twice", "b"),
            ("Authorization", "Bearer secret"),
            ("Content-Type", "text/plain"),
            ("X_Api_Key", "key-one"),
        ]
    ).map(tuple),
    st.lists(
        st.sampled_from(
            [
                KEY,
                ("x-api-key", "key-two"),
                HOST,
                ("Host", ""),
                ("Host", "[::1]:80"),
                ("Host", "a b/c"),
                ("Range", "bytes=0-3"),
                ("X-Long", "l" * 9_000),
            ]
        ),
        max_size=4,
    ).map(tuple),
)
FAULTS = [
    ("fault", "status", (503,)),
    ("fault", "latency", ("1s",)),
    ("fault", "drip", ("100ms",)),
    ("fault", "reset", ()),
]
TARGETS = st.sampled_from(
    [
        "/batch/{}",
        "/batch/{}",
        "/batch/{}?api_key=key-one",
        "/batch/{}/",
        "/batch/%2D{}",
        "/batch/-",
        "/batch/00000000-0000-4000-8000-000000000000",
        "//batch/{}",
        "http://x/batch/{}",
        "/health",
    ]
)
READS = st.tuples(
    st.just("ask"), st.sampled_from(["GET", "GET", "GET", "HEAD", "PUT"]), TARGETS, HEADERS
)
MOVES = st.one_of(
    READS,
    READS,
    READS,
    st.tuples(st.just("advance"), st.sampled_from([0, 1, 3.5, 60])),
    st.sampled_from(FAULTS),
    st.tuples(st.just("limit"), st.sampled_from([None, 2])),
)
CLOCKS = st.sampled_from(
    [
        Opening("key-one", "one", clock="manual", seed="s"),
        Opening("key-one", "one", clock="stepping", step=3, seed="s"),
        Opening("key-one", "one", speed=20, seed="s"),
    ]
)


def request(method: str, target: str, headers: Headers = PLAIN, body: bytes = b"") -> Request:
    """A request as the server hands it over."""
    return Request(method, target, list(headers), BytesIO(body), len(body), "127.0.0.1", SERVER)


class Lane:
    """A mock with one account and one batch; `is_fast` says whether its fast lane is open."""

    def __init__(self, opening: Opening, *, is_fast: bool) -> None:
        self.time = FrozenTime()
        self.mock: Mock = create_mock(real_time=self.time)
        if not is_fast:
            self.mock.app.before_request(lambda: None)
        self.application = MockApplication(self.mock)
        self.account: Account = self.mock.open_account(SERVER, opening)
        form = (*PLAIN, ("Content-Type", "application/x-www-form-urlencoded"))
        made = self.application.answer(
            request("POST", "/batch", form, b"title=T&image_urls=http://images.example/1.jpg")
        )
        self.batch_id: str = json.loads(made.body)["data"]["id"]

    def ask(self, method: str, target: str, headers: Headers) -> Answer:
        """Send a request."""
        return self.application.answer(request(method, target.format(self.batch_id), headers))

    def advance(self, seconds: float) -> None:
        """Move real time."""
        self.time.pass_seconds(seconds)

    def fault(self, name: str, argument: Any) -> None:
        """Plan a fault for the next read."""
        plan = getattr(self.account.faults, name)
        plan(*argument, operation="get_batch")

    def limit(self, per_minute: int | None) -> None:
        """Limit the rate, or end the limit."""
        self.account.limit(requests_per_minute=per_minute)

    def books(self) -> tuple[object, ...]:
        """Everything that a request leaves behind."""
        store = self.mock.courier.store
        journals = store.journal("one"), store.journal(UNAUTHENTICATED)
        return store.account("one"), store.ledger("one"), journals


@settings(max_examples=60, deadline=None)
@given(CLOCKS, st.lists(MOVES, max_size=12))
def test_both_lanes_give_the_same_answers_and_leave_the_same_behind(
    opening: Opening, moves: list[tuple[Any, ...]]
) -> None:
    """Status, headers, body, effects, journal, faults, limits, clocks: all are the same."""
    fast, flask = Lane(opening, is_fast=True), Lane(opening, is_fast=False)
    for name, *arguments in moves:
        assert getattr(fast, name)(*arguments) == getattr(flask, name)(*arguments)
    assert fast.books() == flask.books()


def test_a_plain_read_takes_the_fast_lane() -> None:
    """What the property compares is really there."""
    lane = Lane(Opening("key-one", "one"), is_fast=True)
    answer = lane.mock.fast_lane.answer(request("GET", f"/batch/{lane.batch_id}"))
    assert answer is not None
    assert json.loads(answer.body)["data"]["id"] == lane.batch_id


def test_hooks_of_somebody_else_see_every_request() -> None:
    """Who adds a hook to the application closes the fast lane by that."""
    lane = Lane(Opening("key-one", "one"), is_fast=False)
    assert lane.mock.fast_lane.answer(request("GET", f"/batch/{lane.batch_id}")) is None


@pytest.mark.parametrize("seconds", [0, 4, 60])
@pytest.mark.parametrize("scenario", ["success", "fail", "partial"])
def test_what_is_written_is_what_the_schema_says(scenario: str, seconds: int) -> None:
    """The schema would write the Batch object in the same keys, order and types."""
    lane = Lane(Opening("key-one", "one", clock="manual"), is_fast=True)
    lane.account.next_batch(scenario)
    files = [("image_urls", f"http://images.example/{i}.jpg") for i in range(3)]
    body = "&".join(f"{name}={value}" for name, value in [*files, ("aspect_ratio", "16:9")])
    form = (*PLAIN, ("Content-Type", "application/x-www-form-urlencoded"))
    made = lane.application.answer(request("POST", "/batch", form, body.encode()))
    lane.account.clock.advance(seconds)
    batch_id = json.loads(made.body)["data"]["id"]
    written = lane.ask("GET", f"/batch/{batch_id}", PLAIN).body
    data = json.loads(written)["data"]
    dumped = json.dumps({"data": BatchSchema().dump(data)}, separators=(",", ":"))
    assert dumped.encode() == written
