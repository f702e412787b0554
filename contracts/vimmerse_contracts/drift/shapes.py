"""The shape of JSON values seen at one place: which keys, of which types, with which words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final

ROOT: Final = "$"

_REFERENCE: Final = re.compile(r"<([a-z]+)(?:[:~ ].*?)?( as [^<>]*)?>")
_NUMBERED: Final = re.compile(r":(?:\d+|~[0-9a-f]+)")
_NAMED_VALUES: Final = re.compile(r"\w+=[^|]*(?:\|\w+=[^|]*)+")
"""Text such as `Prompt=|Quantity=1`: what stands in it are keys, too (S)."""


class Shape:
    """What was seen of a number of JSON values, by JSON path: `$.data.medias[].item`."""

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self.types: defaultdict[str, set[str]] = defaultdict(set)
        self.formats: defaultdict[str, set[str]] = defaultdict(set)
        self.values: defaultdict[str, set[object]] = defaultdict(set)
        self.urls: defaultdict[str, set[str]] = defaultdict(set)
        self.orders: dict[str, tuple[str, ...]] = {}
        self._objects: Counter[str] = Counter()
        self._present: Counter[str] = Counter()
        self._parents: dict[str, str] = {}
        for value in values:
            self._see(ROOT, value)

    @property
    def keys(self) -> dict[str, str]:
        """Every key that was seen, by its path, with the path of the object that it was in."""
        return self._parents

    def has(self, path: str) -> bool:
        """Say whether an object was seen at this path."""
        return self._objects[path] > 0

    def presence(self, path: str) -> str:
        """Say how often a key is there: 'always', 'sometimes' or 'never'."""
        if not self._present[path]:
            return "never"
        always = self._present[path] == self._objects[self._parents[path]]
        return "always" if always else "sometimes"

    def _see(self, path: str, value: Any) -> None:  # noqa: ANN401 - any JSON
        self.types[path].add(type_of(value))
        if isinstance(value, dict):
            self._see_object(path, value)
        elif isinstance(value, list):
            for item in value:
                self._see(f"{path}[]", item)
        elif isinstance(value, str):
            self._see_text(path, value)
        elif isinstance(value, bool):
            self.values[path].add(value)

    def _see_object(self, path: str, value: dict[str, Any]) -> None:
        named = {_NUMBERED.sub("", key): item for key, item in value.items()}
        self._objects[path] += 1
        if len(named) > len(self.orders.get(path, ())):
            self.orders[path] = tuple(named)
        for key, item in named.items():
            inside = f"{path}.{key}"
            self._parents[inside] = path
            self._present[inside] += 1
            self._see(inside, item)

    def _see_text(self, path: str, text: str) -> None:
        if _NAMED_VALUES.fullmatch(text):
            pairs = (part.partition("=") for part in text.split("|"))
            self._see_object(path, {name: value for name, _, value in pairs})
            return
        reference = _REFERENCE.fullmatch(text)
        if reference is None:
            self.values[path].add(text)
        elif reference[1] == "url":
            self.urls[path].add(_NUMBERED.sub("", text.removeprefix("<url:").removesuffix(">")))
        if text:
            self.formats[path].add((reference[1] + (reference[2] or "")) if reference else "text")


def type_of(value: object) -> str:
    """Name the JSON type of a value; whole numbers are 'integer', as in JSON Schema."""
    for kind, name in _TYPES:
        if isinstance(value, kind):
            return name
    return "null"


_TYPES: Final[tuple[tuple[type, str], ...]] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)
