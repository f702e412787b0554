"""Fault injection: the faults of an account, as a test plans them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from vimmerse_mock.control import operations as o
from vimmerse_mock.model.faults import Fault, FaultKind

if TYPE_CHECKING:
    from vimmerse_mock.account.account import Account

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class Aim(TypedDict, total=False):
    """Which calls a fault is for; by default, only the next one.

    `operation` is an id of the contract, such as `get_batch`; by default, any operation. `nth` is
    the first call that fails, counted from now. `times` is how many calls fail; None is all.
    """

    operation: str
    nth: int
    times: int | None


class AccountFaults:
    """Plans faults for calls of an account; `Aim` says for which.

    Every method raises FaultError or SpanError if a value is not valid.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._is_used = False

    @property
    def planned(self) -> tuple[Fault, ...]:
        """Every fault of the account, with the number of calls that matched and that failed."""
        return self._account.call(o.LIST_FAULTS).faults

    @property
    def unfired(self) -> tuple[Fault, ...]:
        """The faults planned by this object that never fired."""
        return tuple(f for f in self.planned if not f.fired) if self._is_used else ()

    def clear(self) -> None:
        """Remove every fault."""
        self._is_used = False
        self._account.call(o.CLEAR_FAULTS)

    def status(
        self,
        status: int,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: str | None = None,
        **aim: Unpack[Aim],
    ) -> None:
        """Answer with a status, without carrying the request out.

        Without a `body`, the body is that of the contract for the status.
        """
        self._plan(Fault(FaultKind.STATUS, status=status, headers=dict(headers), body=body, **aim))

    def latency(
        self, delay: str | float, delay_to: str | float | None = None, **aim: Unpack[Aim]
    ) -> None:
        """Answer late, in real time: by `delay`, or by a span drawn from `delay` to `delay_to`."""
        self._plan(Fault(FaultKind.LATENCY, delay=delay, delay_to=delay_to, **aim))

    def reset(self, *, midway: bool = False, **aim: Unpack[Aim]) -> None:
        """Reset the connection before the request is carried out, or `midway` in its answer."""
        self._plan(Fault(FaultKind.RESET_MIDWAY if midway else FaultKind.RESET, **aim))

    def truncate(self, **aim: Unpack[Aim]) -> None:
        """Close the connection after half of the announced body."""
        self._plan(Fault(FaultKind.TRUNCATE, **aim))

    def not_json(self, **aim: Unpack[Aim]) -> None:
        """Answer 200 with a body that is not JSON."""
        self._plan(Fault(FaultKind.NOT_JSON, **aim))

    def html(self, **aim: Unpack[Aim]) -> None:
        """Answer 502 with an HTML page, like a proxy without its upstream."""
        self._plan(Fault(FaultKind.HTML, **aim))

    def drip(self, delay: str | float, **aim: Unpack[Aim]) -> None:
        """Send the answer in small pieces, `delay` apart."""
        self._plan(Fault(FaultKind.DRIP, delay=delay, **aim))

    def lose_answer(self, **aim: Unpack[Aim]) -> None:
        """Carry the request out, charge included, and reset the connection instead of answering."""
        self._plan(Fault(FaultKind.LOST, **aim))

    def _plan(self, fault: Fault) -> None:
        self._account.call(o.PLAN_FAULT, fault)
        self._is_used = True
