"""What a run may spend: a budget that is asked before each request that may cost.

A request that the service refuses is taken to cost nothing (create.refusal, update.refusal).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from vimmerse_contracts.runs.exchanges import Answer
from vimmerse_contracts.runs.prices import (
    CONCATENATION,
    Form,
    NotAffordableError,
    Prices,
    Purchase,
    again,
    creation,
    resubmits,
)

_PAYMENT_REQUIRED: Final = 402
_LOCK_SECONDS: Final = 60.0
_LOCK_POLL_SECONDS: Final = 0.005


class Payment(msgspec.Struct):
    """Credits that are held for a request, or spent; `batch_id` is empty while it is not known."""

    what: str
    credits: int
    batch_id: str = ""
    answered: bool = False


class Spending(msgspec.Struct):
    """What a run may spend, holds and has spent, in credits.

    `balance` is the first that any process of the run read. `batches` says of each batch that was
    paid for whether it was seen to end.
    """

    limit: int
    plan: tuple[str, ...] = ()
    stopped: str = ""
    balance: int | None = None
    payments: dict[int, Payment] = {}
    batches: dict[str, bool] = {}

    @property
    def total(self) -> int:
        """The credits that are held or spent."""
        return sum(each.credits for each in self.payments.values())

    @property
    def running(self) -> tuple[str, ...]:
        """The batches that were paid for and have not been seen to end."""
        return tuple(batch_id for batch_id, ended in self.batches.items() if not ended)

    @property
    def unanswered(self) -> tuple[str, ...]:
        """What was sent, or was about to be, and never answered with a batch."""
        return tuple(
            f"{each.what} {each.batch_id}".strip()
            for each in self.payments.values()
            if not (each.answered and each.batch_id)
        )

    def spent_on(self, batch_id: str) -> int:
        """Return the credits that are held or spent for a batch."""
        return sum(each.credits for each in self.payments.values() if each.batch_id == batch_id)

    def hold(self, price: int, what: str, batch_id: str = "") -> int:
        """Reserve credits before a request is sent, and return the number of the payment.

        Raises:
            NotAffordableError: the limit does not allow it, or spending was stopped.
        """
        if self.stopped:
            raise NotAffordableError(f"the run was stopped: {self.stopped}")
        if self.total + price > self.limit:
            raise NotAffordableError(
                f"of the limit: {what} may cost {price} credits, and of the {self.limit} credits "
                f"allowed {self.total} are spent or held"
            )
        return self._add(Payment(what, price, batch_id))

    def release(self, number: int) -> None:
        """Give back what was held: the request was refused."""
        del self.payments[number]

    def spend(self, number: int, batch_id: str) -> None:
        """Note that what was held was spent on a batch, which runs now."""
        self.payments[number].batch_id = batch_id
        self.payments[number].answered = True
        if batch_id:
            self.batches[batch_id] = False

    def spend_more(self, amount: int, batch_id: str) -> None:
        """Note credits that were spent beyond what was held, whatever the limit."""
        self._add(Payment("more than the price list says", amount, batch_id, answered=True))

    def stop(self, reason: str) -> None:
        """Allow nothing more; the first reason stays."""
        self.stopped = self.stopped or reason

    def lines(self) -> Iterator[str]:
        """Return what a terminal shows of it when the run is over."""
        yield f"{self.total} of {self.limit} credits spent or held, by the price list"
        if self.stopped:
            yield f"stopped: {self.stopped}"
        if self.running:
            yield "may still be running:"
            yield from (f"  batch {batch_id}" for batch_id in self.running)
        if self.unanswered:
            yield "sent without an answer, and counted as spent:"
            yield from (f"  {what}" for what in self.unanswered)

    def _add(self, payment: Payment) -> int:
        number = max(self.payments, default=0) + 1
        self.payments[number] = payment
        return number


class SpendingFile:
    """The spending of a run, in a file that all its processes share.

    What is held is in the file before its request is sent, so that it stays when its process dies.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self, limit: int) -> None:
        """Make the file, with nothing spent of the limit."""
        self._write(Spending(limit))

    def read(self) -> Spending:
        """Return how the spending stands."""
        with self.changing() as spending:
            return spending

    @contextmanager
    def changing(self) -> Iterator[Spending]:
        """Read the spending, to be changed while no other process can; an exception undoes it."""
        from filelock import FileLock  # noqa: PLC0415 - only a run with a limit needs it

        lock = FileLock(f"{self.path}.lock", _LOCK_SECONDS, poll_interval=_LOCK_POLL_SECONDS)
        with lock:
            raw = self.path.read_bytes()
            spending = msgspec.json.decode(raw, type=Spending)
            yield spending
            self._write(spending)

    def _write(self, spending: Spending) -> None:
        """Replace the file in one step, so that a process that dies here leaves a whole one."""
        whole = self.path.with_suffix(".new")
        whole.write_bytes(msgspec.json.encode(spending))
        whole.replace(self.path)


