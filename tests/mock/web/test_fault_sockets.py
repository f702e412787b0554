"""Faults over real sockets, on both servers, and what they are without a socket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import local

import pytest
import requests

from support.serving import Serve
from support.waiting import await_condition
from vimmerse_client import Client, TransportError
from vimmerse_contracts.vocabulary import PRODUCTION_URL
from vimmerse_mock.account.account import Account, RemoteMock
from vimmerse_mock.interception import intercept
from vimmerse_mock.model.account import Opening
from vimmerse_mock.server import MockServer

Accounts = MockServer | RemoteMock
PATIENCE = {"late": 0.2}
"""Seconds that a client waits for an answer, where it is to give up."""
FORM = {"image_urls": ["http://images.example/1.jpg"], "title": "Long " * 50}
Plan = Callable[[Account], None]

BROKEN: dict[str, tuple[Plan, type[Exception], int]] = {
    "reset": (lambda a: a.faults.reset(), requests.ConnectionError, 0),
    "reset midway": (
        lambda a: a.faults.reset(midway=True),
        requests.exceptions.ChunkedEncodingError,
        1,
    ),
    "truncate": (lambda a: a.faults.truncate(), requests.exceptions.ChunkedEncodingError, 1),
    "lost": (lambda a: a.faults.lose_answer(), requests.ConnectionError, 1),
    "late": (lambda a: a.faults.latency("1m"), requests.ReadTimeout, 1),
}
"""How to plan a fault, what `requests` raises, and how many batches there are afterwards."""

_HALF = r"IncompleteRead\([1-9]\d+ bytes read, [1-9]\d+ more expected"
_every_broken = pytest.mark.parametrize("name", BROKEN)


class ServedMock(RemoteMock):
    """The process of `vimmerse-mock serve`, and how many descriptors it has open."""

    def __init__(self, serve: Serve) -> None:
        super().__init__(serve.await_url())
        self._process = serve.process

    @property
    def descriptors(self) -> int:
        """Count what it has open."""
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))


@contextmanager
def served(host: str, folder: Path) -> Iterator[ServedMock]:
    """Run a mock in a process of its own."""
    with Serve(folder, "--host", host) as serve, closing(ServedMock(serve)) as mock:
        yield mock


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedMock]:
    """A mock in a process."""
    with served("127.0.0.1", tmp_path_factory.mktemp("process")) as mock:
        yield mock


@pytest.fixture(scope="module")
def process_over_ipv6(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedMock]:
    """A mock in a process, on the loopback of IPv6."""
    with served("::1", tmp_path_factory.mktemp("process")) as mock:
        yield mock


@pytest.fixture(scope="module")
def thread() -> Iterator[MockServer]:
    """A mock in a thread."""
    with MockServer() as server:
        yield server


@pytest.fixture(params=["thread", "process", "process_over_ipv6"])
def accounts(request: pytest.FixtureRequest) -> Accounts:
    """Every server."""
    mock: Accounts = request.getfixturevalue(request.param)
    return mock


@pytest.fixture
def account(accounts: Accounts) -> Iterator[Account]:
    """An account on either server."""
    opened = accounts.open_account(Opening(clock="manual"))
    yield opened
    opened.close()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session that keeps its connections."""
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


def create(session: requests.Session, account: Account, patience: float = 60) -> requests.Response:
    """Create a batch, and wait so many seconds for each part of the answer."""
    headers = {"X-Api-Key": account.key}
    return session.post(f"{account.url}/batch", headers=headers, data=FORM, timeout=(60, patience))


@_every_broken
def test_a_broken_answer_is_what_a_broken_network_is(
    account: Account, session: requests.Session, name: str
) -> None:
    """Each fault is the exception that it should be, has its effects or not, and goes once."""
    plan, raised, made = BROKEN[name]
    create(session, account)  # the connection is one that has been used before
    plan(account)
    with pytest.raises(raised):
        create(session, account, PATIENCE.get(name, 60))
    await_condition(lambda: len(account.batches) == 1 + made, "it was carried out, or not")
    assert create(session, account).status_code == 200
    assert [fault.fired for fault in account.faults.planned] == [1]


@_every_broken
def test_without_a_socket_the_same_is_raised(name: str) -> None:
    """In `intercept()` requests raises what it raises over a socket, with the same effects."""
    plan, raised, made = BROKEN[name]
    with intercept() as intercepted, requests.Session() as session:
        plan(intercepted.account)
        with pytest.raises(raised) as caught:
            create(session, intercepted.account, PATIENCE.get(name, 60))
        assert caught.type is raised
        assert len(intercepted.account.batches) == made
        assert create(session, intercepted.account).status_code == 200
        assert intercepted.account.url == PRODUCTION_URL


def test_a_reset_is_one_at_the_socket(account: Account, session: requests.Session) -> None:
    """The client's kernel says 'connection reset by peer', not 'closed'."""
    account.faults.reset()
    with pytest.raises(requests.ConnectionError, match="Connection reset by peer"):
        create(session, account)
    account.faults.reset(midway=True)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="Connection reset by peer"):
        create(session, account)


def test_a_truncated_body_is_told_by_its_length(
    account: Account, session: requests.Session
) -> None:
    """About half of the body arrives of what Content-Length said."""
    account.faults.truncate()
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match=_HALF):
        create(session, account)


def test_a_dripping_answer_arrives_whole(account: Account, session: requests.Session) -> None:
    """Sent in pieces of 64 bytes, the answer is the same in the end, and took its time."""
    account.faults.drip("5ms")
    answer = create(session, account)
    assert answer.json()["data"]["status"] == "processing"
    (exchange,) = account.journal.requests()
    assert exchange.fault.startswith("drip")


