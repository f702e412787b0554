"""An account's faults as a test plans them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from vimmerse_mock.control import operations as o
from vimmerse_mock.control import resources as r
from vimmerse_mock.model.faults import FaultKind

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class _Call(Protocol):
    def __call__(
        self, operation: o.ControlOperation, answer: type[Any], body: r.Body | None = None
    ) -> Any: ...  # noqa: ANN401 - the operation's own answer


class AccountFaults:
    """Plans faults of the transport: what goes wrong with which call of an account.

    Each is met by the `nth` call of an `operation` (the contract's id, such as `get_batch`; of any
    where none is named) from now on, once unless `times` says otherwise (None: always). Every
    method raises FaultError, or SpanError, for what makes no sense.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call: _Call = call
        self._is_used = False

    @property
    def planned(self) -> tuple[r.FaultInfo, ...]:
        """Every fault of the account, as it stands: how often it was met, and by how many calls."""
        return self._listed(self._call(o.LIST_FAULTS, r.FaultList))

    @property
    def unfired(self) -> tuple[r.FaultInfo, ...]:
        """The faults that no call has met, of an account whose faults were planned here."""
        return tuple(f for f in self.planned if not f.fired) if self._is_used else ()

    def clear(self) -> None:
        """Take every fault back."""
        self._is_used = False
        self._call(o.CLEAR_FAULTS, type(None))

    def status(
        self,
        status: int,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: str | None = None,
        operation: str = "",
        nth: int = 1,
        times: int | None = 1,
    ) -> None:
        """Answer with a status out of turn, without carrying the request out.

        Without a `body`, the contract's for that status is sent.
        """
        self._plan(
            FaultKind.STATUS, operation, nth, times, status=status, headers=dict(headers), body=body
        )

    def latency(
        self,
        delay: str | float,
        delay_to: str | float | None = None,
        *,
        operation: str = "",
        nth: int = 1,
        times: int | None = 1,
    ) -> None:
        """Answer late, in real time: by `delay`, or by a span drawn from `delay` to `delay_to`."""
        self._plan(FaultKind.LATENCY, operation, nth, times, delay=delay, delay_to=delay_to)

    def reset(
        self,
        *,
        midway: bool = False,
        operation: str = "",
        nth: int = 1,
        times: int | None = 1,
    ) -> None:
        """Reset the connection before the request is carried out, or `midway` in its answer."""
        kind = FaultKind.RESET_MIDWAY if midway else FaultKind.RESET
        self._plan(kind, operation, nth, times)

    def truncate(self, *, operation: str = "", nth: int = 1, times: int | None = 1) -> None:
        """End the connection after half of the body that was announced."""
        self._plan(FaultKind.TRUNCATE, operation, nth, times)

    def not_json(self, *, operation: str = "", nth: int = 1, times: int | None = 1) -> None:
        """Answer 200 with a body that is no JSON."""
        self._plan(FaultKind.NOT_JSON, operation, nth, times)

    def html(self, *, operation: str = "", nth: int = 1, times: int | None = 1) -> None:
        """Answer as a proxy does whose upstream is gone: 502 with an HTML page."""
        self._plan(FaultKind.HTML, operation, nth, times)

    def drip(
        self,
        delay: str | float,
        *,
        operation: str = "",
        nth: int = 1,
        times: int | None = 1,
    ) -> None:
        """Send the answer in small pieces, `delay` apart."""
        self._plan(FaultKind.DRIP, operation, nth, times, delay=delay)

    def lose_answer(self, *, operation: str = "", nth: int = 1, times: int | None = 1) -> None:
        """Carry the request out, with all that it costs, and reset the connection in its place."""
        self._plan(FaultKind.LOST, operation, nth, times)

    def _plan(
        self,
        kind: FaultKind,
        operation: str,
        nth: int,
        times: int | None,
        **details: Any,  # noqa: ANN401 - the fields of `PlanFault`
    ) -> None:
        body = r.PlanFault(kind=kind, operation=operation, nth=nth, times=times, **details)
        self._call(o.PLAN_FAULT, r.FaultList, body)
        self._is_used = True

    @staticmethod
    def _listed(answer: r.FaultList) -> tuple[r.FaultInfo, ...]:
        return answer.faults
