"""What the suite's requests may cost, and the budget that is asked before each of them is sent.

Pure: what is kept, and how it is shared between processes, is the affair of whoever brings the
`SpendingLedger`. What a service really charges is not public (A): the price list is what we are
told, and a refused request is taken to cost nothing (create.refusal, update.refusal).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from vimmerse_contracts.vocabulary import (
    DURATION_SECONDS,
    MOTION_TYPES,
    QUANTITY,
    RESUBMITTING_FIELDS,
    BatchStatus,
)

Form = Mapping[str, str | int | Sequence[str]]
"""A form; a sequence is the repeated key (S)."""

CONCAT: Final = "concat"
"""What stands for a composition in a price list, where motion types stand."""

_DEFAULT_SECONDS: Final = 5
_PAYMENT_REQUIRED: Final = 402


class NotAffordableError(Exception):
    """A request was not sent: it might cost more than may be spent, or spending was stopped."""


class PriceListError(Exception):
    """A price list is none; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """One thing that costs: a generation, or a composition of what was generated.

    `motion_type` is empty for one that no service should know.
    """

    images: int = 1
    motion_type: str = "Auto"
    seconds: int = _DEFAULT_SECONDS
    quantity: int = 1
    composes: bool = False

    def __str__(self) -> str:
        if self.composes:
            return "a composition"
        return f"{self.images} x {self.quantity} x {self.seconds} s of {self.motion_type or 'any'}"


CONCATENATION: Final = Purchase(composes=True)


@dataclass(frozen=True, slots=True)
class Dearest:
    """One of several purchases; which one depends on the order of the tests."""

    alternatives: tuple[Purchase, ...]


@dataclass(frozen=True, slots=True)
class Once:
    """Purchases that several tests share: they are made once in each process of a run."""

    name: str
    purchases: tuple[Purchase, ...]


Cost = Purchase | Dearest | Once
"""What a test declares: `@pytest.mark.vimmerse_costs(*costs)`."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Credits for a second of video, by motion type, and for a composition, as far as known."""

    per_second: Mapping[str, int] = field(default_factory=dict)
    concat: int | None = None

    def of(self, cost: Cost) -> int | None:
        """Price a cost: seconds x quantity x images at the motion type's rate; None: unknown.

        A motion type that no service should know is taken for the dearest of the list.
        """
        if isinstance(cost, Purchase):
            return self._price(cost)
        if isinstance(cost, Once):
            return self.total(cost.purchases)
        prices = [self._price(each) for each in cost.alternatives]
        return None if None in prices else max(price for price in prices if price is not None)

    def total(self, costs: Iterable[Cost]) -> int | None:
        """Price them all; None if one price is unknown."""
        prices = [self.of(each) for each in costs]
        return None if None in prices else sum(price for price in prices if price is not None)

    def unknown(self, costs: Iterable[Cost]) -> tuple[str, ...]:
        """Name what has no price: motion types, and `concat`."""
        lacking = [each for each in _purchases(costs) if self._price(each) is None]
        return tuple(sorted({CONCAT if each.composes else each.motion_type for each in lacking}))

    def _price(self, purchase: Purchase) -> int | None:
        if purchase.composes:
            return self.concat
        rate = self._rate(purchase.motion_type)
        if rate is None:
            return None
        return rate * purchase.seconds * purchase.quantity * purchase.images

    def _rate(self, motion_type: str) -> int | None:
        if motion_type:
            return self.per_second.get(motion_type)
        return max(self.per_second.values(), default=None)


def read_prices(text: str) -> Prices:
    """Read a price list: a JSON object of credits a second by motion type, and of `concat`.

    Raises:
        PriceListError: it is none.
    """
    try:
        listed = json.loads(text)
    except ValueError as error:
        raise PriceListError(
            f"a price list is a JSON object, and this is no JSON: {error}"
        ) from None
    if not isinstance(listed, dict):
        raise PriceListError('a price list is a JSON object like {"Auto": 1, "concat": 0}')
    return make_prices(listed)