def test_an_answer_that_is_only_late_arrives(account: Account, session: requests.Session) -> None:
    """A latency within the client's patience delays the answer by as much, in real time."""
    account.faults.latency("200ms", "250ms")
    answer = create(session, account)
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.2


def test_answers_out_of_turn(account: Account, session: requests.Session) -> None:
    """A status with headers, a proxy's page, and a body that is no JSON come as planned."""
    account.faults.status(429, headers={"Retry-After": "3"})
    account.faults.status(402)
    account.faults.status(503, body='{"message": "NAP"}')
    account.faults.html()
    account.faults.not_json()
    busy, poor, nap, page, garbled = (create(session, account) for _ in range(5))
    assert (busy.status_code, busy.headers["Retry-After"]) == (429, "3")
    assert busy.json() == {"message": "TOO_MANY_REQUESTS"}
    assert (poor.status_code, poor.json()) == (402, {"message": "INSUFFICIENT_CREDIT"})
    assert (nap.status_code, nap.json()) == (503, {"message": "NAP"})
    assert (page.status_code, page.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    assert (garbled.status_code, garbled.headers["Content-Type"]) == (200, "application/json")
    with pytest.raises(requests.JSONDecodeError):
        garbled.json()
    assert len(account.batches) == 1


def test_a_lost_answer_is_not_asked_for_twice(account: Account) -> None:
    """The reference client does not send a creation again: one batch, one charge."""
    account.faults.lose_answer(operation="create_batch")
    with Client(account.key, account.url) as client, pytest.raises(TransportError) as caught:
        client.create(["http://images.example/1.jpg"])
    assert caught.value.may_have_arrived
    assert [entry.amount for entry in account.ledger] == [100_000, -5]
    (exchange,) = account.journal.requests(operation="create_batch")
    assert (exchange.status, exchange.fault) == (0, "lost, call 1 of create_batch")
    assert "no whole answer" in account.story()


def test_only_the_connection_that_is_meant_is_broken(accounts: Accounts) -> None:
    """Of many requests at once, exactly those that met a fault break, and nothing stays open."""
    faulty = accounts.open_account(Opening(clock="manual"))
    sound = accounts.open_account(Opening(clock="manual"))
    faulty.faults.reset(times=None, operation="get_batch")
    here = local()

    def ask(number: int) -> tuple[bool, str]:
        if not hasattr(here, "session"):
            here.session = requests.Session()
        account = (sound, sound, faulty)[number % 3]
        where = f"{account.url}/batch/00000000-0000-4000-8000-000000000000"
        try:
            answer = here.session.get(where, headers={"X-Api-Key": account.key}, timeout=60)
        except requests.ConnectionError as error:
            return account is faulty, "reset" if "reset by peer" in str(error) else "broken"
        except requests.exceptions.ChunkedEncodingError:
            return account is faulty, "broken"
        return account is faulty, str(answer.status_code)

    with ThreadPoolExecutor(8) as pool:
        seen = Counter(pool.map(ask, range(300)))
    assert seen == {(False, "404"): 200, (True, "reset"): 100}


def test_every_planned_break_is_carried_out_under_load(accounts: Accounts) -> None:
    """Of 300 breaks in four ways, planned for 300 of 320 requests at once, none is left out."""
    account = accounts.open_account(Opening(clock="manual"))
    account.faults.reset(nth=1, times=75)
    account.faults.lose_answer(nth=76, times=75)
    account.faults.reset(nth=151, times=75, midway=True)
    account.faults.truncate(nth=226, times=75)
    here = local()

    def ask(_number: int) -> str:
        if not hasattr(here, "session"):
            here.session = requests.Session()
        try:
            return str(create(here.session, account).status_code)
        except requests.ConnectionError as error:
            return "reset" if "reset by peer" in str(error) else repr(error)
        except requests.exceptions.ChunkedEncodingError as error:
            return "reset midway" if "reset by peer" in str(error) else "truncated"

    with ThreadPoolExecutor(16) as pool:
        seen = Counter(pool.map(ask, range(320)))
    assert seen == {"reset": 150, "reset midway": 75, "truncated": 75, "200": 20}
    assert [fault.fired for fault in account.faults.planned] == [75] * 4
    assert len(account.batches) == 320 - 75


def test_a_process_has_no_more_open_after_breaking_than_before(process: ServedMock) -> None:
    """Broken connections leave no descriptor behind."""
    account = process.open_account(Opening(clock="manual"))
    account.faults.reset(times=None, operation="create_batch")
    with requests.Session() as session:
        for _ in range(5):
            with pytest.raises(requests.ConnectionError):
                create(session, account)
        before = process.descriptors
        for _ in range(50):
            with pytest.raises(requests.ConnectionError):
                create(session, account)
    await_condition(lambda: process.descriptors <= before + 2, "nothing is left open")


def test_where_there_is_no_connection_the_fault_says_so(thread: MockServer) -> None:
    """A caller without a socket is told that the fault could not be had."""
    account = thread.open_account(Opening(clock="manual"))
    account.faults.reset()
    app = thread.mock.app.test_client()
    answer = app.get(
        "/batch/00000000-0000-4000-8000-000000000000", headers={"X-Api-Key": account.key}
    )
    assert answer.status_code == 500
    assert "needs `serve`, MockServer" in answer.get_json()["message"]
