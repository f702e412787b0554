"""Values that nobody means, and the places of JSON that they are put into."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

HOSTILE: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    0,
    1,
    100,
    2**31,
    2**62,
    2**63 - 1,
    2**63,
    -(2**63),
    10**300,
    1e-308,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\0",
    "\ud800",
    "\x1b]0;pwned\x07",
    "a/b?c#d%2F",
    "\N{FULLWIDTH DIGIT ONE}",
    "x" * 70_000,
    "9" * 5_000,
    [],
    [0, 0],
    [999_999],
    ["x"],
    [[]],
    {},
    {"x": 1},
)
"""What may stand in the place of any value."""


def places(value: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to every value of a file, and to the values in it."""
    if path:
        yield path
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for name, child in children:
        yield from places(child, *path, name)


def spoil(value: Any, path: tuple[str | int, ...], other: Any) -> Any:
    """Return JSON with another value in one place."""
    spoiled = deepcopy(value)
    parent: Any = spoiled
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = other
    return spoiled
