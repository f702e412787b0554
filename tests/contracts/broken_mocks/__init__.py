"""Mocks that each break one rule of the contract, and the test of the suite that must notice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from contracts.broken_mocks import credits, forms, objects, refusals, timing, webhooks  # noqa: A004 - the field's word
from contracts.broken_mocks.building import BrokenMock

BROKEN_MOCKS: Final[Sequence[BrokenMock]] = (
    *objects.MOCKS,
    *forms.MOCKS,
    *timing.MOCKS,
    *refusals.MOCKS,
    *credits.MOCKS,
    *webhooks.MOCKS,
)

__all__ = ["BROKEN_MOCKS", "BrokenMock"]
