"""Trying again after a conflict with another transaction."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from vimmerse_mock.errors import StoreConflictError

P = ParamSpec("P")
T = TypeVar("T")

TRIES: Final = 5


def retried(work: Callable[P, T]) -> Callable[P, T]:
    """Repeat work that lost against another transaction; it wrote nothing, so that is safe.

    Raises:
        StoreConflictError: it lost `TRIES` times.
    """

    @wraps(work)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(TRIES - 1):
            try:
                return work(*args, **kwargs)
            except StoreConflictError:
                continue
        return work(*args, **kwargs)

    return attempt
