"""The accounts of a mock: opened, restored and changed. A start needs no more of this room."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from uuid import uuid4

from vimmerse_mock.delivery import Courier
from vimmerse_mock.errors import DuplicateAccountError
from vimmerse_mock.model.account import AccountState, Opening, random_uuid
from vimmerse_mock.model.clock import Clock, ClockSetting
from vimmerse_mock.model.snapshot import Snapshot
from vimmerse_mock.stores import Store, opened
from vimmerse_mock.stores.conflicts import retried


@dataclass(frozen=True, slots=True)
class AccountRegistry:
    """Opens, restores and changes accounts.

    `wake` is called when a webhook may fall due sooner.
    """

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
        (account,) = self.add((opening,), ())
        return account

    def _opened(self, opening: Opening) -> Snapshot:
        real = self.courier.real_time()
        account = AccountState(
            customer_id=opening.customer_id or str(uuid4()),
            manager_id="",
            api_key=opening.api_key or f"vk_{secrets.token_hex(16)}",
            clock=Clock(real, real).running(real, opening.clock_setting),
            seed=opening.seed or secrets.token_hex(8),
            scenario=opening.first_scenario,
            strict=opening.strict,
            why=opening.why,
            permission=opening.permission,
        )
        account = replace(account, manager_id=random_uuid(account.random("manager")))
        return opened(account, opening.credits)

    def ensure(self, opening: Opening) -> AccountState:
        """Open an account; one that the store has already stays, but for its clock and scenario.

        Raises:
            DuplicateAccountError: the store has the customer, or the key, but not both together.
        """
        try:
            return self.open(opening)
        except DuplicateAccountError:
            customer_id = self._existing(opening.api_key, opening.customer_id).customer_id
        self.set_clock(customer_id, opening.clock_setting)
        return self.change(customer_id, lambda a: replace(a, scenario=opening.first_scenario))

    def restore(self, snapshot: Snapshot) -> AccountState:
        """Add the account of a snapshot, whose clock goes on from where it stood.

        Raises:
            DuplicateAccountError: its key or customer id is taken.
        """
        (account,) = self.add((), (snapshot,))
        return account

    def add(
        self, openings: Iterable[Opening], snapshots: Iterable[Snapshot]
    ) -> tuple[AccountState, ...]:
        """Open accounts and restore others, all of them together or none.

        Raises:
            DuplicateAccountError: a key or customer id is taken.
        """
        real = self.courier.real_time()
        added = list(map(self._opened, openings))
        for snapshot in snapshots:
            clock = replace(snapshot.account.clock, anchor=real)
            added.append(replace(snapshot, account=replace(snapshot.account, clock=clock)))
        self.store.add(*added)
        return tuple(each.account for each in added)

    def ensure_restored(self, snapshot: Snapshot) -> AccountState:
        """Add the account of a snapshot; one that the store has already stays as it is.

        Raises:
            DuplicateAccountError: the store has the customer, or the key, but not both together.
        """
        try:
            return self.restore(snapshot)
        except DuplicateAccountError:
            return self._existing(snapshot.account.api_key, snapshot.account.customer_id)

    def _existing(self, api_key: str, customer_id: str) -> AccountState:
        account = self.store.account_by_key(api_key)
        if account is None or customer_id not in ("", account.customer_id):
            raise DuplicateAccountError(
                f"the store already has customer {customer_id!r} with another key, or the key "
                "with another customer"
            )
        return account

    @retried
    def change(
        self, customer_id: str, change: Callable[[AccountState], AccountState]
    ) -> AccountState:
        """Replace settings of an account.

        Raises:
            UnknownAccountError: there is no such account.
            InvalidError: what `change` raises.
        """
        with self.store.transaction(customer_id) as tx:
            changed = change(tx.account)
            if changed != tx.account:
                tx.save_account(changed)
        return changed

    def set_clock(self, customer_id: str, setting: ClockSetting) -> AccountState:
        """Set what moves an account's clock from its present on."""
        real = self.courier.real_time()
        changed = self.change(
            customer_id, lambda a: replace(a, clock=a.clock.running(real, setting))
        )
        self.wake()
        return changed
