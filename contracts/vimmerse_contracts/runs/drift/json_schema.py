"""JSON Schemas of two OpenAPI documents (3.0 or 3.1) compared, by what they let through.

What is sent and what is received are judged in opposite directions: to ask for more breaks a
sender, to say less breaks a reader. What one of the documents leaves unsaid is no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Final

from vimmerse_contracts.runs.drift.findings import Finding, Severity, listed, severity_of_new_value
from vimmerse_contracts.runs.exchanges import json_type

Json = Mapping[str, Any]

_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_BOUNDS: Final = (*_LOWER, "maximum", "exclusiveMaximum", "maxLength", "maxItems")
_READ_FROM: Final = "x-read-from"


class DocumentError(ValueError):
    """A document cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A schema as flat as it goes; what it leaves unsaid is empty.

    `parts` are the schemas inside, by the step that leads there: `.title`, and `[]` for items.
    `read_from` is "default" or "example" where that stands in place of a schema.
    """

    types: frozenset[str] = frozenset()
    enum: frozenset[str] = frozenset()
    parts: Mapping[str, object] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    bounds: Mapping[str, float] = field(default_factory=dict)
    read_from: str = ""


class Document:
    """An OpenAPI document; `name` is what messages call it."""

    def __init__(self, content: Json, name: str) -> None:
        self.content = content
        self.name = name
        self._shapes: dict[int, tuple[Json, Shape]] = {}

    def resolve(self, node: object) -> Json:
        """Return the mapping that a node is or refers to; an empty one where it is no mapping.

        Raises:
            DocumentError: it refers to what is not in the document, or to itself.
        """
        for _ in range(12):  # a longer chain goes in circles
            reference = mapping(node).get("$ref")
            if not isinstance(reference, str):
                return mapping(node)
            node = self.content
            for step in reference.removeprefix("#/").split("/"):
                node = mapping(node).get(step.replace("~1", "/").replace("~0", "~"))
            if node is None:
                break
        raise DocumentError(f"{self.name}: $ref {reference!r} leads nowhere in it: bundle it first")

    def shape(self, schema: object) -> Shape:
        """Flatten a schema: `allOf` is joined, the alternatives of `anyOf` and `oneOf` as well."""
        node = self.resolve(schema)
        if id(node) not in self._shapes:
            self._shapes[id(node)] = node, Shape()  # what contains itself says no more there
            shape = reduce(_both, map(self.shape, list_at(node, "allOf")), _own_shape(node))
            for name in ("anyOf", "oneOf"):
                if alternatives := [self.shape(each) for each in list_at(node, name)]:
                    shape = _both(shape, _any_of(alternatives))
            self._shapes[id(node)] = node, shape
        return self._shapes[id(node)][1]


def _own_shape(node: Json) -> Shape:
    """Return what a schema says without its alternatives, or its example, if it has only that."""
    for name in ("example", "default"):
        described = any(map(node.get, ("properties", "items", "allOf", "anyOf", "oneOf")))
        if isinstance(node.get(name), dict | list) and node[name] and not described:
            node = {**node, **_schema_of(node[name], name)}
    types = {*map(str, list_at(node, "type"))}
    types |= {"integer"} if "number" in types else set()
    types |= {"null"} if types and node.get("nullable") is True else set()
    required, properties = list_at(node, "required"), mapping(node.get("properties"))
    if properties.keys() == {"detail"}:
        required = ["detail"]  # a 422 of FastAPI always has it, and FastAPI lists it as optional
    if properties.keys() >= {"loc", "msg", "type"}:  # pydantic sends more than FastAPI lists
        properties = {name: properties[name] for name in properties.keys() - {"input", "ctx"}}
    items = {"[]": node["items"]} if node.get("items") else {}
    return Shape(
        types=frozenset(types),
        enum=frozenset(map(str, [node["const"]] if "const" in node else list_at(node, "enum"))),
        parts={f".{name}": each for name, each in properties.items()} | items,
        required=frozenset(f".{name}" for name in required),
        bounds={name: node[name] for name in _BOUNDS if type(node.get(name)) in (int, float)},
        read_from=str(node.get(_READ_FROM, "")),
    )


def _schema_of(value: object, read_from: str) -> Json:
    """Return the schema that an example or a default stands for."""
    schema = {_READ_FROM: read_from, "type": json_type(value)}
    if isinstance(value, dict):
        properties = {name: _schema_of(each, read_from) for name, each in value.items()}
        return {**schema, "properties": properties, "required": list(value)}
    if isinstance(value, list) and value:
        return {**schema, "items": {"anyOf": [_schema_of(each, read_from) for each in value]}}
    return schema


def _both(one: Shape, two: Shape) -> Shape:
    """Join schemas that hold together."""
    return Shape(
        types=one.types & two.types or one.types or two.types,
        enum=one.enum & two.enum or one.enum or two.enum,
        parts={**two.parts, **one.parts},
        required=one.required | two.required,
        bounds={**two.bounds, **one.bounds},
        read_from=one.read_from or two.read_from,
    )


def _any_of(alternatives: list[Shape]) -> Shape:
    """Join schemas of which one holds; null has nothing to say but that it is one."""
    said = [each for each in alternatives if each.types != {"null"}] or [Shape()]
    types, enums = [each.types for each in alternatives], [each.enum for each in said]
    return replace(
        reduce(_both, said),
        types=frozenset().union(*types) if all(types) else frozenset(),
        enum=frozenset().union(*enums) if all(enums) else frozenset(),
        required=frozenset.intersection(*[each.required for each in said]),
    )


@dataclass(frozen=True, slots=True)
class Spot:
    """Where two schemas stand, and whether the value is sent to the service, or received."""

    place: str
    path: str
    sent: bool

    def finding(self, kind: str, expected: str, seen: str, *, breaks: bool) -> Finding:
        """Return a finding at this spot, breaking or additive."""
        severity = Severity.BREAKING if breaks else Severity.ADDITIVE
        return Finding(severity, kind, self.place, self.path, expected, seen)


@dataclass(frozen=True, slots=True)
class SchemaComparison:
    """Compares schemas of two documents; no pair of them twice."""

    first: Document
    second: Document
    seen: set[tuple[int, int, bool]] = field(default_factory=set)

    def compare(self, old: object, new: object, at: Spot) -> Iterator[Finding]:
        """Compare two schemas; an object that is a component is named by it, not by its place."""
        before, now = self.first.shape(old), self.second.shape(new)
        component = " as ".join(dict.fromkeys(filter(None, map(_component, (old, new)))))
        at = Spot(component, "$", at.sent) if component and before.parts else at
        if (pair := (id(before), id(now), at.sent)) in self.seen:
            return
        self.seen.add(pair)
        if _is_envelope(before, now) and not at.sent:
            yield from self.compare(before.parts[".data"], new, at)
        elif _is_envelope(now, before) and not at.sent:
            yield from self.compare(old, now.parts[".data"], at)
        elif before.types and now.types and before.types.isdisjoint(now.types):
            yield at.finding("retyped", listed(before.types), listed(now.types), breaks=True)
        else:
            yield from _compare_types(before, now, at)
            yield from _compare_values(before, now, at)
            yield from _compare_bounds(before, now, at)
            yield from self._compare_parts(before, now, at)

    def _compare_parts(self, before: Shape, now: Shape, at: Spot) -> Iterator[Finding]:
        for step in {**before.parts, **now.parts} if before.parts and now.parts else ():
            inside = replace(at, path=at.path + step)
            yield from _compare_presence(before, now, step, inside)
            if step in before.parts and step in now.parts:
                yield from self.compare(before.parts[step], now.parts[step], inside)


def _compare_presence(before: Shape, now: Shape, step: str, at: Spot) -> Iterator[Finding]:
    was, becomes = _presence(before, step, at), _presence(now, step, at)
    word, needed = "field" if at.sent else "key", becomes == "required"
    if was == "none":
        yield at.finding(f"{word} added", was, becomes, breaks=at.sent and needed)
    elif becomes == "none":
        yield at.finding(f"{word} removed", was, becomes, breaks=True)
    elif {was, becomes} == {"required", "optional"}:
        yield at.finding(f"{word} {becomes}", was, becomes, breaks=at.sent is needed)


def _presence(shape: Shape, step: str, at: Spot) -> str:
    # An example need not show every key; a default is all that a service answers by itself.
    one_of_many = shape.read_from == "example" or (at.sent and shape.read_from)
    if step not in shape.parts:
        return "not shown" if one_of_many else "none"
    if one_of_many:
        return "shown"
    has_default = "default" in mapping(shape.parts[step])  # a service always answers with it
    return "required" if step in shape.required or (has_default and not at.sent) else "optional"


def _compare_types(before: Shape, now: Shape, at: Spot) -> Iterator[Finding]:
    gone, come = before.types - now.types, now.types - before.types
    one_value = before.read_from or now.read_from  # which cannot be of every type
    if before.types and now.types and gone | come and not one_value:
        breaks = bool(gone if at.sent else come)
        yield at.finding("retyped", listed(before.types), listed(now.types), breaks=breaks)


def _compare_values(before: Shape, now: Shape, at: Spot) -> Iterator[Finding]:
    gone, come = listed(before.enum - now.enum), listed(now.enum - before.enum)
    if before.enum and now.enum:
        if come:
            breaks = not at.sent and severity_of_new_value(at.path) is Severity.BREAKING
            yield at.finding("new value", listed(before.enum), come, breaks=breaks)
        if gone and at.sent:
            yield at.finding("value removed", gone, "not listed", breaks=True)
    elif at.sent and (gone or come):
        yield at.finding("values", gone or "any", come or "any", breaks=bool(come))


def _compare_bounds(before: Shape, now: Shape, at: Spot) -> Iterator[Finding]:
    for name in _BOUNDS:
        was, becomes = before.bounds.get(name), now.bounds.get(name)
        if was == becomes or (not at.sent and None in (was, becomes)):
            continue
        looser = becomes is None or (was is not None and (becomes < was) is (name in _LOWER))
        sides = ("none" if each is None else f"{each:g}" for each in (was, becomes))
        yield at.finding(name, *sides, breaks=looser is not at.sent)


def _is_envelope(outer: Shape, inner: Shape) -> bool:
    """Whether one side wraps in `data` what the other has bare."""
    return outer.parts.keys() == {".data"} and bool(inner.parts) and ".data" not in inner.parts


def _component(schema: object) -> str:
    """Return the name of the component that a schema refers to, alone or beside null, or ""."""
    node = mapping(schema)
    if isinstance(node.get("$ref"), str):
        return str(node["$ref"]).rpartition("/")[2]
    parts = [each for name in ("allOf", "anyOf", "oneOf") for each in list_at(node, name)]
    referring = [each for each in parts if each != {"type": "null"}]
    return _component(referring[0]) if len(referring) == 1 else ""


def mapping(node: object) -> Json:
    """Return the node itself, or nothing where it is no mapping."""
    return node if isinstance(node, Mapping) else {}


def list_at(node: Json, name: str) -> list[Any]:
    """Return the list at a key; a text is a list of one, and what is neither an empty one."""
    value = node.get(name)
    return value if isinstance(value, list) else [value] if isinstance(value, str) else []
