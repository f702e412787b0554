"""The account: a customer of the fake, and the unit of isolation."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random
from typing import Annotated, Final, Literal, get_args
from uuid import UUID

from vimmerse_contracts.vocabulary import SAMPLE_API_KEY, SAMPLE_CUSTOMER_ID
from vimmerse_mock.errors import InvalidRequestError, OpeningError
from vimmerse_mock.model.bounds import COUNT, CREDITS, NAME, PLANNED, is_writable, quoted
from vimmerse_mock.model.clock import Clock, ClockMode, ClockSetting
from vimmerse_mock.model.faults import Fault
from vimmerse_mock.model.limits import Throttle
from vimmerse_mock.model.scenarios import Scenario, read_scenario
from vimmerse_mock.model.webhook_settings import WebhookSettings

Permission = Literal["full", "read_only", "revoked"]
"""What a key may do."""
PERMISSIONS: Final[tuple[Permission, ...]] = get_args(Permission)
DEFAULT_CREDITS: Final = 100_000
"""Credits that an account starts with where nothing else is said."""
_KEY: Final = re.compile(r"[!-~]*")
_NO_CUSTOMER_ID: Final = re.compile(r"\.\.?|.*[\s/].*", re.DOTALL)


def require_usable(api_key: str, customer_id: str) -> None:
    """Refuse a key that no header can carry, and a customer id that no URL can.

    Raises:
        OpeningError: it says which, and what is possible.
    """
    if not _KEY.fullmatch(api_key) or api_key not in NAME:
        raise OpeningError(f"an api_key has {NAME} visible ASCII characters, no spaces")
    if _NO_CUSTOMER_ID.fullmatch(customer_id) or not customer_id.isprintable():
        raise OpeningError(
            "a customer_id is part of URLs: printable, no spaces and no slashes, unlike "
            f"{quoted(customer_id)}"
        )
    if customer_id not in NAME:
        raise OpeningError(f"a customer_id has {NAME} characters, not {len(customer_id)}")


@dataclass(frozen=True, slots=True)
class Opening:
    """What an account starts with.

    Args:
        api_key: The key of its requests; generated if empty.
        customer_id: The id of the customer; generated if empty.
        credits: The balance.
        clock: What moves time: "live" is real time, `speed` times as fast; "manual" stands still
            until a test advances it; "stepping" moves by `step` at every read of an unfinished
            batch.
        speed: The speed of a live clock; 60 is sixty times as fast as real time.
        step: The step of a stepping clock, as `2s` or a number of seconds.
        seed: The same calls on the same seed and customer id get the same identifiers; generated
            if empty.
        scenario: What happens to the batches of the account: a preset's name, or details.
        strict: Refuse forms with fields that the API does not know.
        why: Say in a header of each refusal why it is one.
        permission: What its key may do: everything ("full"), only read ("read_only"), or nothing
            any more ("revoked"); the rest is answered with 403.

    Raises:
        OpeningError: The credits are negative, or the key or customer id is unusable.
        ClockError: The speed or the step does not fit the clock.
        SpanError: The step is not a span of time.
        UnknownScenarioError: No preset has the scenario's name.
    """

    api_key: str = field(default="", repr=False)
    customer_id: str = ""
    credits: Annotated[int, CREDITS] = DEFAULT_CREDITS
    clock: ClockMode = "live"
    speed: float = 1.0
    step: str | float = 1.0
    seed: str = ""
    scenario: str | Scenario = field(default_factory=Scenario)
    strict: bool = False
    why: bool = True
    permission: Permission = "full"

    def __post_init__(self) -> None:
        """Refuse a balance that no account has, a clock that there is not, and unusable names."""
        if self.credits not in CREDITS:
            raise OpeningError(
                f"an account starts with {CREDITS} credits, not {quoted(self.credits)}"
            )
        if self.permission not in PERMISSIONS:
            raise OpeningError(
                f"a key's permission is {', '.join(PERMISSIONS)}, not {quoted(self.permission)}"
            )
        require_usable(self.api_key, self.customer_id)
        if self.seed not in NAME or not is_writable(self.seed):
            raise OpeningError(f"a seed is a text of {NAME} characters, not {quoted(self.seed)}")
        _ = self.clock_setting, self.first_scenario

    @property
    def clock_setting(self) -> ClockSetting:
        """What is to move the clock."""
        return ClockSetting(self.clock, self.speed, self.step)

    @property
    def first_scenario(self) -> Scenario:
        """What happens to batches until a test says otherwise."""
        return read_scenario(self.scenario)


SAMPLE_ACCOUNT: Final = Opening(api_key=SAMPLE_API_KEY, customer_id=SAMPLE_CUSTOMER_ID)
"""The account of the reference's samples, so that a pasted sample just works."""


@dataclass(frozen=True, slots=True)
class AccountState:
    """What the store keeps of an account; its credits are its ledger's.

    `batches` counts the batches it ever created; with `seed` it decides every identifier, so that
    the same calls on the same seed give the same bytes. `scenario` is what becomes of a submission
    where nothing else is said; the next that generate take the first of `next_scenarios` instead.
    """

    customer_id: str
    manager_id: Annotated[str, NAME]
    api_key: str = field(repr=False)
    clock: Clock
    seed: Annotated[str, NAME]
    scenario: Scenario = field(default_factory=Scenario)
    batches: Annotated[int, COUNT] = 0
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)
    faults: tuple[Fault, ...] = ()
    throttle: Throttle = field(default_factory=Throttle)
    next_scenarios: tuple[Scenario, ...] = ()
    strict: bool = False
    why: bool = True
    permission: Permission = "full"

    def __post_init__(self) -> None:
        """Refuse more than an account has waiting."""
        for waiting in (self.faults, self.next_scenarios, self.webhooks.next_plans):
            if waiting not in PLANNED:
                raise InvalidRequestError(
                    f"of faults, scenarios and delivery plans an account has {PLANNED} each "
                    f"waiting, not {len(waiting)}: clear those that are no longer wanted"
                )

    def random(self, *purpose: object) -> Random:
        """Return a random source for one purpose; it draws the same for the same seed."""
        return Random("/".join(map(str, (self.seed, self.customer_id, *purpose))))  # noqa: S311 - identifiers of a fake, meant to repeat


def random_uuid(random: Random) -> str:
    """Draw a UUID version 4 (O)."""
    return str(UUID(int=random.getrandbits(128), version=4))
