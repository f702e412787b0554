"""What the tests of the videos share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from vimmerse_mock.app import Mock
from vimmerse_mock.model.account import SAMPLE_ACCOUNT
from vimmerse_mock.model.batch import Batch, Image

MakeBatch = Callable[..., Batch]


@pytest.fixture
def make_batch(mock: Mock, form: Callable[..., dict[str, Any]]) -> MakeBatch:
    """Create a batch of so many images, with the given fields of the form."""
    customer_id = mock.accounts.open(SAMPLE_ACCOUNT).customer_id

    def make(images: int, **fields: str) -> Batch:
        named = [Image(f"{i}.png", "png", 100) for i in range(images)]
        return mock.service.create(customer_id, form(**fields), named).batch

    return make
