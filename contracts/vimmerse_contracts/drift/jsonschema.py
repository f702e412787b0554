"""JSON Schemas compared, as OpenAPI 3.0 and 3.1 write them, by what they let through.

A schema is first flattened: `$ref` followed within the document, `allOf` joined, the alternatives
of `anyOf` and `oneOf` laid over each other (FastAPI writes `anyOf: [..., {"type": "null"}]`). What
is sent to the service and what comes from it are compared in opposite directions: to ask for more
breaks a sender, to say less breaks a reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import reduce
from types import MappingProxyType
from typing import Any, Final

from vimmerse_contracts.drift.findings import Finding, Severity, listed, severity_of_new_value

Json = Mapping[str, Any]

_EVERY_TYPE: Final = frozenset(
    {"array", "boolean", "integer", "null", "number", "object", "string"}
)
_BOUNDS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "minimum": -1,
        "exclusiveMinimum": -1,
        "minLength": -1,
        "minItems": -1,
        "maximum": 1,
        "exclusiveMaximum": 1,
        "maxLength": 1,
        "maxItems": 1,
    }
)
"""Bounds, and the direction in which each loosens."""

_DEEPEST: Final = 12


class Direction(Enum):
    """Which way a value goes."""

    SENT = "sent"
    """From the client to the service."""
    RECEIVED = "received"
    """From the service to the client."""


class DocumentError(ValueError):
    """A document cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Flat:
    """A schema as flat as it goes; `enum` None lets every value of the types through."""

    types: frozenset[str] = _EVERY_TYPE
    enum: frozenset[str] | None = None
    properties: Mapping[str, Json] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    items: Json | None = None
    bounds: Mapping[str, float] = field(default_factory=dict)
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Resolver:
    """Follows references within a document; `name` is what messages call it."""

    document: Json
    name: str

    def resolve(self, node: Any) -> Any:  # noqa: ANN401 - any JSON
        """Return what a node refers to, or the node itself where it refers to nothing.

        Raises:
            DocumentError: the reference leads nowhere, in circles, or out of the document.
        """
        for _ in range(_DEEPEST):
            if not isinstance(node, Mapping) or not isinstance(node.get("$ref"), str):
                return node
            node = self._follow(node["$ref"])
        raise DocumentError(f"{self.name}: a $ref leads in circles")

    def _follow(self, reference: str) -> Any:  # noqa: ANN401 - any JSON
        if not reference.startswith("#/"):
            raise DocumentError(
                f"{self.name}: $ref {reference!r} leads out of the document: bundle it first"
            )
        node: Any = self.document
        for step in reference[2:].split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, Mapping) or name not in node:
                raise DocumentError(f"{self.name}: $ref {reference!r} leads nowhere")
            node = node[name]
        return node

    def flat(self, schema: Any, depth: int = 0) -> Flat:  # noqa: ANN401 - any JSON
        """Flatten a schema; one that nests without end is cut off."""
        node = self.resolve(schema)
        if not isinstance(node, Mapping) or depth > _DEEPEST:
            return Flat()
        parts = [self.flat(each, depth + 1) for each in list_at(node, "allOf")]
        for name in ("anyOf", "oneOf"):
            alternatives = [self.flat(each, depth + 1) for each in list_at(node, name)]
            if alternatives:
                parts.append(reduce(_either, alternatives))
        return reduce(_both, parts, _own(node))


def compare_schemas(
    sides: tuple[tuple[Resolver, Any], tuple[Resolver, Any]],
    place: str,
    path: str,
    direction: Direction,
    within: tuple[tuple[int, int], ...] = (),
) -> Iterator[Finding]:
    """Compare two schemas, each with the document that it stands in.

    `within` tells the objects that these are inside of: one that contains its like is told once.
    """
    old, new = (resolver.flat(schema) for resolver, schema in sides)
    here = (id(old.properties), id(new.properties))
    if here in within or len(within) > _DEEPEST:
        return
    yield from _compare_types(old, new, place, path, direction)
    yield from _compare_enums(old, new, place, path, direction)
    yield from _compare_bounds(old, new, place, path, direction)
    yield from _compare_properties(old, new, place, path, direction)
    inside = (*within, here)
    for name, end, pair in _inner(old, new):
        deeper = ((sides[0][0], pair[0]), (sides[1][0], pair[1]))
        yield from compare_schemas(deeper, place, f"{path}{end or '.' + name}", direction, inside)


def _inner(old: Flat, new: Flat) -> Iterator[tuple[str, str, tuple[Any, Any]]]:
    for name in old.properties.keys() & new.properties.keys():
        yield name, "", (old.properties[name], new.properties[name])
    if old.items is not None and new.items is not None:
        yield "", "[]", (old.items, new.items)


def _compare_types(
    old: Flat, new: Flat, place: str, path: str, direction: Direction
) -> Iterator[Finding]:
    gone, come = (
        _widened(old.types) - _widened(new.types),
        _widened(new.types) - _widened(old.types),
    )
    if not gone and not come:
        return
    breaks = gone if direction is Direction.SENT else come
    severity = Severity.BREAKING if breaks else Severity.ADDITIVE
    yield Finding(severity, "retyped", place, path, _types(old), _types(new))


