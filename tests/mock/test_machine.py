"""The properties of the whole: whatever is done, in whatever order, by whomever beside."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from uuid import UUID

import pytest
import requests
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from support.frozen_time import FrozenTime
from support.moves import (
    CHANGES,
    CREATIONS,
    SETTINGS,
    TIMES,
    Call,
    Hand,
    Move,
    Receivers,
    in_process,
    make_mock,
    over_http,
)
from vimmerse_mock.account.account import Account, RemoteMock
from vimmerse_mock.app import Mock
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.outbox import MessageState
from vimmerse_mock.serving.thread import WsgiThread

OPENINGS = {
    "one": Opening("key-one", "one", credits=27, clock="manual", seed="s"),
    "two": Opening("key-two", "two", credits=200, speed=3, seed="s"),
}
WHOSE = st.sampled_from(sorted(OPENINGS))
FINAL = ("success", "fail")
FIRST: Move = ("create", 1, True, "Auto")
ENDS = tuple(f"processing -> {status}" for status in FINAL)


class Accounts(RuleBasedStateMachine):
    """Two accounts on one mock that is looked at all the time; each has a twin.

    A twin is the only account of another mock, made by the same seed. It is moved in the same way,
    and nobody ever looks at it before a step's end. So whatever differs between an account and its
    twin came from looking, from the neighbour, or from chance.
    """

    over_http: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.time, self.receivers = FrozenTime(), Receivers()
        self.mock = make_mock(self.time, self.receivers)
        self.thread: WsgiThread | None = None
        self.session = requests.Session()
        self.hands = {name: self._hand(opening) for name, opening in OPENINGS.items()}
        self.twins = {name: self._twin(opening) for name, opening in OPENINGS.items()}
        self.seen: dict[tuple[str, int], int] = {}
        self.ended: set[tuple[str, int]] = set()

    def teardown(self) -> None:
        """Move time until nothing is to come, compare for the last time, and stop."""
        try:
            self.everything_ends_exactly_once()
        finally:
            self.session.close()
            if self.thread is not None:
                self.thread.stop()
            for mock in (self.mock, *(mock for mock, _ in self.twins.values())):
                mock.close()

    @initialize(first=st.lists(st.tuples(WHOSE, SETTINGS | CREATIONS), max_size=6))
    def begin(self, first: list[tuple[str, Move]]) -> None:
        """Both accounts have a batch, and some have more, by settings of all sorts."""
        for whose, move in [*first, ("one", FIRST), ("two", FIRST)]:
            self._move(whose, move)

    @rule(whose=WHOSE, move=CREATIONS)
    def create(self, whose: str, move: Move) -> None:
        """The same seed and calls give the same bytes, whoever looks on and lives beside."""
        self._move(whose, move)

    @rule(whose=WHOSE, move=TIMES)
    def advance(self, whose: str, move: Move) -> None:
        """What happens on the way is the same."""
        self._move(whose, move)

    @rule(whose=WHOSE, move=CHANGES)
    def change(self, whose: str, move: Move) -> None:
        """So are the answers to changes."""
        self._note_ends(self.hands[whose])
        self._move(whose, move)

    @rule(whose=WHOSE, move=SETTINGS)
    def decide(self, whose: str, move: Move) -> None:
        """Settings of one account decide over that account."""
        self._move(whose, move)

    @rule(whose=WHOSE, place=st.integers(0, 5))
    def look(self, whose: str, place: int) -> None:
        """Progress never falls within a submission, and what has ended stays so."""
        hand = self.hands[whose]
        if hand.batches:
            self._look(hand, hand.batches[place % len(hand.batches)])

    @rule(seconds=st.sampled_from([0.25, 1, 20]))
    def pass_seconds(self, seconds: float) -> None:
        """Real time moves the live account only."""
        before = self.hands["one"].account.clock.now()
        self.time.pass_seconds(seconds)
        assert self.hands["one"].account.clock.now() == before

    @rule(whose=WHOSE, place=st.integers(0, 5), method=st.sampled_from(["GET", "PUT", "POST"]))
    def intrude(self, whose: str, place: int, method: str) -> None:
        """A batch of one account is none for the other, whatever is tried."""
        hand, other = self.hands[whose], self.hands["two" if whose == "one" else "one"]
        if hand.batches:
            batch_id = hand.batches[place % len(hand.batches)]
            path = {"GET": "", "PUT": "/edit", "POST": "/concat"}[method]
            form = {"prompt": "Mine!"} if method == "PUT" else {}
            status, body = other.ask(method, f"/batch/{batch_id}{path}", **form)
            assert (status, json.loads(body)) == (404, {"message": "NOT_FOUND"})

    @invariant()
    def the_balance_is_the_sum_of_the_ledger(self) -> None:
        """It never falls under zero, and each line has what stood after it."""
        for hand in self.hands.values():
            balance = 0
            for entry in self.mock.courier.store.ledger(hand.account.customer_id):
                balance += entry.amount
                assert entry.balance == balance >= 0
            assert balance == self.mock.courier.store.balance(hand.account.customer_id)

    def everything_ends_exactly_once(self) -> None:
        """In the end every submission has ended once, unless it is stuck or was superseded."""
        for name, hand in self.hands.items():
            _, twin = self.twins[name]
            assert hand.described() == twin.described()
            self._note_ends(hand)
            assert hand.do(("advance", "100d")) == twin.do(("advance", "100d"))
            self._note_ends(hand)
            assert hand.described() == twin.described()
            self._require_ends(hand.account)

    def _require_ends(self, account: Account) -> None:
        store = self.mock.courier.store
        ended = [e for e in account.events() if e.what in ENDS]
        for batch in store.batches(account.customer_id):
            ends = [e for e in ended if e.batch_id == batch.id]
            numbers = {number for batch_id, number in self.ended if batch_id == batch.id}
            assert len(ends) == len(numbers)
            last = batch.submission
            assert last.number in numbers or last.script.stuck_at is not None
        for message in store.messages(account.customer_id):
            over = (message.batch_id, message.submission) in self.ended
            assert (message.state is not MessageState.WITHDRAWN) is over
            assert message.state is not MessageState.PENDING

    def _move(self, whose: str, move: Move) -> None:
        assert self.hands[whose].do(move) == self.twins[whose][1].do(move)

    def _note_ends(self, hand: Hand) -> None:
        """Look at every batch, and note which submissions have ended."""
        for batch_id in hand.batches:
            self._look(hand, batch_id)

    def _look(self, hand: Hand, batch_id: str) -> None:
        status, body = hand.look(batch_id)
        assert status == 200
        data: dict[str, Any] = json.loads(body)["data"]
        (info,) = [b for b in hand.account.batches if b.id == batch_id]
        which = (batch_id, info.submissions)
        assert UUID(batch_id).version == 4
        assert info.progress >= self.seen.get(which, 0)
        self.seen[which] = info.progress
        assert data["status"] in FINAL or which not in self.ended
        if data["status"] in FINAL:
            self.ended.add(which)

    def _hand(self, opening: Opening) -> Hand:
        if not self.over_http:
            account = self.mock.open_account("http://mock", opening)
            return Hand(account, in_process(self.mock), self.receivers)
        if self.thread is None:
            self.thread = WsgiThread(self.mock.app)
            self.thread.start()
        account = RemoteMock(self.thread.url).open_account(opening)
        call: Call = over_http(self.thread.url, self.session)
        return Hand(account, call, self.receivers)

    def _twin(self, opening: Opening) -> tuple[Mock, Hand]:
        mock = make_mock(self.time, self.receivers)
        account = mock.open_account("http://twin", opening)
        return mock, Hand(account, in_process(mock), self.receivers)


class RemoteAccounts(Accounts):
    """The same over real sockets, beside twins in process."""

    over_http = True


@pytest.mark.parametrize(
    ("machine", "examples", "steps"), [(Accounts, 80, 30), (RemoteAccounts, 6, 20)]
)
def test_the_properties_hold_whatever_is_done(
    machine: type[Accounts], examples: int, steps: int
) -> None:
    """Money adds up, progress rises, ends come once; looking and neighbours change nothing."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
