"""What becomes of the next batches, decided by the facade, here and elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vimmerse_client import Client, InsufficientCredit
from vimmerse_mock.account.account import Account, RemoteMock
from vimmerse_mock.errors import ScenarioError, UnknownScenarioError
from vimmerse_mock.model.account import Opening
from vimmerse_mock.server import MockServer

IMAGES = ["http://images.example/1.jpg", "http://images.example/2.jpg"]


@pytest.fixture(params=["in process", "over HTTP"])
def mock(request: pytest.FixtureRequest) -> Iterator[MockServer | RemoteMock]:
    """A mock, held both ways."""
    with MockServer() as server:
        mock = RemoteMock(server.url) if request.param == "over HTTP" else server
        yield mock
        if isinstance(mock, RemoteMock):
            mock.close()


@pytest.fixture
def account(mock: MockServer | RemoteMock) -> Account:
    """An account with a clock moved by hand."""
    return mock.open_account(Opening(clock="manual", credits=100))


def ends(account: Account, count: int) -> list[str]:
    """Create batches, and tell how each stands after an hour."""
    with Client(account.key, account.url) as client:
        created = [client.create(IMAGES).id for _ in range(count)]
        account.clock.advance("1h")
        return [client.get(batch_id).status.value for batch_id in created]


def test_an_account_opens_with_a_scenario_by_its_name(mock: MockServer | RemoteMock) -> None:
    """The preset counts from the first batch on; a name that there is not is refused at once."""
    assert ends(mock.open_account(Opening(clock="manual", scenario="fail")), 2) == ["fail", "fail"]
    with pytest.raises(UnknownScenarioError, match="no scenario 'sucess': there are success"):
        Opening(scenario="sucess")


def test_each_of_the_next_batches_takes_one(account: Account) -> None:
    """Names are taken in their order, then the account's scenario counts again."""
    account.next_batch("fail", "stuck", "success")
    assert ends(account, 4) == ["fail", "processing", "success", "success"]


def test_a_batch_can_be_told_in_detail(account: Account) -> None:
    """Queue, processing, failing media and message are as they were said."""
    account.next_batch(queue="2s", processing="40s", fail_medias=[0, 1], message="No luck.")
    with Client(account.key, account.url) as client:
        batch = client.create(IMAGES)
        account.clock.advance("41.9s")
        assert client.get(batch.id).status.value == "processing"
        account.clock.advance("100ms")
        ended = client.get(batch.id)
    assert (ended.status.value, ended.message) == ("fail", "No luck.")


def test_details_change_a_preset(account: Account) -> None:
    """A name with details is that preset but for them."""
    account.next_batch("stuck", stuck_at=7)
    with Client(account.key, account.url) as client:
        batch = client.create(IMAGES)
        account.clock.advance("1h")
        assert client.get(batch.id).progress_percentage == 7


def test_what_no_batch_took_can_be_taken_back(account: Account) -> None:
    """After forgetting, the account's own scenario counts."""
    account.next_batch("fail")
    account.forget_next_batches()
    assert ends(account, 1) == ["success"]


def test_a_refused_batch_takes_none(account: Account) -> None:
    """A creation for want of credit leaves the scenario to the next."""
    account.next_batch("fail")
    with Client(account.key, account.url) as client, pytest.raises(InsufficientCredit):
        client.create(IMAGES, motion_type="Veo", quantity=4)
    assert ends(account, 1) == ["fail"]


def test_what_makes_no_sense_is_refused_and_changes_nothing(account: Account) -> None:
    """An unknown name, a wrong detail, and details for two say what was expected."""
    with pytest.raises(UnknownScenarioError, match="no scenario 'sucess': there are success"):
        account.next_batch("fail", "sucess")
    with pytest.raises(ScenarioError, match=r"queue: .*'soon' is no span"):
        account.next_batch(queue="soon")
    with pytest.raises(ScenarioError, match="details are for one batch"):
        account.next_batch("fail", "stuck", message="Which?")
    assert ends(account, 1) == ["success"]
