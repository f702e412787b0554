from __future__ import annotations

import pytest

from support.frozen_time import FrozenTime
from vimmerse_contracts.schemas import CreateBatchSchema
from vimmerse_mock.app import create_mock
from vimmerse_mock.errors import RetentionError
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.batch import Image
from vimmerse_mock.model.clock import SECOND
from vimmerse_mock.model.limits import Keep, parse_keep
from vimmerse_mock.stores.retention import Retention


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("", Keep()),
        ("100000", Keep(count=100_000)),
        ("7d", Keep(age=7 * 86_400 * SECOND)),
        ("12h", Keep(age=12 * 3_600 * SECOND)),
        ("30m", Keep(age=1_800 * SECOND)),
        ("90s", Keep(age=90 * SECOND)),
    ],
)
def test_an_age_or_a_number_is_read(text: str, keep: Keep) -> None:
    """The setting is a number of batches, or an age with its unit."""
    assert parse_keep(text) == keep


@pytest.mark.parametrize("text", ["0", "-1", "7w", "d", "0s", "7 d", "all", "\uff17"])
def test_anything_else_is_refused_with_what_is_read(text: str) -> None:
    """A typo is answered with examples."""
    with pytest.raises(RetentionError, match="an age like 7d, 12h30m or 90s nor a number"):
        parse_keep(text)


def test_more_than_one_transaction_can_take_is_forgotten_all_the_same() -> None:
    """Thousands of old batches go in several steps; the newest ones stay."""
    time = FrozenTime()
    mock = create_mock(real_time=time)
    account = mock.open_account("http://mock", Opening())
    form = CreateBatchSchema().load({"duration": "1"})
    for _ in range(1_200):
        mock.service.create(account.customer_id, form, [Image("a")])
    time.pass_seconds(60)
    retention = Retention(mock.courier.store, Keep(count=100), time)
    assert retention.apply() == 1_100
    assert retention.apply() == 0
    assert account.credits == sum(entry.amount for entry in account.ledger) == 98_800


def test_the_dispatcher_forgets_by_itself() -> None:
    """A mock with a limit keeps to it by itself."""
    time = FrozenTime()
    mock = create_mock(real_time=time, keep=Keep(count=1))
    account = mock.open_account("http://mock", Opening())
    form = CreateBatchSchema().load({"duration": "1"})
    for _ in range(3):
        mock.service.create(account.customer_id, form, [Image("a")])
    time.pass_seconds(120)
    mock.dispatcher.start()
    mock.dispatcher.wake()
    mock.dispatcher.stop()
    assert len({entry.batch_id for entry in account.ledger if entry.batch_id}) == 1