@dataclass(frozen=True, slots=True)
class Hold:
    """Credits that are reserved for a request; `batch_id` is empty for a creation."""

    number: int
    purchase: Purchase
    batch_id: str


class Budget:
    """Is asked before each request that may cost, and shown what came of it.

    It knows what each batch was bought as, so it can price an update by the settings that result.
    `balance`, where the target's can be read, is compared with what the price list comes to.
    """

    def __init__(
        self, prices: Prices, file: SpendingFile, balance: Callable[[], int] | None = None
    ) -> None:
        self._prices = prices
        self._file = file
        self._balance = balance
        self._bought: dict[str, Purchase] = {}
        self._ended: dict[str, bool] = {}
        if balance is not None:
            with file.changing() as spending:
                if spending.balance is None:
                    spending.balance = balance()

    def create(self, form: Form, uploads: int) -> Hold:
        """Reserve the price of a creation.

        Raises:
            NotAffordableError: it must not be sent.
        """
        return self._hold(creation(form, uploads), "")

    def update(self, batch_id: str, form: Form) -> Hold | None:
        """Reserve the price of an update; None if it can cost nothing: metadata, or no batch.

        Raises:
            NotAffordableError: it must not be sent.
        """
        if batch_id not in self._bought or not resubmits(form):
            return None
        return self._hold(again(self._bought[batch_id], form), batch_id)

    def concat(self, batch_id: str) -> Hold | None:
        """Reserve the price of a concat; None if it can cost nothing: there is no batch.

        Raises:
            NotAffordableError: it must not be sent.
        """
        return self._hold(CONCATENATION, batch_id) if batch_id in self._bought else None

    def settle(self, hold: Hold, answer: Answer, *, solvent: bool) -> None:
        """Note what came of a request: refused, or paid. No answer at all counts as paid.

        `solvent` says that the customer should have been able to pay: 402 then stops the run.

        Raises:
            NotAffordableError: prices are higher than the price list says.
        """
        nothing_done = hold.batch_id and answer.batch_is_final
        with self._file.changing() as spending:
            if answer.is_refusal or nothing_done:
                spending.release(hold.number)
            else:
                self._spend(spending, hold, answer.batch)
        if answer.is_refusal:
            if solvent and answer.status == _PAYMENT_REQUIRED:
                self._stop(
                    f"the target refused {hold.purchase} for want of credit (402): the account is "
                    "empty, or prices are higher than the price list says"
                )
        elif not nothing_done and self._balance is not None:
            self._compare_balance(self._balance())

    def observe(self, answer: Answer) -> None:
        """Note how far a batch is, and what the service says that it has cost.

        Raises:
            NotAffordableError: prices are higher than the price list says.
        """
        batch_id, used = str(answer.batch.get("id", "")), answer.batch.get("used_credits")
        if batch_id not in self._bought:
            return
        if self._ended.get(batch_id) is not answer.batch_is_final:
            self._ended[batch_id] = answer.batch_is_final
            with self._file.changing() as spending:
                spending.batches[batch_id] = answer.batch_is_final
        if isinstance(used, int):
            self._compare_used(batch_id, used)

    def _hold(self, purchase: Purchase, batch_id: str) -> Hold:
        price = self._prices.total([purchase])
        with self._file.changing() as spending:
            return Hold(spending.hold(price, str(purchase), batch_id), purchase, batch_id)

    def _spend(self, spending: Spending, hold: Hold, batch: Mapping[str, object]) -> None:
        batch_id = hold.batch_id or str(batch.get("id", ""))
        spending.spend(hold.number, batch_id)
        if batch_id:
            self._ended[batch_id] = False
            if hold.purchase != CONCATENATION:
                self._bought[batch_id] = hold.purchase

    def _compare_balance(self, balance: int) -> None:
        spending = self._file.read()
        fallen = (spending.balance or 0) - balance
        if fallen > spending.total:
            self._stop(
                f"the balance fell by {fallen} credits where the price list comes to "
                f"{spending.total}: prices are higher than it says"
            )

    def _compare_used(self, batch_id: str, used: int) -> None:
        with self._file.changing() as spending:
            noted = spending.spent_on(batch_id)
            if used > noted:
                spending.spend_more(used - noted, batch_id)
        if used > noted:
            self._stop(
                f"batch {batch_id} has used {used} credits where the price list comes to {noted}: "
                "prices are higher than it says"
            )

    def _stop(self, reason: str) -> None:
        with self._file.changing() as spending:
            spending.stop(reason)
        raise NotAffordableError(f"the run was stopped: {reason}")
