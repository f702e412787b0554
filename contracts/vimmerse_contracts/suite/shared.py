"""Batches that several tests look at, made once in a run: on a live service each costs a wait."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Final

import pytest

from vimmerse_contracts.checks import Batch
from vimmerse_contracts.runs.prices import CONCATENATION, Form, Once, OneOf, again, creation
from vimmerse_contracts.runs.spending import Budget
from vimmerse_contracts.suite.api import IMAGE_URL, TINY, Api, is_done

ALL_SET: Final[Form] = MappingProxyType(
    {
        "image_urls": [IMAGE_URL],
        "prompt": "A quiet sea",
        "motion_type": "Auto",
        "quantity": 1,
        "duration": 1,
        "loop": 1,
        "aspect_ratio": "16:9",
        "sound_effects": "No",
    }
)
"""A batch in which each field that resubmits has a value of its own."""


OTHER_VALUES: Final[Mapping[str, str | int]] = MappingProxyType(
    {
        "prompt": "A stormy sea",
        "motion_type": "Wan",
        "quantity": 2,
        "duration": 2,
        "loop": 2,
        "aspect_ratio": "1:1",
        "sound_effects": "Yes",
    }
)
"""For each field that resubmits, a value other than that of `ALL_SET`."""

_THREE: Final[Form] = MappingProxyType(
    {"image_urls": [IMAGE_URL, IMAGE_URL.replace("1.jpg", "2.jpg"), IMAGE_URL], "duration": 1}
)
_TWO: Final[Form] = MappingProxyType({"image_urls": [IMAGE_URL] * 2, "duration": 1})

COURSE: Final = Once("course", (creation(_THREE),))
FINISHED: Final = Once("finished", (creation(TINY),))
CONCATENATED: Final = Once("concatenated", (creation(_TWO), CONCATENATION))
BROKE_BATCH: Final = Once("broke_batch", (creation(TINY),))
CHANGEABLE: Final = Once("changeable", (creation(ALL_SET),))
SETTLED: Final = Once("settled", (creation(ALL_SET),))
CHANGE: Final = OneOf(
    (
        again(creation(ALL_SET), OTHER_VALUES),
        again(creation(ALL_SET), {**OTHER_VALUES, "motion_type": "Auto"}),
    )
)
"""What a change of the changeable batch costs at most, whatever was changed before."""


class Shared:
    """What the tests of a run share; each is made when a test first asks for it."""

    def __init__(self, api: Api, budget: Budget | None = None) -> None:
        self._api = api
        self._budget = budget
        self._made: dict[str, str] = {}

    @cached_property
    def course(self) -> tuple[Batch, ...]:
        """Every reading of a batch of three images, from its creation to its end."""
        return tuple(self._api.course(_THREE))

    @cached_property
    def finished(self) -> Batch:
        """A finished batch, of which nothing but metadata is ever changed."""
        return self._api.course(TINY)[-1]

    @cached_property
    def concatenated(self) -> tuple[Batch, ...]:
        """A finished batch, the answer to its concat, and every reading until that ends."""
        before = self._api.course(_TWO)[-1]
        answer = self._api.concatenated(before["id"])
        return (before, answer, *self._api.watch(before["id"]))

    @cached_property
    def broke_batch(self) -> str:
        """The id of a finished batch of the customer whose credit does not suffice for another.

        It is bought with the customer's last credit; a test that needs it is skipped where there
        is not even that.
        """
        target = self._api.target
        with Api(target, target.broke_api_key, self._budget, has_credit=False) as broke:
            answer = broke.create(TINY)
            if not answer.ok:
                pytest.skip(
                    "not run, because the key without credit cannot pay for one batch either"
                )
            batch_id: str = answer.json()["data"]["id"]
            broke.watch(batch_id)
        return batch_id

    def changeable(self) -> Batch:
        """Return a batch that is done, to be processed again with other settings."""
        return self._done("changeable")

    def settled(self) -> Batch:
        """Return a batch that is done, with the settings of `ALL_SET`, which no test changes."""
        return self._done("settled")

    def _done(self, name: str) -> Batch:
        if name not in self._made:
            self._made[name] = self._api.created(ALL_SET)["id"]
        batch = self._api.seen(self._made[name])
        return batch if is_done(batch) else self._api.watch(batch["id"])[-1]
