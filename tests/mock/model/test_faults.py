"""Faults and limits in the model, in every store, and through the service."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vimmerse_mock
from support.frozen_time import FrozenTime
from vimmerse_client import Client, RateLimited, RetryPolicy
from vimmerse_contracts.operations import OPERATIONS, RATE_LIMITED
from vimmerse_mock.account.account import Account
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.errors import FaultError, InvalidLimitError, SpanError, ThrottledError
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.batch import Image
from vimmerse_mock.model.clock import SECOND
from vimmerse_mock.model.faults import Fault, FaultKind, count_call
from vimmerse_mock.model.limits import MINUTE, Throttle
from vimmerse_mock.server import MockServer
from vimmerse_mock.stores import open_store

Form = Callable[..., dict[str, Any]]
CALLS = [operation.id for operation in OPERATIONS if operation.needs_key]


@st.composite
def fault_plans(draw: st.DrawFn) -> Fault:
    """Any fault, aimed anywhere."""
    return Fault(
        kind=draw(st.sampled_from(FaultKind)),
        operation=draw(st.sampled_from(["", *CALLS])),
        nth=draw(st.integers(1, 5)),
        times=draw(st.none() | st.integers(1, 3)),
    )


@given(st.lists(fault_plans(), max_size=5), st.lists(st.sampled_from(CALLS), max_size=40))
def test_every_call_meets_at_most_one_fault_and_none_too_often(
    planned: list[Fault], calls: list[str]
) -> None:
    """A fault is met by calls it is aimed at, from its nth on, as often as it may be."""
    faults, met = tuple(planned), 0
    for call in calls:
        faults, fault = count_call(faults, call)
        met += fault is not None
        if fault is not None:
            assert fault.operation in ("", call)
            assert fault.matched >= fault.nth
    assert sum(fault.fired for fault in faults) == met
    for fault in faults:
        assert fault.times is None or fault.fired <= fault.times


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 12))
def test_a_lone_fault_is_met_by_exactly_the_calls_that_were_meant(
    nth: int, times: int, calls: int
) -> None:
    """Without others beside it, it is met by the calls from the nth to the last of its times."""
    faults: tuple[Fault, ...] = (Fault(FaultKind.RESET, "get_batch", nth, times),)
    hits = []
    for number in range(1, calls + 1):
        faults, met = count_call(faults, "get_batch")
        faults, other = count_call(faults, "create_batch")
        assert other is None
        hits += [number] if met else []
    assert hits == [n for n in range(1, calls + 1) if nth <= n < nth + times]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"operation": "delete_batch"}, "no operation 'delete_batch' .*get_batch"),
        ({"operation": "health"}, "no operation 'health'"),
        ({"nth": 0}, "nth and times are 1 to 2,147,483,647"),
        ({"times": 0}, "nth and times are 1 to 2,147,483,647"),
        ({"status": 99}, "200 to 599, not 99"),
        ({"delay": "2s", "delay_to": "1s"}, "delay_to .* is shorter"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    """Each wrong field says what was expected."""
    with pytest.raises(FaultError, match=sentence):
        Fault(FaultKind.STATUS, **wrong)


def test_a_delay_that_is_no_span_is_refused() -> None:
    """A latency is written as every span is."""
    with pytest.raises(SpanError, match="'soon' is no span"):
        Fault(FaultKind.LATENCY, delay="soon")


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgresql"])
def test_a_fault_is_met_once_however_many_ask_at_once(
    kind: str, request: pytest.FixtureRequest, tmp_path: Any
) -> None:
    """Of thirty calls at once exactly three meet a fault of three times, on every store."""
    urls: dict[str, Callable[[], str]] = {
        "memory": lambda: "memory:",
        "sqlite": lambda: f"sqlite:///{tmp_path / 'mock.db'}",
        "postgresql": lambda: str(request.getfixturevalue("postgres_url")),
    }
    mock = create_mock(store=open_store(urls[kind]()))
    account = mock.open_account("http://mock")
    account.faults.status(500, operation="get_batch", times=3)
    with ThreadPoolExecutor(8) as pool:
        admitted = pool.map(
            lambda _: mock.service.admit(account.customer_id, "get_batch"), range(30)
        )
        assert sum(fault is not None for fault in admitted) == 3
    (fault,) = account.faults.planned
    assert (fault.fired, account.faults.unfired) == (3, ())
    mock.close()


def test_a_drawn_latency_depends_on_the_seed_alone() -> None:
    """The same seed draws the same latency, within its bounds; another draws another."""
    fault = Fault(FaultKind.LATENCY, delay="10ms", delay_to="10s", matched=1)
    drawn = []
    for seed in ("a", "a", "b"):
        account = create_mock().accounts.open(Opening(customer_id="c", seed=seed))
        drawn.append(fault.draw_delay(account.random("fault", fault.kind, fault.matched)))
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(SECOND // 100 <= pause <= 10 * SECOND for pause in drawn)


def test_a_kind_is_named_by_its_definition_and_its_method_alone() -> None:
    """A kind is added in two files: what carries faults out knows effects, and no kind."""
    room = Path(vimmerse_mock.__file__).parent
    naming = {
        str(file.relative_to(room))
        for file in room.rglob("*.py")
        if re.search(r"FaultKind\.[A-Z]", file.read_text())
    }
    assert naming == {"model/faults.py", "account/faults.py"}


def test_a_neighbour_meets_nothing() -> None:
    """Another account's calls are neither counted nor broken."""
    mock = create_mock()
    faulty, other = (mock.open_account("http://mock") for _ in range(2))
    faulty.faults.status(500, times=None)
    client = mock.app.test_client()
    nowhere = "/batch/00000000-0000-4000-8000-000000000000"
    assert client.get(nowhere, headers={"X-Api-Key": other.key}).status_code == 404
    assert client.get(nowhere, headers={"X-Api-Key": faulty.key}).status_code == 500
    assert [fault.matched for fault in faulty.faults.planned] == [1]


