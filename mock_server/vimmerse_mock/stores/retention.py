"""The chore that keeps a shared store from growing for ever."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from vimmerse_mock.errors import UnknownAccountError
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.limits import Keep
from vimmerse_mock.stores import Store


@dataclass(frozen=True, slots=True)
class Retention:
    """Forgets, of every account, the batches that it need not keep."""

    store: Store
    keep: Keep
    real_time: Callable[[], Instant]

    def apply(self) -> int:
        """Go through all accounts once; return how many batches were forgotten."""
        if not self.keep.is_limited:
            return 0
        return sum(self._forgotten(customer_id) for customer_id in self.store.customers())

    def _forgotten(self, customer_id: str) -> int:
        """Forget a bounded number at once, so that nobody waits long for the account."""
        forgotten, some = 0, 1
        with suppress(UnknownAccountError):  # removed meanwhile, and everything with it
            while some:
                with self.store.transaction(customer_id) as tx:
                    some = tx.forget(self.keep, tx.account.clock.at(self.real_time()))
                forgotten += some
        return forgotten
