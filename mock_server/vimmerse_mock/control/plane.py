"""The use cases of the control plane: accounts, clocks, credits, stories. Knows no HTTP."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import uuid4

from vimmerse_mock.delivery import Courier
from vimmerse_mock.errors import ClockError, CreditError, DuplicateAccountError, UnknownAccountError
from vimmerse_mock.model import story
from vimmerse_mock.model.account import AccountState, Opening, random_uuid
from vimmerse_mock.model.clock import LAST, Clock, ClockSetting, Instant, Span, to_datetime
from vimmerse_mock.model.credits import LedgerEntry, Reason
from vimmerse_mock.model.delivery_plans import WebhookSettings
from vimmerse_mock.model.exchange import Exchange
from vimmerse_mock.model.faults import Fault
from vimmerse_mock.model.outbox import MessageState
from vimmerse_mock.model.scenarios import Scenario
from vimmerse_mock.model.snapshot import Snapshot
from vimmerse_mock.model.story import Event
from vimmerse_mock.stores import Store, opened
from vimmerse_mock.stores.conflicts import retried

LARGEST_CREDIT: Final = 10**15
"""The most credits that are paid in at once."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of moving a clock: the instant that it shows now, and what happened on the way."""

    now: Instant
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """What can be done with accounts. `wake` is called when a webhook may fall due sooner."""

    courier: Courier
    wake: Callable[[], None] = lambda: None

    @property
    def store(self) -> Store:
        """Where the accounts are kept."""
        return self.courier.store

    def open(self, opening: Opening) -> AccountState:
        """Open an account and pay its first credits in.

        Raises:
            DuplicateAccountError: its key or customer id is taken.
        """
        state = _opened(opening, self.courier.real_time())
        self.store.add(opened(state, opening.credits))
        return state

    def ensure(self, opening: Opening) -> AccountState:
        """Open an account; one that the store has already stays, but for its speed and scenario.

        Raises:
            DuplicateAccountError: the store has the customer, or the key, but not both together.
        """
        try:
            return self.open(opening)
        except DuplicateAccountError as error:
            state = self.store.account_by_key(opening.api_key)
            if state is None or opening.customer_id not in ("", state.customer_id):
                raise DuplicateAccountError(
                    f"the store has customer {opening.customer_id!r} with another key, "
                    "or the key with another customer"
                ) from error
        self.set_clock(state.customer_id, opening.clock_setting)
        return self.use_scenario(state.customer_id, opening.scenario)

    def accounts(self) -> Iterator[AccountState]:
        """Yield every account; one that is removed meanwhile is left out."""
        for customer_id in self.store.customers():
            try:
                yield self.store.account(customer_id)
            except UnknownAccountError:
                continue

    def remove(self, customer_id: str) -> None:
        """Remove an account and everything of it.

        Raises:
            UnknownAccountError: there is none.
        """
        self.store.account(customer_id)
        self.store.remove_account(customer_id)

    @retried
    def pay_in(self, customer_id: str, amount: int) -> LedgerEntry:
        """Add credits to an account.

        Raises:
            CreditError: the amount is no number from 1 on.
            UnknownAccountError: there is no such account.
        """
        if not 1 <= amount <= LARGEST_CREDIT:
            raise CreditError(
                f"credits are paid in, 1 to {LARGEST_CREDIT:,} at once, not {amount}: only "
                "batches take them out"
            )
        with self.store.transaction(customer_id) as tx:
            return tx.book(amount, Reason.TOP_UP, tx.account.clock.at(self.courier.real_time()))

    @retried
    def change(
        self, customer_id: str, change: Callable[[AccountState], AccountState]
    ) -> AccountState:
        """Replace settings of an account.

        Raises:
            UnknownAccountError: there is no such account.
        """
        with self.store.transaction(customer_id) as tx:
            changed = change(tx.account)
            if changed != tx.account:
                tx.save_account(changed)
        return changed

    def use_scenario(self, customer_id: str, scenario: Scenario) -> AccountState:
        """Decide what becomes of an account's submissions from now on."""
        return self.change(customer_id, lambda account: replace(account, scenario=scenario))

    def change_webhooks(
        self, customer_id: str, change: Callable[[WebhookSettings], WebhookSettings]
    ) -> WebhookSettings:
        """Decide how an account's webhooks are delivered from now on.

        Raises:
            UnknownAccountError: there is no such account.
            ValueError: what `change` raises.
        """
        changed = self.change(
            customer_id, lambda account: replace(account, webhooks=change(account.webhooks))
        )
        return changed.webhooks

    def follow_with(self, customer_id: str, scenarios: tuple[Scenario, ...]) -> AccountState:
        """Decide what becomes of an account's next submissions, one scenario for each."""
        return self.change(
            customer_id, lambda a: replace(a, next_scenarios=(*a.next_scenarios, *scenarios))
        )

    def clear_scenarios(self, customer_id: str) -> AccountState:
        """Take back the scenarios that no submission has taken."""
        return self.change(customer_id, lambda account: replace(account, next_scenarios=()))

    def plan_fault(self, customer_id: str, fault: Fault) -> AccountState:
        """Add a fault to those that an account's calls will meet."""
        return self.change(customer_id, lambda a: replace(a, faults=(*a.faults, fault)))

    def clear_faults(self, customer_id: str) -> AccountState:
        """Take every fault of an account back."""
        return self.change(customer_id, lambda account: replace(account, faults=()))

    def limit(self, customer_id: str, **limits: Any) -> AccountState:  # noqa: ANN401 - the fields of `Throttle`
        """Set limits of an account, by the names that `Throttle` has for them.

        Raises:
            InvalidLimitError: a limit would let nothing through.
        """
        return self.change(
            customer_id, lambda a: replace(a, throttle=replace(a.throttle, **limits))
        )

    def set_clock(self, customer_id: str, setting: ClockSetting) -> AccountState:
        """Let a clock go on from its present by another setting."""
        real = self.courier.real_time()
        changed = self.change(
            customer_id,
            lambda account: replace(account, clock=account.clock.running(real, setting)),
        )
        self.wake()
        return changed

    def now(self, customer_id: str) -> Instant:
        """Tell the time on an account's clock."""
        return self.store.account(customer_id).clock.at(self.courier.real_time())

    def advance(self, customer_id: str, span: Span) -> Moved:
        """Move a clock forward by a span, delivering what falls due at its own instant.

        Raises:
            ClockError: that lies beyond the last instant that a clock shows.
        """
        return self._move(customer_id, self.now(customer_id) + span)

    def move_to(self, customer_id: str, until: Instant) -> Moved:
        """Move a clock forward to an instant, delivering what falls due at its own instant.

        Raises:
            ClockError: the instant lies before the clock's present, or beyond its last.
        """
        now = self.now(customer_id)
        if until < now:
            raise ClockError(
                f"a clock moves forward only: it shows {to_datetime(now)}, "
                f"asked for {to_datetime(until)}"
            )
        return self._move(customer_id, until)

    def advance_to_next(self, customer_id: str) -> Moved | None:
        """Move a clock to the next instant at which something happens; None if nothing will."""
        following = self.next_instant(customer_id)
        return None if following is None else self._move(customer_id, following)

    def _move(self, customer_id: str, until: Instant) -> Moved:
        """Move a clock to an instant, or leave it where it is if it runs and came there first."""
        if until > LAST:
            raise ClockError(f"a clock goes no further than {to_datetime(LAST)}")
        now = self.now(customer_id)
        until = max(now, until)
        before = Counter(self._recent(customer_id, now, now))
        self.courier.advance(customer_id, until)
        return Moved(until, tuple(_told_anew(self._recent(customer_id, now, until), before)))

    def _recent(self, customer_id: str, since: Instant, until: Instant) -> tuple[Event, ...]:
        """Tell what happened between two instants, and perhaps some of what happened before."""
        account, journal = self.store.account(customer_id), self.store.journal(customer_id)
        recent = self._everything_of(account, journal, ends_after=since - 1)
        return story.events_of(recent.since(since), until)

    def next_instant(self, customer_id: str) -> Instant | None:
        """Tell when something happens next: a batch moves on, or a webhook falls due."""
        now = self.now(customer_id)
        unfinished = self.store.batches(customer_id, ends_after=now)
        instants = [e.at for batch in unfinished for e in story.transitions(batch) if e.at > now]
        instants += [
            max(message.due_at, now)
            for message in self.store.messages(customer_id)
            if message.state is MessageState.PENDING
        ]
        return min(instants, default=None)

    def story(self, customer_id: str, until: Instant | None = None) -> tuple[Event, ...]:
        """Tell everything that happened to an account until an instant, by default its present."""
        account = self.store.account(customer_id)
        until = account.clock.at(self.courier.real_time()) if until is None else until
        return story.events_of(self._everything_of(account, self.store.journal(customer_id)), until)

    @retried
    def export(self, customer_id: str) -> Snapshot:
        """Take a snapshot of an account, all of it at one moment; its clock stands at the present.

        The journal alone is read a moment before, since it is written outside of transactions and
        must not wait for this one.

        Raises:
            UnknownAccountError: there is no such account.
        """
        journal = self.store.journal(customer_id)
        with self.store.transaction(customer_id) as tx:
            account, real = tx.account, self.courier.real_time()
            clock = replace(account.clock, origin=account.clock.at(real), anchor=real)
            return self._everything_of(replace(account, clock=clock), journal)

    def load(
        self, openings: Iterable[Opening], snapshots: Iterable[Snapshot]
    ) -> tuple[AccountState, ...]:
        """Open accounts, and add those of snapshots, whose clocks go on from where they stood.

        All of them, or none.

        Raises:
            DuplicateAccountError: a key or a customer id is taken.
        """
        added: list[AccountState] = []
        try:
            added.extend(map(self.open, openings))
            added.extend(map(self._restore, snapshots))
        except Exception:
            for account in added:
                self.store.remove_account(account.customer_id)
            raise
        self.wake()
        return tuple(added)

    def ensure_restored(self, snapshot: Snapshot) -> AccountState:
        """Add the account of a snapshot; one that the store has already stays as it is.

        Raises:
            DuplicateAccountError: the store has the customer, or the key, but not both together.
        """
        try:
            return self._restore(snapshot)
        except DuplicateAccountError:
            state = self.store.account_by_key(snapshot.account.api_key)
            if state is None or state.customer_id != snapshot.account.customer_id:
                raise
            return state

    def _restore(self, snapshot: Snapshot) -> AccountState:
        clock = replace(snapshot.account.clock, anchor=self.courier.real_time())
        account = replace(snapshot.account, clock=clock)
        self.store.add(replace(snapshot, account=account))
        return account

    def _everything_of(
        self,
        account: AccountState,
        journal: tuple[Exchange, ...],
        ends_after: Instant | None = None,
    ) -> Snapshot:
        """Put together what is kept of an account, of its batches those that end later."""
        customer_id = account.customer_id
        return Snapshot(
            account,
            self.store.ledger(customer_id),
            self.store.batches(customer_id, ends_after),
            self.store.messages(customer_id),
            journal,
        )


def _opened(opening: Opening, real: Instant) -> AccountState:
    account = AccountState(
        customer_id=opening.customer_id or str(uuid4()),
        manager_id="",
        api_key=opening.api_key or f"vk_{secrets.token_hex(16)}",
        clock=Clock(real, real).running(real, opening.clock_setting),
        seed=opening.seed or secrets.token_hex(8),
        scenario=opening.scenario,
    )
    return replace(account, manager_id=random_uuid(account.random("manager")))


def _told_anew(events: Iterable[Event], before: Counter[Event]) -> Iterator[Event]:
    """Yield the events that were not told before, as often as they are new."""
    left = before.copy()
    for event in events:
        if left[event]:
            left[event] -= 1
        else:
            yield event