def _compare_enums(
    old: Flat, new: Flat, place: str, path: str, direction: Direction
) -> Iterator[Finding]:
    if old.enum == new.enum:
        return
    if old.enum is None or new.enum is None:
        narrower = old.enum is None
        breaks = narrower is (direction is Direction.SENT)
        sides = ("any value" if each.enum is None else listed(each.enum) for each in (old, new))
        yield Finding(_breaking(breaks), "values", place, path, *sides)
        return
    if new.enum - old.enum:
        sent = direction is Direction.SENT
        severity = Severity.ADDITIVE if sent else severity_of_new_value(path)
        seen = listed(new.enum - old.enum)
        yield Finding(severity, "new value", place, path, listed(old.enum), seen)
    if old.enum - new.enum:
        severity = Severity.BREAKING if direction is Direction.SENT else Severity.COSMETIC
        gone = listed(old.enum - new.enum)
        yield Finding(severity, "value removed", place, path, gone, "not among the values")


def _compare_bounds(
    old: Flat, new: Flat, place: str, path: str, direction: Direction
) -> Iterator[Finding]:
    for name, loosens in _BOUNDS.items():
        before, now = old.bounds.get(name), new.bounds.get(name)
        if before == now:
            continue
        looser = now is None or (before is not None and (now - before) * loosens > 0)
        breaks = looser is (direction is Direction.RECEIVED)
        sides = ("none" if each is None else f"{each:g}" for each in (before, now))
        yield Finding(_breaking(breaks), name, place, path, *sides)
    if old.default != new.default:
        sides = (each.default or "none" for each in (old, new))
        yield Finding(Severity.COSMETIC, "default", place, path, *sides)


def _compare_properties(
    old: Flat, new: Flat, place: str, path: str, direction: Direction
) -> Iterator[Finding]:
    sent = direction is Direction.SENT
    word = "field" if sent else "key"
    for name in old.properties.keys() | new.properties.keys():
        inside = f"{path}.{name}"
        before, now = (_standing(name, each) for each in (old, new))
        if before == "none":
            severity = _breaking(sent and now == "required")
            yield Finding(severity, f"{word} added", place, inside, before, now)
        elif now == "none":
            yield Finding(Severity.BREAKING, f"{word} removed", place, inside, before, now)
        elif before != now:
            severity = _breaking((now == "required") is sent)
            yield Finding(severity, f"{word} {now}", place, inside, before, now)


def _standing(name: str, schema: Flat) -> str:
    if name not in schema.properties:
        return "none"
    return "required" if name in schema.required else "optional"


def _breaking(breaks: bool) -> Severity:  # noqa: FBT001 - a truth value is what it turns into one
    return Severity.BREAKING if breaks else Severity.ADDITIVE


def _own(node: Json) -> Flat:
    """Read what a schema says without its parts."""
    enum = [node["const"]] if "const" in node else node.get("enum")
    bounds = {name: node[name] for name in _BOUNDS if _is_number(node.get(name))}
    properties = node.get("properties")
    items = node.get("items")
    return Flat(
        types=_own_types(node),
        enum=frozenset(map(str, enum)) if isinstance(enum, list) else None,
        properties=properties if isinstance(properties, Mapping) else {},
        required=frozenset(map(str, list_at(node, "required"))),
        items=items if isinstance(items, Mapping) else None,
        bounds=bounds,
        default=repr(node["default"]) if "default" in node else None,
    )


def _own_types(node: Json) -> frozenset[str]:
    types = node.get("type")
    given = [types] if isinstance(types, str) else list_at(node, "type")
    named = {each for each in given if isinstance(each, str)}
    if named and node.get("nullable") is True:
        named |= {"null"}
    return frozenset(named) or _EVERY_TYPE


def _both(one: Flat, two: Flat) -> Flat:
    """Join schemas that hold together."""
    enums = [each.enum for each in (one, two) if each.enum is not None]
    return Flat(
        types=one.types & _widened(two.types) or one.types,
        enum=reduce(frozenset.intersection, enums) if enums else None,
        properties=_joined(one.properties, two.properties),
        required=one.required | two.required,
        items=one.items or two.items,
        bounds={**two.bounds, **one.bounds},
        default=one.default if one.default is not None else two.default,
    )


def _either(one: Flat, two: Flat) -> Flat:
    """Lay alternatives over each other; null has nothing to say but that it is one."""
    null = frozenset({"null"})
    if null in (one.types, two.types):
        said = two if one.types == null else one
        return _with_types(said, one.types | two.types)
    enum = None if one.enum is None or two.enum is None else one.enum | two.enum
    objects = [each for each in (one, two) if "object" in each.types]
    return Flat(
        types=one.types | two.types,
        enum=enum,
        properties=_joined(one.properties, two.properties),
        required=reduce(frozenset.intersection, (each.required for each in objects or [one])),
        items=one.items or two.items,
    )


def _joined(one: Mapping[str, Json], two: Mapping[str, Json]) -> Mapping[str, Json]:
    """Join properties; what there is nothing to join with stays the same object."""
    return {**two, **one} if one and two else one or two


def _with_types(schema: Flat, types: frozenset[str]) -> Flat:
    return Flat(
        types,
        schema.enum,
        schema.properties,
        schema.required,
        schema.items,
        schema.bounds,
        schema.default,
    )


def _widened(types: frozenset[str]) -> frozenset[str]:
    """Let whole numbers be numbers."""
    return types | {"integer"} if "number" in types else types


def _types(schema: Flat) -> str:
    return "any type" if schema.types == _EVERY_TYPE else " or ".join(sorted(schema.types))


def list_at(node: Json, name: str) -> list[Any]:
    """Return the list at a key, an empty one where there is none."""
    value = node.get(name)
    return value if isinstance(value, list) else []


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
