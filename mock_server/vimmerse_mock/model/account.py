"""The account: a customer of the fake, and the unit of isolation."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from vimmerse_mock.model.clock import Clock
from vimmerse_mock.model.scenarios import Scenario


@dataclass(frozen=True, slots=True)
class AccountState:
    """What the store keeps of an account; its credits are its ledger's.

    `batches` counts the batches it ever created; with `seed` it decides every identifier, so that
    the same calls on the same seed give the same bytes. `scenario` is what becomes of a submission
    where nothing else is said; the next that generate take the first of `next_scenarios` instead.
    """

    customer_id: str
    manager_id: str
    api_key: str = field(repr=False)
    clock: Clock
    seed: str
    scenario: Scenario = field(default_factory=Scenario)
    batches: int = 0
    next_scenarios: tuple[Scenario, ...] = ()

    def random(self, *purpose: object) -> Random:
        """Make the random source for one purpose, apart from every other's."""
        return Random("/".join(map(str, (self.seed, self.customer_id, *purpose))))  # noqa: S311 - identifiers of a fake, meant to repeat


def random_uuid(random: Random) -> str:
    """Draw a UUID version 4 (O)."""
    return str(UUID(int=random.getrandbits(128), version=4))
