"""The control plane by its facade and by its JSON, in process and over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from support.frozen_time import FrozenTime
from vimmerse_contracts.vocabulary import CONTROL_ROOT
from vimmerse_mock.account.account import Account, RemoteMock, find_account
from vimmerse_mock.app import create_mock
from vimmerse_mock.control import messages as r
from vimmerse_mock.control import operations as o
from vimmerse_mock.control.calls import Caller, HttpCaller, InProcessCaller
from vimmerse_mock.errors import (
    ClockError,
    ControlError,
    DuplicateAccountError,
    FaultError,
    InvalidLimitError,
    InvalidRequestError,
    OpeningError,
    SpanError,
    UnknownAccountError,
    UnknownScenarioError,
)
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.credits import Reason
from vimmerse_mock.model.outbox import MessageState
from vimmerse_mock.model.scenarios import Scenario
from vimmerse_mock.receiving.inbox import Listener
from vimmerse_mock.server import MockServer
from vimmerse_mock.serving.thread import WsgiThread
from vimmerse_mock.stores import Store

WAYS = ["in process", "over HTTP"]
Accounts = MockServer | RemoteMock
MANUAL = Opening(clock="manual", seed="s", customer_id="me", api_key="mine")
NOON = datetime(2025, 4, 2, 12, tzinfo=UTC)


@pytest.fixture
def server(frozen_time: FrozenTime) -> Iterator[MockServer]:
    """A server on frozen time."""
    with MockServer(create_mock(real_time=frozen_time)) as server:
        yield server


def by(way: str, server: MockServer) -> Accounts:
    """Where accounts are opened."""
    return server if way == "in process" else RemoteMock(server.url)


def caller(way: str, server: MockServer) -> Caller:
    """A way to the control plane for any bytes."""
    return (
        InProcessCaller(server.mock.control_route)
        if way == "in process"
        else HttpCaller(server.url)
    )


@pytest.fixture(params=WAYS)
def accounts(request: pytest.FixtureRequest, server: MockServer) -> Iterator[Accounts]:
    """Both ways to accounts, one after another."""
    accounts = by(request.param, server)
    yield accounts
    if isinstance(accounts, RemoteMock):
        accounts.close()


@pytest.fixture
def account(accounts: Accounts) -> Account:
    """An account with a manual clock."""
    return accounts.open_account(MANUAL)


def create(account: Account, images: int = 1, **fields: str) -> str:
    """Create a batch; one image takes four seconds, each further one two more."""
    urls = [f"http://images.example/{i}.jpg" for i in range(images)]
    answer = requests.post(
        f"{account.url}/batch",
        headers={"X-Api-Key": account.key},
        data={"image_urls": urls, **fields},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["id"])


def whats(events: tuple[r.EventInfo, ...]) -> list[str]:
    """What happened, in words."""
    return [event.what for event in events]


class TestAccounts:
    """Opening, showing, listing and closing."""

    def test_an_account_is_opened_as_described(self, accounts: Accounts) -> None:
        """Key, customer, credits, clock and scenario are what was asked for."""
        scenario = Scenario(fail_medias=(1,), message="No.")
        account = accounts.open_account(
            replace(MANUAL, credits=7, clock="stepping", step=0.5, scenario=scenario)
        )
        shown = account.call(o.SHOW_ACCOUNT)
        assert (account.key, account.customer_id, account.credits) == ("mine", "me", 7)
        assert (shown.clock.mode, shown.clock.step, shown.clock.now) == ("stepping", 0.5, NOON)
        assert shown.scenario["fail_medias"] == [1]
        assert shown == account.info

    def test_what_is_not_said_is_made_up(self, accounts: Accounts) -> None:
        """Two accounts without a word have keys and customer ids of their own."""
        one, two = accounts.open_account(), accounts.open_account()
        assert len({one.key, two.key, one.customer_id, two.customer_id}) == 4
        assert one.credits == two.credits == 100_000

    def test_every_account_is_listed(self, accounts: Accounts, account: Account) -> None:
        """The list has what was opened, and no more what was closed."""
        other = accounts.open_account()

        def listed() -> set[str]:
            answer = other.control.call(o.LIST_ACCOUNTS)
            return {each.customer_id for each in answer.accounts}

        assert listed() == {"YOUR_CUSTOMER_ID", account.customer_id, other.customer_id}
        account.close()
        assert listed() == {"YOUR_CUSTOMER_ID", other.customer_id}

    def test_an_account_that_exists_is_found(self, account: Account) -> None:
        """By its customer id it is the same account again; an unknown one is told."""
        again = find_account(account.control, account.url, "me")
        assert (again.key, again.customer_id) == (account.key, account.customer_id)
        with pytest.raises(UnknownAccountError, match="no account of customer 'nobody'"):
            find_account(account.control, account.url, "nobody")

    def test_closing_twice_is_no_error(self, account: Account) -> None:
        """A closed account stays closed, its key opens nothing, and what is asked of it is told."""
        account.close()
        account.close()
        with pytest.raises(UnknownAccountError):
            _ = account.credits
        answer = requests.post(
            f"{account.url}/batch", headers={"X-Api-Key": account.key}, timeout=60
        )
        assert answer.status_code == 401

    @pytest.mark.parametrize("customer_id", ["a b", "ä/ö", "..", ".", "a\nb", "a\0b"])
    def test_an_id_that_no_path_carries_is_refused(
        self, accounts: Accounts, customer_id: str
    ) -> None:
        """An account that could be opened but never shown or closed is not opened."""
        with pytest.raises(OpeningError, match="is part of URLs"):
            accounts.open_account(Opening(customer_id=customer_id))

    @pytest.mark.parametrize("customer_id", ["ä", "a%2Fb", "a?b", "a#b", "a+b", "...", "a;b=c"])
    def test_an_unusual_id_is_an_id(self, accounts: Accounts, customer_id: str) -> None:
        """What a path carries once it is quoted can be shown and closed."""
        account = accounts.open_account(Opening(customer_id=customer_id))
        assert account.credits == 100_000
        account.close()
        with pytest.raises(UnknownAccountError):
            _ = account.credits


@pytest.mark.parametrize("way", WAYS)
def test_a_closed_account_leaves_nothing_behind(way: str, store: Store, listener: Listener) -> None:
    """Batches, ledger, webhooks and journal are gone from every store, and a new one is fresh."""
    with MockServer(create_mock(store=store)) as server:
        account = by(way, server).open_account(MANUAL)
        create(account, webhook_url=listener.open_inbox().url)
        assert account.batches
        assert account.outbox
        assert account.journal.requests()
        account.close()
        again = by(way, server).open_account(replace(MANUAL, credits=5))
        assert (again.batches, again.outbox, again.journal.requests()) == ((), (), ())
        assert [entry.amount for entry in again.ledger] == [5]
        again.close()
        _require_nothing_of(store, "me")


def _require_nothing_of(store: Store, customer_id: str) -> None:
    """Look into the store itself."""
    assert customer_id not in store.customers()
    assert store.account_by_key("mine") is None
    engine = getattr(store, "_engine", None)
    if engine is None:
        return
    from sqlalchemy import func, select

    from vimmerse_mock.stores.sql.schema import BATCHES, JOURNAL, LEDGER, MESSAGES

    with engine.begin() as connection:
        for table in (BATCHES, JOURNAL, LEDGER, MESSAGES):
            of_them = table.c.customer_id == customer_id
            assert connection.scalar(select(func.count()).where(of_them)) == 0


class TestSettings:
    """Credits and scenarios."""

    def test_credits_are_paid_in(self, account: Account) -> None:
        """The ledger has a line for it, with its instant and the balance after it."""
        account.clock.advance(1)
        account.pay_in(20)
        entry = account.ledger[-1]
        assert (entry.amount, entry.balance, entry.reason) == (20, 100_020, Reason.TOP_UP)
        assert entry.at == NOON + timedelta(seconds=1)
        assert account.credits == 100_020

    def test_a_scenario_holds_from_now_on(self, account: Account) -> None:
        """Batches that exist keep their course; the next ones take the new one."""
        create(account)
        account.use_scenario("fail")
        create(account)
        account.use_scenario(Scenario(fail_all=True, message="Out of film."))
        create(account)
        account.clock.advance(60)
        assert [(b.status, b.message) for b in account.batches] == [
            ("success", ""),
            ("fail", "All medias failed to process."),
            ("fail", "Out of film."),
        ]

    def test_batches_ledger_and_outbox_tell_what_is(self, account: Account) -> None:
        """Each list has what the API did, in the order in which it was asked."""
        hook = "http://127.0.0.1:9/hook"
        first, second = create(account, webhook_url=hook, title="One"), create(account, 2)
        account.clock.advance(2)
        assert [(b.id, b.title, b.medias, b.submissions) for b in account.batches] == [
            (first, "One", 1, 1),
            (second, "", 2, 1),
        ]
        assert [b.progress for b in account.batches] == [33, 20]
        assert [(e.batch_id, e.amount) for e in account.ledger[1:]] == [(first, -5), (second, -10)]
        (webhook,) = account.outbox
        assert (webhook.batch_id, webhook.url, webhook.state) == (first, hook, MessageState.PENDING)
        assert webhook.due_at == NOON + timedelta(seconds=4)
        assert webhook.body == {"customer_id": "me", "batch_id": first, "status": "success"}


class TestClock:
    """Every way to move time."""

    def test_a_live_clock_runs_at_its_rate(
        self, accounts: Accounts, frozen_time: FrozenTime
    ) -> None:
        """Ten real seconds at rate 60 are ten minutes; a stopped clock stands."""
        clock = accounts.open_account(Opening(speed=60)).clock
        assert clock.mode == "live"
        frozen_time.pass_seconds(10)
        assert clock.now() == NOON + timedelta(minutes=10)
        clock.set("manual")
        frozen_time.pass_seconds(10)
        assert (clock.mode, clock.now()) == ("manual", NOON + timedelta(minutes=10))
        clock.set("live", speed=1)
        frozen_time.pass_seconds(10)
        assert clock.now() == NOON + timedelta(minutes=10, seconds=10)

    def test_a_stepping_clock_moves_with_each_read_of_an_unfinished_batch(
        self, account: Account
    ) -> None:
        """Polls see the same progress however fast they come; a finished batch moves nothing."""
        account.clock.set("stepping", step="1s")
        batch_id = create(account)

        def poll() -> tuple[str, int]:
            where = f"{account.url}/batch/{batch_id}"
            requests.get(where, headers={"X-Api-Key": account.key}, timeout=60)
            (exchange,) = account.journal.requests(operation="get_batch")[-1:]
            return exchange.batch_status, exchange.progress

        assert [poll() for _ in range(6)] == [
            ("processing", 0),
            ("processing", 0),
            ("processing", 33),
            ("processing", 66),
            ("success", 100),
            ("success", 100),
        ]
        assert account.clock.now() == NOON + timedelta(seconds=4)

    def test_looking_by_the_control_plane_moves_no_clock(self, account: Account) -> None:
        """Whoever watches a stepping account does not disturb it."""
        account.clock.set("stepping", step=1)
        create(account)
        assert account.batches[0].progress == account.batches[0].progress == 0
        assert account.clock.now() == NOON

    def test_advancing_tells_what_happened_in_order(self, account: Account) -> None:
        """The events between then and now come back, and only once."""
        batch_id = create(account, 2)
        events = account.clock.advance("90s")
        assert whats(events) == [
            "media 1 of 2 finished",
            "media 2 of 2 finished",
            "processing -> success",
        ]
        assert [(e.at - NOON).total_seconds() for e in events] == [3, 5, 6]
        assert {e.batch_id for e in events} == {batch_id}
        assert account.clock.now() == NOON + timedelta(seconds=90)
        assert account.clock.advance("90s") == ()

    def test_moving_to_an_instant_is_advancing(self, account: Account) -> None:
        """Other offsets than UTC are understood."""
        create(account)
        moscow = datetime.fromisoformat("2025-04-02T15:00:03+03:00")
        assert whats(account.clock.move_to(moscow)) == ["media 1 of 1 finished"]
        assert account.clock.now() == NOON + timedelta(seconds=3)
        assert account.clock.move_to(moscow) == ()

    def test_the_next_thing_that_happens_can_be_gone_to(self, account: Account) -> None:
        """Step by step to the end; then nothing comes, and the clock stays."""
        create(account)
        happened = [whats(account.clock.advance_to_next()) for _ in range(3)]
        assert happened == [["media 1 of 1 finished"], ["processing -> success"], []]
        assert account.clock.now() == NOON + timedelta(seconds=4)

    def test_running_until_a_batch_is_done(self, account: Account) -> None:
        """By its id or by itself; other batches go on beside it; what is done needs no moving."""
        short, long = create(account), create(account, 3)
        assert whats(account.clock.run_until(short))[-1] == "processing -> success"
        assert [b.status for b in account.batches] == ["success", "processing"]
        assert account.clock.run_until(short) == ()
        account.clock.run_until(next(b for b in account.batches if b.id == long))
        assert [b.status for b in account.batches] == ["success", "success"]

    def test_running_until_any_condition(self, account: Account) -> None:
        """A callable is asked after each thing that happened."""
        create(account, 3)
        account.clock.run_until(lambda: account.batches[0].progress >= 50)
        assert account.clock.now() == NOON + timedelta(seconds=5)

    def test_a_condition_that_does_not_come_true_is_told_with_the_story(
        self, account: Account
    ) -> None:
        """Nothing more to come, too late, and no such batch: each says so."""
        batch_id = create(account)
        with pytest.raises(AssertionError, match=r"(?s)within 2s.*POST /batch"):
            account.clock.run_until(batch_id, within="2s")
        with pytest.raises(AssertionError, match=r"(?s)nothing more is planned.*-> success"):
            account.clock.run_until(lambda: False)
        with pytest.raises(AssertionError, match="no batch nothing"):
            account.clock.run_until("nothing")

    def test_webhooks_arrive_in_order_before_advancing_returns(
        self, account: Account, listener: Listener
    ) -> None:
        """A real listener has heard of every batch that ended, first things first."""
        inbox = listener.open_inbox()
        ids = [create(account, images, webhook_url=inbox.url) for images in (3, 1, 2)]
        events = account.clock.advance("1m")
        assert [w.body["batch_id"] for w in inbox.received] == [ids[1], ids[2], ids[0]]
        delivered = [e for e in events if e.kind == "delivery"]
        assert [(e.at - NOON).total_seconds() for e in delivered] == [4, 6, 8]
        assert {w.state for w in account.outbox} == {MessageState.DELIVERED}

    def test_a_receiver_that_calls_back_sees_consistent_time(self, account: Account) -> None:
        """During delivery clock, batch and outbox show the instant at which the batch ended."""
        seen: list[tuple[datetime, str, str]] = []

        def receiver(environ: Any, start_response: Any) -> list[bytes]:
            body = json.loads(environ["wsgi.input"].read())
            where = f"{account.url}/batch/{body['batch_id']}"
            data = requests.get(where, headers={"X-Api-Key": account.key}, timeout=60).json()[
                "data"
            ]
            seen.append((account.clock.now(), data["status"], account.batches[-1].status))
            start_response("204 No Content", [])
            return []

        thread = WsgiThread(receiver)
        thread.start()
        try:
            for images in (1, 2):
                create(account, images, webhook_url=thread.url)
            account.clock.advance("1h")
        finally:
            thread.stop()
        assert seen == [
            (NOON + timedelta(seconds=4), "success", "processing"),
            (NOON + timedelta(seconds=6), "success", "success"),
        ]

    def test_a_clock_goes_to_the_end_of_the_calendar_and_no_further(self, account: Account) -> None:
        """Beyond the year 9000 it is refused, and everybody's list of accounts stands."""
        for _ in range(69):
            account.clock.advance("36500d")
        with pytest.raises(ClockError, match="no further than 9000-01-01"):
            account.clock.advance("36500d")
        create(account)
        assert account.clock.now().year == 8920
        assert len(account.control.call(o.LIST_ACCOUNTS).accounts) == 2

    def test_a_fast_clock_stops_at_the_end_of_the_calendar(
        self, accounts: Accounts, frozen_time: FrozenTime
    ) -> None:
        """A month at a million times real time ends in the year 9000, and spoils nothing."""
        account = accounts.open_account(Opening(speed=1_000_000))
        frozen_time.pass_seconds(30 * 86_400)
        assert account.clock.now().year == 9000
        assert account.story()


