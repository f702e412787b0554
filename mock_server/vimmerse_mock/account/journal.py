"""The journal as a test asks it: what came, and what did not come, with the nearest miss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypedDict, Unpack

from vimmerse_mock.control.messages import ExchangeInfo

_SHOWN: Final = 20
_Value = str | int


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a request should be like; None means that it does not matter."""

    operation: str | None = None
    status: int | None = None
    method: str | None = None
    path: str | None = None
    batch_id: str | None = None
    form: Mapping[str, _Value] | None = None

    def __str__(self) -> str:
        names = self.__dataclass_fields__
        asked = [f"{n}={getattr(self, n)!r}" for n in names if getattr(self, n) is not None]
        return ", ".join(asked) or "any request"

    def differences(self, exchange: ExchangeInfo) -> tuple[str, ...]:
        """Say in what a request is not as wanted."""
        return tuple(self._differences(exchange))

    def _differences(self, exchange: ExchangeInfo) -> Iterator[str]:
        came = {
            "operation": exchange.operation,
            "status": exchange.status,
            "method": exchange.method,
            "path": exchange.path.partition("?")[0],
            "batch_id": exchange.batch_id,
        }
        for name, value in came.items():
            wanted = getattr(self, name)
            if wanted is not None and wanted != value:
                yield f"{name} was {value!r}, not {wanted!r}"
        for name, text in (self.form or {}).items():
            sent = exchange.form.get(name, ())
            if str(text) not in sent:
                told = ", ".join(map(repr, sent)) or "not sent"
                yield f"{name} was {told}, not {str(text)!r}"


class RequestLike(TypedDict, total=False):
    """What a request should be like; what is not described does not matter.

    `operation` is the contract's id (`create_batch`), empty for requests that matched none; `form`
    names fields that were sent with these values, among others.
    """

    operation: str
    status: int
    method: str
    path: str
    batch_id: str
    form: Mapping[str, _Value]


class AccountJournal:
    """The requests of an account, as far as the journal keeps them, oldest first."""

    def __init__(self, read: Callable[[], tuple[ExchangeInfo, ...]]) -> None:
        self._read = read

    def requests(self, **described: Unpack[RequestLike]) -> tuple[ExchangeInfo, ...]:
        """Return the requests that are as described (`RequestLike`)."""
        wanted = _Wanted(**described)
        return tuple(each for each in self._read() if not wanted.differences(each))

    def assert_requested(
        self, *, times: int | None = None, **described: Unpack[RequestLike]
    ) -> tuple[ExchangeInfo, ...]:
        """Hold the account to having made such requests, at least one or exactly `times`.

        Returns them.

        Raises:
            AssertionError: it says what was expected, what came, and the nearest miss.
        """
        wanted, came = _Wanted(**described), self._read()
        found = tuple(each for each in came if not wanted.differences(each))
        if len(found) == times or (times is None and found):
            return found
        raise AssertionError(_explain(wanted, times, found, came))

    def assert_not_requested(self, **described: Unpack[RequestLike]) -> None:
        """Hold the account to having made no such request.

        Raises:
            AssertionError: it says which came.
        """
        self.assert_requested(times=0, **described)


def _explain(
    wanted: _Wanted,
    times: int | None,
    found: tuple[ExchangeInfo, ...],
    came: tuple[ExchangeInfo, ...],
) -> str:
    often = "at least one request" if times is None else f"{times} requests"
    lines = [f"expected {often} with {wanted}; there were {len(found)}"]
    misses = [each for each in came if each not in found]
    if misses and not found:
        nearest = min(misses, key=lambda each: len(wanted.differences(each)))
        lines.append(f"nearest miss: {_line(nearest)}: {'; '.join(wanted.differences(nearest))}")
    if unmatched := [each for each in misses if not each.operation]:
        lines.append(f"of {len(unmatched)} the path matches no operation (a typo?):")
        lines += [f"  {_line(each)}" for each in unmatched[-_SHOWN:]]
    lines.append(f"all requests of the account ({len(came)}):")
    lines += [f"  {_line(each)}" for each in came[-_SHOWN:]] or ["  none"]
    return "\n".join(lines)


def _line(exchange: ExchangeInfo) -> str:
    told = f"{exchange.method} {exchange.path} -> {exchange.status}"
    return f"{told} ({exchange.operation or 'no such operation'})"
