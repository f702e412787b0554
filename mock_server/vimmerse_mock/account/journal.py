"""The request journal of an account: which requests came, and assertions about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from vimmerse_mock.control import operations as o
from vimmerse_mock.control.messages import ExchangeInfo

if TYPE_CHECKING:
    from vimmerse_mock.account.account import Account

_SHOWN: Final = 20


class RequestLike(TypedDict, total=False):
    """Conditions on a request; what is left out does not matter.

    `operation` is an id of the contract, such as `create_batch`, and empty for a request that
    matched no operation. `form` has some of the sent fields, with their values.
    """

    operation: str
    status: int
    method: str
    path: str
    batch_id: str
    form: Mapping[str, str | int]


class AccountJournal:
    """The last requests of an account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def requests(self, **described: Unpack[RequestLike]) -> tuple[ExchangeInfo, ...]:
        """Return the requests that meet the conditions (`RequestLike`), oldest first."""
        came = self._account.call(o.SHOW_JOURNAL).exchanges
        return tuple(each for each in came if not _differences(described, each))

    def assert_requested(
        self, *, times: int | None = None, **described: Unpack[RequestLike]
    ) -> tuple[ExchangeInfo, ...]:
        """Assert that there was at least one such request, or exactly `times`, and return them.

        Raises:
            AssertionError: there was not; it shows what came, and the nearest miss.
        """
        came = self._account.call(o.SHOW_JOURNAL).exchanges
        found = tuple(each for each in came if not _differences(described, each))
        if len(found) == times or (times is None and found):
            return found
        expected = "at least one request" if times is None else f"{times} requests"
        wanted = ", ".join(f"{name}={value!r}" for name, value in described.items())
        raise AssertionError(
            "\n".join(
                [
                    f"expected {expected} with {wanted or 'any request'}; there were {len(found)}",
                    *_misses(described, came),
                    f"all requests of the account ({len(came)}):",
                    *([f"  {_line(each)}" for each in came[-_SHOWN:]] or ["  none"]),
                ]
            )
        )

    def assert_not_requested(self, **described: Unpack[RequestLike]) -> None:
        """Assert that there was no such request.

        Raises:
            AssertionError: there was one; it shows what came.
        """
        self.assert_requested(times=0, **described)


def _differences(wanted: RequestLike, exchange: ExchangeInfo) -> list[str]:
    """Describe in what a request is not as wanted."""
    if unknown := wanted.keys() - RequestLike.__annotations__.keys():
        raise TypeError(f"unknown names to describe a request: {', '.join(sorted(unknown))}")
    different = []
    for name, value in wanted.items():
        came = exchange.path.partition("?")[0] if name == "path" else getattr(exchange, name)
        if name != "form" and value not in (None, came):
            different.append(f"{name} was {came!r}, not {value!r}")
    for name, value in (wanted.get("form") or {}).items():
        sent = exchange.form.get(name, ())
        if str(value) not in sent:
            came = ", ".join(map(repr, sent)) or "not sent"
            different.append(f"{name} was {came}, not {str(value)!r}")
    return different


def _misses(wanted: RequestLike, came: Sequence[ExchangeInfo]) -> list[str]:
    """Describe the nearest miss, and requests that a typo in their path may have led astray."""
    misses = [each for each in came if _differences(wanted, each)]
    lines = []
    if misses and len(misses) == len(came):
        nearest = min(misses, key=lambda each: len(_differences(wanted, each)))
        lines.append(f"nearest miss: {_line(nearest)}: {'; '.join(_differences(wanted, nearest))}")
    if unmatched := [each for each in misses if not each.operation]:
        lines.append(f"of {len(unmatched)} the path matches no operation (a typo?):")
        lines += [f"  {_line(each)}" for each in unmatched[-_SHOWN:]]
    return lines


def _line(exchange: ExchangeInfo) -> str:
    operation = exchange.operation or "no such operation"
    return f"{exchange.method} {exchange.path} -> {exchange.status} ({operation})"