def make_prices(listed: Mapping[str, object]) -> Prices:
    """Make a price list of credits a second by motion type, and of `concat`.

    Raises:
        PriceListError: a name is no motion type, or a price no number of credits.
    """
    for name, price in listed.items():
        if name not in (*MOTION_TYPES, CONCAT):
            raise PriceListError(f"{name!r} is none of {', '.join((*MOTION_TYPES, CONCAT))}")
        if not isinstance(price, int) or isinstance(price, bool) or price < 0:
            raise PriceListError(f"the price of {name!r} is a number of credits, not {price!r}")
    rates: dict[str, Any] = {name: price for name, price in listed.items() if name != CONCAT}
    concat: Any = listed.get(CONCAT)
    return Prices(rates, concat)


def creation(form: Form, uploads: int = 0) -> Purchase:
    """Tell what a creation may buy at most; files win over URLs (P25).

    A value that the API refuses is taken for the dearest that it accepts.
    """
    return _chosen(Purchase(images=uploads or len(_all(form, "image_urls"))), form)


def again(purchase: Purchase, form: Form) -> Purchase:
    """Tell what an update buys that processes a batch again: the batch's settings, but the form's.

    An empty text counts as not given (create.empty_is_absent).
    """
    return _chosen(purchase, form)


def resubmits(form: Form) -> bool:
    """Say whether an update names a field that processes again, and costs again (S)."""
    return any(name in form for name in RESUBMITTING_FIELDS)


def _chosen(purchase: Purchase, form: Form) -> Purchase:
    return replace(
        purchase,
        motion_type=_motion_type(form, purchase.motion_type),
        seconds=_number(form, "duration", purchase.seconds, DURATION_SECONDS[1]),
        quantity=_number(form, "quantity", purchase.quantity, QUANTITY[1]),
    )


def _motion_type(form: Form, otherwise: str) -> str:
    value = _last(form, "motion_type") or otherwise
    return value if value in MOTION_TYPES else ""


def _number(form: Form, name: str, otherwise: int, most: int) -> int:
    text = _last(form, name)
    if not text:
        return otherwise
    return int(text) if text.isdecimal() and int(text) else most


def _last(form: Form, name: str) -> str:
    values = _all(form, name)
    return values[-1] if values else ""


def _all(form: Form, name: str) -> list[str]:
    value = form.get(name, ())
    return [str(value)] if isinstance(value, str | int) else [str(each) for each in value]


class SpendingLedger(Protocol):
    """Where it is kept what a run may spend, holds and has spent; all its processes share it."""

    def hold(self, price: int, what: str, batch_id: str) -> int:
        """Reserve credits before a request is sent, and return the number of the hold.

        Raises:
            NotAffordableError: the limit does not allow it, or spending was stopped.
        """

    def release(self, hold: int) -> None:
        """Give a hold back: the request was refused."""

    def spend(self, hold: int, batch_id: str) -> None:
        """Note that a hold was spent on a batch."""

    def book(self, amount: int, batch_id: str) -> None:
        """Note credits that were spent on a batch beyond what was held, whatever the limit."""

    def baseline(self, balance: int) -> int:
        """Return the balance at the run's beginning: the first that any process reports."""

    def spent_on(self, batch_id: str) -> int:
        """Return the credits that are noted for a batch."""

    def total(self) -> int:
        """Return the credits that are held or spent."""

    def see(self, batch_id: str, *, ended: bool) -> None:
        """Note whether a batch that was paid for has ended."""

    def stop(self, reason: str) -> None:
        """Let nothing more be spent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What matters of an answer: its HTTP status, and the Batch if it has one."""

    status: int
    batch: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_refusal(self) -> bool:
        """Say whether the service answered that it did nothing."""
        return 400 <= self.status < 500

    @property
    def is_done(self) -> bool:
        """Say whether the Batch is there and nothing more happens to it."""
        return self.batch.get("status") in (BatchStatus.SUCCESS, BatchStatus.FAIL)