def test_a_live_clock_can_be_advanced_by_nothing(listener: Listener) -> None:
    """Real time that passes meanwhile is no mistake of whoever advances, however often."""
    inbox = listener.open_inbox()
    with MockServer() as server:
        account = server.open_account(Opening(speed=1_000))
        for _ in range(20):
            account.clock.advance(0)
            batch_id = create(account, webhook_url=inbox.url)
            account.clock.run_until(batch_id)
        assert len(inbox.wait_for(20)) == 20


REFUSALS: list[tuple[Callable[[Account], object], type[Exception], str]] = [
    (lambda a: a.pay_in(0), InvalidRequestError, "Expected `int` >= 1"),
    (lambda a: a.pay_in(-5), InvalidRequestError, "Expected `int` >= 1"),
    (lambda a: a.pay_in(10**16), InvalidRequestError, "Expected `int` <= 1000000000000000"),
    (lambda a: a.use_scenario("sucess"), UnknownScenarioError, "no scenario 'sucess'.*success"),
    (lambda a: a.clock.advance(-1), SpanError, "-1 is no span of time"),
    (lambda a: a.clock.advance("soon"), SpanError, "'soon' is no span of time"),
    (lambda a: a.clock.set("stepping", step=0), ClockError, "longer than 0"),
    (lambda a: a.clock.set("live", speed=-1), ClockError, "1e-06 to .* not -1"),
    (lambda a: a.clock.set("live", speed=1e7), ClockError, "to 1e.06 times real time, not 1"),
    (
        lambda a: a.clock.move_to(NOON - timedelta(seconds=1)),
        ClockError,
        "forward only: it shows 2025-04-02 12:00:00.00:00, asked for 2025-04-02 11:59:59",
    ),
    (lambda a: a.clock.move_to(NOON.replace(year=9999)), ClockError, "no further than 9000"),
    (lambda a: a.clock.move_to(NOON.replace(tzinfo=None)), InvalidRequestError, "timezone"),
    (lambda a: a.limit(requests_per_minute=0), InvalidLimitError, "1 to 2,147,483,647"),
    (lambda a: a.faults.status(99), FaultError, "200 to 599, not 99"),
]


