"""Accounts as a test holds them: open one, move its clock, read its credits and its outbox."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

from vimmerse_contracts.vocabulary import SAMPLE_API_KEY, SAMPLE_CUSTOMER_ID
from vimmerse_mock.delivery import Courier
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.clock import (
    Clock,
    ClockError,
    from_datetime,
    live,
    manual,
    seconds,
    to_datetime,
)
from vimmerse_mock.model.ledger import LedgerEntry
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.model.scenarios import Scenario, scenario
from vimmerse_mock.stores import DuplicateAccountError

DEFAULT_CREDITS = 100_000
"""Credits that an account starts with where nothing else is said."""

FASTEST = 1_000_000.0
"""A clock that runs faster would soon leave the calendar."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How an account begins; what is empty is made up.

    `speed` is how many times as fast as real time its clock runs; 0 makes a clock that is moved by
    hand. The same `seed` makes the same identifiers for the same calls.
    """

    api_key: str = field(default="", repr=False)
    customer_id: str = ""
    credits: int = DEFAULT_CREDITS
    speed: float = 1.0
    seed: str = ""

    def __post_init__(self) -> None:
        """Refuse a balance that no account has, and a speed that no clock has."""
        if not 0 <= self.speed <= FASTEST:
            raise ValueError(f"a clock runs at 0 to {FASTEST:g} times real time, not {self.speed}")
        if self.credits < 0:
            raise ValueError(f"an account opens with 0 credits or more, not {self.credits}")


SAMPLE_ACCOUNT = Opening(api_key=SAMPLE_API_KEY, customer_id=SAMPLE_CUSTOMER_ID)
"""The account of the reference's samples, so that a pasted sample just works."""


class AccountClock:
    """An account's clock; it moves forward only."""

    def __init__(self, courier: Courier, customer_id: str) -> None:
        self._courier = courier
        self._customer_id = customer_id

    def now(self) -> datetime:
        """Tell the time on this clock, in UTC."""
        clock = self._courier.store.account(self._customer_id).clock
        return to_datetime(clock.at(self._courier.real_time()))

    def advance(self, span: float) -> None:
        """Move forward by seconds; webhooks that fall due are delivered before this returns.

        Each is delivered at its own instant, in order.

        Raises:
            ClockError: the span is negative.
        """
        if span < 0:
            raise ClockError(f"a clock moves forward only, not by {span} seconds")
        self._courier.advance(self._customer_id, from_datetime(self.now()) + seconds(span))

    def move_to(self, moment: datetime) -> None:
        """Move forward to an aware datetime, as `advance` does.

        Raises:
            ClockError: the moment lies in the past.
        """
        if moment < self.now():
            raise ClockError(f"a clock moves forward only: it shows {self.now()}, not {moment}")
        self._courier.advance(self._customer_id, from_datetime(moment))

    def run_at(self, speed: float) -> None:
        """Run this many times as fast as real time from now on; 0 makes it stand still."""
        with self._courier.store.transaction(self._customer_id) as tx:
            clock, real = tx.account.clock, self._courier.real_time()
            if clock.rate != speed:
                tx.save_account(replace(tx.account, clock=Clock(clock.at(real), real, speed)))


class Account:
    """One customer of the fake, apart from all others.

    `url` and `key` are what a client needs.
    """

    def __init__(self, courier: Courier, url: str, state: AccountState) -> None:
        self._courier = courier
        self._store = courier.store
        self.url = url
        self.key = state.api_key
        self.customer_id = state.customer_id
        self.clock = AccountClock(courier, state.customer_id)

    def __repr__(self) -> str:
        return f"<Account {self.customer_id} at {self.url}>"

    @property
    def credits(self) -> int:
        """The credits left: the sum of the ledger."""
        return self._store.balance(self.customer_id)

    @property
    def ledger(self) -> tuple[LedgerEntry, ...]:
        """Where every credit went, oldest entry first."""
        return self._store.ledger(self.customer_id)

    @property
    def outbox(self) -> tuple[Message, ...]:
        """Every webhook that was planned, with its attempts, in the order of planning."""
        return self._store.messages(self.customer_id)

    def use_scenario(self, wanted: str | Scenario) -> None:
        """Decide what becomes of the submissions from now on, by a preset's name or in detail.

        Raises:
            UnknownScenarioError: no preset has that name.
        """
        chosen = scenario(wanted) if isinstance(wanted, str) else wanted
        with self._store.transaction(self.customer_id) as tx:
            tx.save_account(replace(tx.account, scenario=chosen))

    def close(self) -> None:
        """Remove the account and everything of it; closing twice is no error."""
        self._store.remove_account(self.customer_id)


def open_account(courier: Courier, url: str, opening: Opening) -> Account:
    """Open an account and pay its first credits in.

    Raises:
        DuplicateAccountError: its key or customer id is taken.
    """
    real = courier.real_time()
    state = AccountState(
        customer_id=opening.customer_id or str(uuid4()),
        manager_id=str(uuid4()),
        api_key=opening.api_key or f"vk_{secrets.token_hex(16)}",
        clock=live(real, opening.speed) if opening.speed else manual(real),
        seed=opening.seed or secrets.token_hex(8),
    )
    courier.store.add_account(state, opening.credits)
    return Account(courier, url, state)


def ensure_account(courier: Courier, url: str, opening: Opening) -> Account:
    """Open an account; one that the store has already stays as it is, but for its speed.

    Raises:
        DuplicateAccountError: the store has the customer, or the key, but not both together.
    """
    try:
        return open_account(courier, url, opening)
    except DuplicateAccountError as error:
        state = courier.store.account_by_key(opening.api_key)
        if state is None or opening.customer_id not in ("", state.customer_id):
            raise DuplicateAccountError(
                f"the store has customer {opening.customer_id!r} with another key, "
                "or the key with another customer"
            ) from error
        account = Account(courier, url, state)
        account.clock.run_at(opening.speed)
        return account