class TestLimits:
    """Requests per minute, and batches at once."""

    @pytest.fixture
    def mock(self, frozen_time: FrozenTime) -> Mock:
        """A mock on frozen time."""
        return create_mock(real_time=frozen_time)

    @pytest.fixture
    def account(self, mock: Mock) -> Account:
        """An account on a manual clock."""
        return mock.open_account("http://mock", Opening(clock="manual"))

    @given(st.integers(1, 5), st.lists(st.integers(0, MINUTE), max_size=60))
    def test_no_window_has_more_than_its_requests(self, most: int, gaps: list[int]) -> None:
        """Whatever the pauses, a window that begins with a request lets so many through."""
        throttle, now, windows = Throttle(requests_per_minute=most), 0, Counter[int]()
        for gap in gaps:
            now += gap
            with suppress(ThrottledError):
                throttle = throttle.admit(now)
                windows[throttle.since] += 1
        assert max(windows.values(), default=0) <= most
        assert all(later - earlier >= MINUTE for earlier, later in pairwise(sorted(windows)))

    @given(st.integers(1, 5), st.integers(0, MINUTE - 1))
    def test_who_comes_back_when_told_is_let_through(self, most: int, later: int) -> None:
        """The refusal tells exactly when the next window may begin."""
        throttle = Throttle(requests_per_minute=most, since=0, count=most)
        with pytest.raises(ThrottledError) as refused:
            throttle.admit(later)
        assert throttle.admit(later + refused.value.retry_after).count == 1

    def test_one_request_too_many_is_429_until_the_minute_is_over(
        self, mock: Mock, account: Account
    ) -> None:
        """The third request of a minute is refused with the seconds that are left of it."""
        account.limit(requests_per_minute=2)
        client, key = mock.app.test_client(), {"X-Api-Key": account.key}
        nowhere = "/batch/00000000-0000-4000-8000-000000000000"
        assert [client.get(nowhere, headers=key).status_code for _ in range(2)] == [404, 404]
        account.clock.advance("20.5s")
        refused = client.get(nowhere, headers=key)
        assert (refused.status_code, refused.get_json()) == (429, RATE_LIMITED.body)
        assert refused.headers["Retry-After"] == "40"
        account.clock.advance(40)
        assert client.get(nowhere, headers=key).status_code == 404
        account.limit()
        assert [client.get(nowhere, headers=key).status_code for _ in range(9)] == [404] * 9

    def test_one_batch_too_many_at_once_is_429_and_costs_nothing(
        self, mock: Mock, account: Account, form: Form, images: list[Image]
    ) -> None:
        """While a batch processes there is no room for another; then there is."""
        account.limit(concurrent_batches=1)
        first = mock.service.create(account.customer_id, form(), images)
        with pytest.raises(ThrottledError, match="1 batches at once") as caught:
            mock.service.create(account.customer_id, form(), images)
        assert caught.value.retry_after == 10 * SECOND
        assert account.credits == 100_000 - 20
        again = mock.service.update(account.customer_id, first.batch.id, {"loop": 2})
        assert len(again.batch.submissions) == 2
        account.clock.advance(10)
        mock.service.create(account.customer_id, form(), images)
        assert len(account.batches) == 2

    def test_the_client_gets_through_by_waiting_on_the_accounts_clock(self) -> None:
        """A client whose waiting moves the clock reads five times in milliseconds."""
        with MockServer() as server:
            account = server.open_account(Opening(clock="manual"))
            account.limit(requests_per_minute=1)
            patient = Client(account.key, server.url, sleep=account.clock.advance)
            hasty = Client(account.key, server.url, retry=RetryPolicy(attempts=1))
            with patient, hasty:
                batch = patient.create(["http://images.example/1.jpg"])
                with pytest.raises(RateLimited) as refused:
                    hasty.get(batch.id)
                assert refused.value.retry_after == 60
                assert [patient.get(batch.id).succeeded for _ in range(5)] == [True] * 5

    @pytest.mark.parametrize("limit", [0, -1])
    def test_a_limit_that_lets_nothing_through_is_refused(
        self, account: Account, limit: int
    ) -> None:
        """It says what was expected, and changes nothing."""
        with pytest.raises(InvalidLimitError, match="1 to 2,147,483,647, or null for no limit"):
            account.limit(requests_per_minute=limit)
        with pytest.raises(InvalidLimitError):
            replace(Throttle(), concurrent_batches=limit)
