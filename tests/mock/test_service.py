from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.frozen_time import FrozenTime
from vimmerse_contracts.vocabulary import RESUBMITTING_FIELDS, BatchStatus
from vimmerse_mock.account.account import Account
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.errors import (
    BatchNotFoundError,
    InsufficientCreditError,
    InvalidBatchIdError,
    NoImagesError,
    NotConcatenableError,
)
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.batch import Image
from vimmerse_mock.model.credits import PriceList, Reason
from vimmerse_mock.model.outbox import MessageState
from vimmerse_mock.model.scenarios import Scenario

Form = Callable[..., dict[str, Any]]
HOOK = "http://127.0.0.1:9/hook"


@pytest.fixture
def account(mock: Mock) -> Account:
    """An account with 100 credits and a manual clock."""
    return mock.open_account("http://mock", Opening(credits=100, clock="manual", seed="s"))


def test_a_creation_costs_seconds_by_quantity_by_images_by_motion_type(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """Two images of KlingAI, three seconds, quantity four: 2 x 3 x 4 x 2 credits."""
    wanted = form(motion_type="KlingAI", duration="3", quantity="4")
    batch = mock.service.create(account.customer_id, wanted, images[:2]).batch
    entry = account.ledger[-1]
    assert (entry.amount, entry.reason) == (-48, Reason.CREATE)
    assert (entry.batch_id, entry.submission, entry.balance) == (batch.id, 1, 52)


def test_a_creation_without_credit_changes_nothing_at_all(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """402 leaves no batch, no entry and no webhook, and the next ids are as if never asked."""
    before = mock.courier.store.account(account.customer_id)
    with pytest.raises(InsufficientCreditError):
        mock.service.create(
            account.customer_id, form(duration="10", quantity="4", webhook_url=HOOK), images
        )
    assert mock.courier.store.account(account.customer_id) == before
    assert [entry.reason for entry in account.ledger] == [Reason.OPENING]
    assert account.outbox == ()


def test_a_batch_needs_images(mock: Mock, account: Account, form: Form) -> None:
    """Without an image nothing is created and nothing is paid."""
    with pytest.raises(NoImagesError):
        mock.service.create(account.customer_id, form(), [])
    assert account.credits == 100


@pytest.mark.parametrize("field", RESUBMITTING_FIELDS)
def test_each_resubmitting_field_starts_again_and_pays_again(
    mock: Mock, account: Account, form: Form, images: list[Image], field: str
) -> None:
    """The same value again counts too."""
    wanted = form(prompt="sea", aspect_ratio="9:16")
    batch = mock.service.create(account.customer_id, wanted, images[:1]).batch
    account.clock.advance(60)
    view = mock.service.update(account.customer_id, batch.id, {field: wanted[field]})
    assert (view.seen.status, view.seen.progress) == (BatchStatus.PROCESSING, 0)
    assert (account.ledger[-1].reason, account.ledger[-1].amount) == (Reason.RESUBMIT, -5)
    assert view.batch.submission.number == 2


def test_metadata_alone_never_pays_nor_starts_again(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """Title, description, rating, visibility and webhook_url leave the submission as it is."""
    batch = mock.service.create(account.customer_id, form(), images[:1]).batch
    account.clock.advance(60)
    changes = {
        "title": "T",
        "description": "D",
        "rating": "5",
        "visibility_status": "2",
        "webhook_url": HOOK,
    }
    view = mock.service.update(account.customer_id, batch.id, changes)
    assert view.seen.status is BatchStatus.SUCCESS
    assert (view.batch.title, view.batch.rating) == ("T", "5")
    assert len(account.ledger) == 2
    assert account.outbox == ()


def test_an_update_without_credit_leaves_everything_as_it_was(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """Not even the title of a refused update is kept."""
    batch = mock.service.create(account.customer_id, form(webhook_url=HOOK), images).batch
    outbox = account.outbox
    with pytest.raises(InsufficientCreditError):
        mock.service.update(
            account.customer_id, batch.id, {"title": "T", "duration": 10, "quantity": 4}
        )
    assert mock.courier.store.batch(account.customer_id, batch.id) == batch
    assert account.outbox == outbox
    assert len(account.ledger) == 2


def test_an_update_while_it_processes_withdraws_the_old_webhook(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """The superseded submission's webhook is taken back, and the new one's planned."""
    batch = mock.service.create(account.customer_id, form(webhook_url=HOOK), images[:1]).batch
    account.clock.advance(1)
    mock.service.update(account.customer_id, batch.id, {"prompt": "sea"})
    assert [(m.submission, m.state) for m in account.outbox] == [
        (1, MessageState.WITHDRAWN),
        (2, MessageState.PENDING),
    ]


def test_the_webhook_url_of_a_running_submission_can_still_change(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """A webhook_url given while the batch processes is the one that will be called, once."""
    batch = mock.service.create(account.customer_id, form(webhook_url=HOOK), images[:1]).batch
    mock.service.update(account.customer_id, batch.id, {"webhook_url": HOOK + "/2"})
    assert [(m.submission, m.url) for m in account.outbox] == [(1, HOOK + "/2")]


def test_a_batch_that_processes_cannot_be_composed(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """Composing too early is refused, and changes nothing."""
    batch = mock.service.create(account.customer_id, form(), images[:1]).batch
    with pytest.raises(NotConcatenableError):
        mock.service.concat(account.customer_id, batch.id)
    assert mock.courier.store.batch(account.customer_id, batch.id) == batch


def test_a_failed_batch_cannot_be_composed(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """With nothing finished there is nothing to concat."""
    account.use_scenario("fail")
    batch = mock.service.create(account.customer_id, form(), images[:2]).batch
    account.clock.advance(60)
    with pytest.raises(NotConcatenableError):
        mock.service.concat(account.customer_id, batch.id)


def test_a_concat_processes_and_then_has_a_new_video(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """It keeps the finished and the failed media, and costs nothing by default."""
    account.use_scenario(Scenario(fail_medias=(1,)))
    batch = mock.service.create(account.customer_id, form(), images[:2]).batch
    account.clock.advance(60)
    seen = mock.service.concat(account.customer_id, batch.id).seen
    assert (seen.status, seen.composed) == (BatchStatus.PROCESSING, False)
    assert (seen.finished, seen.failed) == ((0,), (1,))
    account.clock.advance(60)
    state = mock.courier.store.account(account.customer_id)
    assert mock.service.read(state, batch.id).seen.composed
    assert len(account.ledger) == 2


def test_a_concat_has_a_price_of_its_own(
    frozen_time: FrozenTime, form: Form, images: list[Image]
) -> None:
    """Where a price is set, composing charges it."""
    mock = create_mock(prices=PriceList(concat=7), real_time=frozen_time)
    account = mock.open_account("http://mock", Opening(credits=100, clock="manual"))
    batch = mock.service.create(account.customer_id, form(), images[:1]).batch
    account.clock.advance(60)
    mock.service.concat(account.customer_id, batch.id)
    assert (account.ledger[-1].reason, account.ledger[-1].amount) == (Reason.CONCAT, -7)


def test_changing_the_scenario_changes_no_batch_that_exists(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """The scenario is copied into the submission."""
    batch = mock.service.create(account.customer_id, form(), images[:1]).batch
    account.use_scenario("fail")
    account.clock.advance(60)
    state = mock.courier.store.account(account.customer_id)
    assert mock.service.read(state, batch.id).seen.status is BatchStatus.SUCCESS


@pytest.mark.parametrize(
    "batch_id",
    [
        "",
        "1",
        "not-a-uuid",
        "g" * 32,
        "\N{FULLWIDTH DIGIT ONE}" * 32,
        "1_0" * 10 + "11",
        " " * 30 + "11",
        "x" * 40_000,
        "-" * 33,
    ],
)
def test_an_id_that_is_no_uuid_is_told_from_one_that_is_unknown(
    mock: Mock, account: Account, batch_id: str
) -> None:
    """An invalid id and an unknown batch are different errors."""
    state = mock.courier.store.account(account.customer_id)
    with pytest.raises(InvalidBatchIdError):
        mock.service.read(state, batch_id)
    with pytest.raises(BatchNotFoundError):
        mock.service.read(state, "00000000-0000-4000-8000-000000000000")


def test_the_same_seed_and_calls_give_the_same_ids(
    frozen_time: FrozenTime, form: Form, images: list[Image]
) -> None:
    """Two mocks with one seed make the same batches; another seed makes others."""

    def ids(seed: str) -> list[str]:
        mock = create_mock(real_time=frozen_time)
        account = mock.open_account("http://mock", Opening(customer_id="c", seed=seed))
        views = [mock.service.create(account.customer_id, form(), images) for _ in range(2)]
        return [media.id for view in views for media in view.batch.medias]

    assert ids("one") == ids("one")
    assert set(ids("one")).isdisjoint(ids("two"))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["create", "update", "concat", "advance"]),
            st.integers(0, 3),
            st.integers(1, 10),
        ),
        max_size=25,
    )
)
def test_the_balance_is_always_the_sum_of_the_ledger(steps: list[tuple[str, int, int]]) -> None:
    """Whatever is asked, credits are the sum of the entries, never negative, each for a batch."""
    mock = create_mock(real_time=FrozenTime())
    account = mock.open_account("http://mock", Opening(credits=60, clock="manual"))
    batches: list[str] = []
    for step, which, duration in steps:
        _take(mock, account, batches, step, which, duration)
        assert account.credits == sum(entry.amount for entry in account.ledger) >= 0
    paid = {entry.batch_id for entry in account.ledger if entry.amount < 0}
    assert paid == set(batches)


def _take(
    mock: Mock, account: Account, batches: list[str], step: str, which: int, duration: int
) -> None:
    customer = account.customer_id
    base = {"title": "", "description": "", "visibility_status": "1", "is_highlights": ""}
    how = {
        "motion_type": "Auto",
        "prompt": "",
        "quantity": 1,
        "loop": 1,
        "aspect_ratio": None,
        "sound_effects": "No",
        "motion_range": 5,
        "is_transition": False,
        "webhook_url": None,
    }
    batch_id = batches[which % len(batches)] if batches else ""
    try:
        if step == "create":
            view = mock.service.create(
                customer, {**base, **how, "duration": duration}, [Image("a")]
            )
            batches.append(view.batch.id)
        elif step == "advance":
            account.clock.advance(duration)
        elif batch_id and step == "update":
            mock.service.update(customer, batch_id, {"duration": duration})
        elif batch_id:
            mock.service.concat(customer, batch_id)
    except (InsufficientCreditError, NotConcatenableError):
        pass


def test_concurrent_creations_never_spend_the_same_credit(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """Of eighty concurrent creations at 5 credits, twenty find credit; the others do nothing."""
    barrier, refused, created = Barrier(8), [], []

    def create_ten() -> None:
        barrier.wait()
        for _ in range(10):
            try:
                created.append(mock.service.create(account.customer_id, form(), images[:1]))
            except InsufficientCreditError as error:
                refused.append(error)

    threads = [Thread(target=create_ten) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(created), len(refused)) == (20, 60)
    assert account.credits == sum(entry.amount for entry in account.ledger) == 0
    assert len({view.batch.id for view in created}) == 20


def test_an_opening_without_credits_books_nothing(mock: Mock) -> None:
    """An account that opens with nothing has an empty ledger."""
    broke = mock.open_account("http://mock", Opening(credits=0))
    assert (broke.credits, broke.ledger) == (0, ())


def test_an_opening_refuses_a_debt() -> None:
    """A negative balance is refused in words."""
    with pytest.raises(ValueError, match=r"starts with 0 to .* credits, not -1"):
        replace(Opening(), credits=-1)
