"""Mocks that take credit, or do work, when they should not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pytest

from contracts.broken_mocks.building import BrokenMock, patched, serving
from vimmerse_contracts.vocabulary import RESUBMITTING_FIELDS
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.delivery.planning import plan_webhooks
from vimmerse_mock.errors import InsufficientCreditError
from vimmerse_mock.model.batch import Batch, Image
from vimmerse_mock.model.credits import Reason
from vimmerse_mock.service import BatchService, BatchView, Submitted
from vimmerse_mock.stores import Transaction
from vimmerse_mock.stores.memory import MemoryStore


class _CarelessStore(MemoryStore):
    """Keeps what a refused request wrote."""

    @contextmanager
    def transaction(self, customer_id: str) -> Iterator[Any]:
        refusal: InsufficientCreditError | None = None
        with super().transaction(customer_id) as tx:
            try:
                yield tx
            except InsufficientCreditError as error:
                refusal = error
        if refusal is not None:
            raise refusal


class _PaysLast(BatchService):
    """Writes first, and looks at the balance afterwards."""

    def _submit(self, tx: Transaction, batch: Batch, reason: Reason) -> Submitted:
        tx.save_batch(batch)
        plan_webhooks(tx, batch)
        return super()._submit(tx, batch, reason)


def _written_though_refused(patch: pytest.MonkeyPatch) -> Mock:
    patch.setattr("vimmerse_mock.app.BatchService", _PaysLast)
    return create_mock(store=_CarelessStore())


class _ChargesForRefusals(BatchService):
    """Takes a credit for the trouble of refusing."""

    def create(
        self, customer_id: str, form: Mapping[str, Any], images: Sequence[Image]
    ) -> BatchView:
        if not images:
            with self.store.transaction(customer_id) as tx:
                tx.book(-1, Reason.CREATE, 0)
        return super().create(customer_id, form, images)


class _AlwaysAgain(BatchService):
    """Processes again whatever the update says."""

    def update(self, customer_id: str, batch_id: str, form: Mapping[str, Any]) -> BatchView:
        return super().update(customer_id, batch_id, {"loop": 1, **form})


class _OnlyChanges(BatchService):
    """Processes again only where a value differs from the present one."""

    def update(self, customer_id: str, batch_id: str, form: Mapping[str, Any]) -> BatchView:
        batch = self.store.batch(customer_id, batch_id)
        present = (
            {name: getattr(batch.settings, name) for name in RESUBMITTING_FIELDS} if batch else {}
        )
        changes = {name: value for name, value in form.items() if present.get(name) != value}
        return super().update(customer_id, batch_id, changes)


class _FirstOnePays(BatchService):
    """Charges for the first submission only."""

    def _price(self, batch: Batch) -> int:
        return super()._price(batch) if batch.submission.number == 1 else 0


class _ChargesNothing(BatchService):
    """Takes no credit at all."""

    def _price(self, batch: Batch) -> int:
        del batch
        return 0


MOCKS: Final[Sequence[BrokenMock]] = (
    BrokenMock(
        "nothing is charged",
        "create.charge_at_submission",
        serving(_ChargesNothing),
        "test_create::test_a_creation_is_paid_when_it_is_accepted",
        "assert 100000 > 100000",
    ),
    BrokenMock(
        "nobody is ever too poor",
        "create.credit",
        serving(_ChargesNothing),
        "test_errors::test_a_creation_without_credit_is_refused",
        "expected HTTP 402; saw 200",
    ),
    BrokenMock(
        "a 402 that creates",
        "create.refusal",
        _written_though_refused,
        "test_errors::test_a_refused_creation_is_never_processed",
        "expected 0 webhooks; saw 1",
    ),
    BrokenMock(
        "a 402 that changes",
        "update.refusal",
        _written_though_refused,
        "test_update::test_an_update_without_credit_changes_nothing",
        "the batch as it was",
    ),
    BrokenMock(
        "an update on credit",
        "error.402",
        serving(_FirstOnePays),
        "test_update::test_an_update_without_credit_changes_nothing",
        "expected HTTP 402; saw 200",
    ),
    BrokenMock(
        "a refusal that costs",
        "create.refusal",
        serving(_ChargesForRefusals),
        "test_errors::test_a_refused_creation_takes_no_credit",
        "assert 99999 == 100000",
    ),
    BrokenMock(
        "metadata processes again",
        "update.metadata",
        serving(_AlwaysAgain),
        "test_update::test_metadata_never_processes_again",
        "processing",
    ),
    BrokenMock(
        "the same value does not count",
        "update.same_value",
        serving(_OnlyChanges),
        "test_update::test_the_same_value_again_processes_again",
        "success",
    ),
    BrokenMock(
        "one of the seven is forgotten",
        "update.resubmits",
        patched("vimmerse_mock.service.RESUBMITTING_FIELDS", RESUBMITTING_FIELDS[:-1]),
        "test_update::test_a_resubmitting_field_processes_again",
        "success",
    ),
    BrokenMock(
        "processing again is free",
        "update.resubmits",
        serving(_FirstOnePays),
        "test_update::test_a_resubmitting_field_costs_again",
        "assert 99999 < 99999",
    ),
)
