"""What an account in memory has in order: by serial number, or by instant; 16 bytes for each."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Series(Generic[T]):
    """Things, each with a number; those of one number are in the order in which they came."""

    __slots__ = ("_numbers", "items")

    def __init__(self) -> None:
        self._numbers = array("q")
        self.items: list[T] = []

    def add(self, number: int, item: T) -> None:
        """Put a thing behind those of its number, and before those of a greater one."""
        if not self._numbers or self._numbers[-1] <= number:
            self._numbers.append(number)
            self.items.append(item)
            return
        place = bisect_right(self._numbers, number)
        self._numbers.insert(place, number)
        self.items.insert(place, item)

    def after(self, number: int, until: int | None = None) -> list[T]:
        """Return what has a greater number, but none beyond `until`."""
        end = None if until is None else bisect_right(self._numbers, until)
        return self.items[bisect_right(self._numbers, number) : end]

    def beyond(self, number: int) -> Iterator[tuple[int, T]]:
        """Yield what has a greater number, with that."""
        for place in range(bisect_right(self._numbers, number), len(self.items)):
            yield self._numbers[place], self.items[place]

    def page(self, after: int, most: int) -> tuple[list[T], int | None]:
        """Return the next things, and the number to go on after; None at the end."""
        start = bisect_right(self._numbers, after)
        end = start + most
        last = self._numbers[end - 1] if end < len(self._numbers) else None
        return self.items[start:end], last

    def keep(self, is_kept: Callable[[T], bool]) -> None:
        """Drop everything else."""
        kept = [place for place, item in enumerate(self.items) if is_kept(item)]
        self._numbers = array("q", map(self._numbers.__getitem__, kept))
        self.items = list(map(self.items.__getitem__, kept))