@pytest.mark.parametrize(("ask", "kind", "sentence"), REFUSALS)
def test_a_refusal_is_the_same_exception_both_ways(
    account: Account, ask: Callable[[Account], object], kind: type[Exception], sentence: str
) -> None:
    """Class and sentence say what was wrong and expected; nothing was changed."""
    create(account)
    before = account.export()
    with pytest.raises(kind, match=sentence) as caught:
        ask(account)
    assert type(caught.value) is kind
    assert account.export() == before


@pytest.mark.parametrize(
    ("opening", "kind"),
    [
        (Opening(customer_id="me", clock="manual"), DuplicateAccountError),
        (Opening(api_key="mine", clock="manual"), DuplicateAccountError),
        (
            Opening(step=1, clock="stepping", seed="s", customer_id="you", api_key="mine"),
            DuplicateAccountError,
        ),
    ],
)
def test_an_account_that_cannot_be_opened_leaves_no_trace(
    accounts: Accounts, account: Account, opening: Opening, kind: type[Exception]
) -> None:
    """Whatever is wrong with it, the accounts are afterwards the same."""
    before = account.control.call(o.LIST_ACCOUNTS)
    with pytest.raises(kind):
        accounts.open_account(opening)
    assert account.control.call(o.LIST_ACCOUNTS) == before