class Budget:
    """Is asked before each request that may cost, and told what came of it.

    It knows what each batch was bought as, so it can price an update by the settings that result.
    `balance`, where the target's can be read, is compared with what the price list comes to.
    """

    def __init__(
        self, prices: Prices, ledger: SpendingLedger, balance: Callable[[], int] | None = None
    ) -> None:
        self._prices = prices
        self._ledger = ledger
        self._balance = balance
        self._before = ledger.baseline(balance()) if balance else 0
        self._bought: dict[str, Purchase] = {}
        self._ended: dict[str, bool] = {}

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
        """Reserve the price of a composition; None if it can cost nothing: there is no batch.

        Raises:
            NotAffordableError: it must not be sent.
        """
        return self._hold(CONCATENATION, batch_id) if batch_id in self._bought else None

    def settle(self, hold: Hold, answer: Answer, *, solvent: bool) -> None:
        """Note what came of a request: refused, or paid. No answer at all counts as paid.

        `solvent` says that the customer should have been able to pay: 402 then stops the run.
        """
        if answer.is_refusal:
            self._ledger.release(hold.number)
            if solvent and answer.status == _PAYMENT_REQUIRED:
                self._stop(
                    f"the target refused {hold.purchase} for want of credit (402): the account is "
                    "empty, or prices are higher than the price list says"
                )
            return
        if hold.batch_id and answer.is_done:
            self._ledger.release(hold.number)
            return
        self._spent(hold, answer)
        self._compare_balance()

    def saw(self, answer: Answer) -> None:
        """Take note of how far a batch is, and of what the service says that it has cost."""
        batch_id = str(answer.batch.get("id", ""))
        if batch_id not in self._bought:
            return
        self._note_end(batch_id, ended=answer.is_done)
        self._compare_used(batch_id, answer.batch.get("used_credits"))

    def _hold(self, purchase: Purchase, batch_id: str) -> Hold:
        price = self._prices.of(purchase)
        if price is None:
            raise NotAffordableError(unpriced(self._prices.unknown([purchase])))
        return Hold(self._ledger.hold(price, str(purchase), batch_id), purchase, batch_id)

    def _spent(self, hold: Hold, answer: Answer) -> None:
        batch_id = hold.batch_id or str(answer.batch.get("id", ""))
        self._ledger.spend(hold.number, batch_id)
        if batch_id and not hold.purchase.composes:
            self._bought[batch_id] = hold.purchase
        if batch_id:
            self._note_end(batch_id, ended=False)

    def _note_end(self, batch_id: str, *, ended: bool) -> None:
        if self._ended.get(batch_id) is not ended:
            self._ended[batch_id] = ended
            self._ledger.see(batch_id, ended=ended)

    def _compare_balance(self) -> None:
        if self._balance is None:
            return
        fallen = self._before - self._balance()
        if fallen > self._ledger.total():
            self._stop(
                f"the balance fell by {fallen} credits where the price list comes to "
                f"{self._ledger.total()}: prices are higher than it says"
            )

    def _compare_used(self, batch_id: str, used: object) -> None:
        noted = self._ledger.spent_on(batch_id) if isinstance(used, int) else 0
        if isinstance(used, int) and used > noted:
            self._ledger.book(used - noted, batch_id)
            self._stop(
                f"batch {batch_id} has used {used} credits where the price list comes to {noted}: "
                "prices are higher than it says"
            )

    def _stop(self, reason: str) -> None:
        self._ledger.stop(reason)
        raise NotAffordableError(f"the run was stopped: {reason}")


@dataclass(frozen=True, slots=True)
class Hold:
    """Credits that are reserved for a request; `batch_id` is empty for a creation."""

    number: int
    purchase: Purchase
    batch_id: str


def unpriced(names: Sequence[str]) -> str:
    """Say that prices are unknown, and how to give them."""
    missing = " ".join(f"--vimmerse-price {name}=CREDITS" for name in names)
    return f"of the limit: an unknown price counts as over it ({missing})"


def _purchases(costs: Iterable[Cost]) -> Iterator[Purchase]:
    for each in costs:
        if isinstance(each, Purchase):
            yield each
        else:
            yield from each.alternatives if isinstance(each, Dearest) else each.purchases