BAD = "InvalidRequestError"
REQUESTS: list[tuple[str, str, bytes, int, str, str]] = [
    (
        "POST",
        "/accounts",
        b"{",
        400,
        BAD,
        "expected a JSON object of api_key, customer_id, credits",
    ),
    ("POST", "/accounts", b"[]", 400, BAD, "Expected `object`, got `array`"),
    ("POST", "/accounts", b'{"seed": "\xff"}', 400, BAD, "utf-8"),
    ("POST", "/accounts", b'{"scenario": ' + b'{"a":' * 9_000, 400, BAD, "recursion"),
    ("POST", "/accounts", b'{"credit": 5}', 400, BAD, "unknown field `credit`"),
    ("POST", "/accounts", b'{"credits": "5"}', 400, BAD, "Expected `int`, got `str`"),
    ("POST", "/accounts", b'{"credits": -1}', 400, BAD, "Expected `int` >= 0"),
    ("POST", "/accounts", b'{"scenario": "no"}', 400, "UnknownScenarioError", "success, partial"),
    ("POST", "/accounts", b'{"clock": "sun"}', 400, BAD, "one of live, manual, stepping"),
    ("POST", "/accounts", b'{"credits": 1' + b"0" * 16 + b"}", 400, BAD, "<= 1000000000000000"),
    ("POST", "/accounts", b'{"credits": 1' + b"0" * 5_000 + b"}", 400, BAD, "credits"),
    ("POST", "/accounts", b'{"seed": "\\ud800"}', 400, BAD, "expected a JSON object"),
    ("POST", "/accounts", b'{"speed": 1e-308}', 400, "ClockError", "1e-06 to 1e"),
    (
        "POST",
        "/accounts",
        b'{"speed": 0}',
        400,
        "ClockError",
        "a clock that stands still is 'manual'",
    ),
    (
        "POST",
        "/accounts",
        b'{"clock": "stepping", "step": "soon"}',
        400,
        "SpanError",
        "expected a number of seconds",
    ),
    (
        "POST",
        "/accounts",
        b'{"clock": "stepping", "step": 0}',
        400,
        "ClockError",
        "longer than 0",
    ),
    ("POST", "/accounts", b'{"api_key": "two words"}', 400, "OpeningError", "visible ASCII"),
    ("POST", "/accounts", b'{"customer_id": "a/b"}', 400, "OpeningError", "is part of URLs"),
    ("POST", "/accounts", b'{"customer_id": "me"}', 409, "DuplicateAccountError", "'me' already"),
    ("POST", "/accounts", b'{"api_key": "mine"}', 409, "DuplicateAccountError", "this API key"),
    ("PATCH", "/accounts/me", b'{"colour": 1}', 400, BAD, "unknown field `colour`"),
    ("PATCH", "/accounts/me", b'{"scenario": 1}', 400, BAD, "Expected `str | object`|Expected"),
    ("POST", "/accounts/me/credits", b"", 400, BAD, "missing required field `amount`"),
    ("POST", "/accounts/me/credits", b'{"amount": 1.5}', 400, BAD, "Expected `int`"),
    ("POST", "/accounts/me/clock/advance", b'{"by": -1}', 400, "SpanError", "not negative"),
    ("POST", "/accounts/me/clock/advance", b'{"by": null}', 400, BAD, "got `null`"),
    ("POST", "/accounts/me/clock/move_to", b'{"to": "noon"}', 400, BAD, "RFC3339"),
    ("PUT", "/accounts/me/clock", b'{"speed": -1}', 400, "ClockError", "1e-06 to 1e"),
    ("POST", "/accounts/me/faults", b'{"kind": "flood"}', 400, BAD, "Invalid enum value"),
    ("GET", "/accounts/me/journal?status=ok", b"", 400, BAD, "status='ok': expected a number"),
    ("GET", "/accounts/me/story?most=-1", b"", 400, BAD, "most='-1': expected a number"),
    ("GET", "/accounts/me/story?most=" + "9" * 5_000, b"", 400, BAD, "expected a number"),
    ("POST", "/import", b"{}", 400, "SnapshotError", "vimmerse-mock snapshot"),
    ("GET", "/acounts", b"", 404, "NoSuchOperationError", "no operation GET /__admin/acounts"),
    ("GET", "/accounts/me/", b"", 200, "", ""),
    ("DELETE", "/accounts", b"", 405, "WrongMethodError", "takes .*POST.*, not DELETE"),
    ("PATCH", "/", b"", 405, "WrongMethodError", "takes .*GET.*, not PATCH"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("method", "path", "body", "status", "word", "sentence"), REQUESTS)
def test_a_wrong_request_is_told_and_changes_nothing(
    server: MockServer,
    way: str,
    method: str,
    path: str,
    body: bytes,
    status: int,
    word: str,
    sentence: str,
) -> None:
    """Status, a word for programs, and a sentence with what was expected."""
    account = server.open_account(MANUAL)
    before = account.export(), account.control.call(o.LIST_ACCOUNTS)
    came, said = caller(way, server).send(method, CONTROL_ROOT + path, body)
    assert came == status, said
    if word:
        answer = json.loads(said)
        assert list(answer) == ["error", "message"]
        assert answer["error"] == word
        assert re.search(sentence, answer["message"]), answer["message"]
    assert (account.export(), account.control.call(o.LIST_ACCOUNTS)) == before


def test_every_operation_on_an_account_knows_an_unknown_one(store: Store) -> None:
    """404 with the customer's name, on every store alike, whatever the body."""
    operations = [each for each in o.OPERATIONS if "{customer_id}" in each.path]
    assert len(operations) > 10
    with MockServer(create_mock(store=store)) as server:
        for operation in operations:
            for customer_id in ("nobody", "no%00body"):
                names = {"message_id": "m", "batch_id": "b"}
                path = operation.path.format(customer_id=customer_id, **names)
                status, said = caller("over HTTP", server).send(operation.method, path, b"{}")
                assert (status, json.loads(said)["error"]) == (404, "UnknownAccountError"), path


def test_a_mock_that_is_not_there_is_told() -> None:
    """The sentence names the address and what to do."""
    with pytest.raises(
        ControlError, match=r"no control plane at http://127.0.0.1:9 .*start a mock"
    ):
        RemoteMock("http://127.0.0.1:9").open_account()


def test_something_else_that_answers_is_told(listener: Listener) -> None:
    """An answer that no mock gives is shown with its status."""
    url = listener.open_inbox().url.rpartition("/")[0]
    with pytest.raises(ControlError, match="open_account: HTTP 404, which is no mock's answer"):
        RemoteMock(url).open_account()


def test_a_body_that_is_too_large_is_told() -> None:
    """Beyond the mock's limit for requests it is 413, and no mistake of the mock."""
    from vimmerse_mock.model.limits import Limits

    with MockServer(create_mock(limits=Limits(file=10, request=1_000))) as server:
        status, said = HttpCaller(server.url).send("POST", f"{CONTROL_ROOT}/import", b" " * 2_000)
    assert (status, json.loads(said)["error"]) == (413, "RequestEntityTooLarge")
