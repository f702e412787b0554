"""JSON Schemas compared, as OpenAPI 3.0 and 3.1 write them, by what they let through.

A schema is first flattened: `$ref` followed within the document, `allOf` joined, the alternatives
of `anyOf` and `oneOf` laid over each other (FastAPI writes `anyOf: [..., {"type": "null"}]`). What
is sent to the service and what comes from it are compared in opposite directions: to ask for more
breaks a sender, to say less breaks a reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import reduce
from types import MappingProxyType
from typing import Any, Final

from vimmerse_contracts.operations import OPERATIONS, Operation
from vimmerse_contracts.runs.drift.findings import (
    Finding,
    Severity,
    in_order,
    listed,
    severity_of_new_value,
)

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
    """Add whole numbers where numbers are allowed."""
    return types | {"integer"} if "number" in types else types


def _types(schema: Flat) -> str:
    return "any type" if schema.types == _EVERY_TYPE else " or ".join(sorted(schema.types))


def list_at(node: Json, name: str) -> list[Any]:
    """Return the list at a key, an empty one where there is none."""
    value = node.get(name)
    return value if isinstance(value, list) else []


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


__all__ = ["DocumentError", "compare_documents"]

WEBHOOK: Final = "webhook"
_WEBHOOK_KEYS: Final = frozenset({"customer_id", "batch_id"})
_SUCCESS: Final = "2"
_JSON: Final = "application/json"

Sides = tuple[tuple[Resolver, Any], tuple[Resolver, Any]]
"""The same thing in both documents, each with its document."""


def compare_documents(
    old: object, new: object, renamed: Mapping[str, str] | None = None
) -> tuple[Finding, ...]:
    """Say where the new document differs from the old one in what the contract speaks of.

    `renamed` says how paths of either begin, and how the contract's begin in their place:
    `{"/story": "/batch"}`. Path parameters are told apart by their place, not by their name.

    Raises:
        DocumentError: one is no OpenAPI 3 document, or has none of the contract's operations.
    """
    resolvers = _resolver(old, "the first document"), _resolver(new, "the second document")
    tables = tuple(_operations(resolver, renamed or {}) for resolver in resolvers)
    if not tables[0]:
        raise DocumentError(
            "the first document has none of the contract's operations; if its paths have "
            "other names, add --rename /story=/batch"
        )
    findings: list[Finding] = []
    for operation in OPERATIONS:
        findings += _compare_operation(operation, resolvers, tables)
    findings += _compare_webhooks(resolvers)
    return in_order(findings)


def _resolver(document: object, which: str) -> Resolver:
    if not isinstance(document, Mapping):
        raise DocumentError(f"{which} is not OpenAPI: it is not a JSON object")
    version = document.get("openapi")
    if not isinstance(version, str) or not version.startswith("3."):
        seen = f"its 'openapi' is {version!r}" if version is not None else "it has no 'openapi'"
        raise DocumentError(f"{which} is not OpenAPI 3: {seen}")
    return Resolver(document, which)


def _operations(resolver: Resolver, renamed: Mapping[str, str]) -> dict[tuple[str, str], Json]:
    """Find the contract's operations: method and path, without names of parameters."""
    wanted = {(each.method, _anonymous(each.path)) for each in OPERATIONS}
    found: dict[tuple[str, str], Json] = {}
    for path, item in _mapping(resolver, resolver.document.get("paths")).items():
        methods = _mapping(resolver, item)
        shared = list_at(methods, "parameters")
        for method, node in methods.items():
            key = (method.upper(), _anonymous(_renamed(path, renamed)))
            if key in wanted and isinstance(node, Mapping):
                found[key] = {**node, "parameters": shared + list_at(node, "parameters")}
    return found


def _renamed(path: str, renamed: Mapping[str, str]) -> str:
    for before, after in renamed.items():
        if path == before or path.startswith(before.rstrip("/") + "/"):
            return after + path[len(before) :]
    return path


def _anonymous(path: str) -> str:
    return re.sub(r"{[^}]*}", "{}", path).rstrip("/")


def _compare_operation(
    operation: Operation,
    resolvers: tuple[Resolver, Resolver],
    tables: Sequence[Mapping[tuple[str, str], Json]],
) -> Iterator[Finding]:
    key = (operation.method, _anonymous(operation.path))
    old, new = (table.get(key) for table in tables)
    label = f"{operation.method} {operation.path}"
    if old is None or new is None:
        if old is not new:
            yield _there_or_not("operation", operation.id, "", old, new, label)
        return
    sides = ((resolvers[0], old), (resolvers[1], new))
    yield from _compare_parameters(operation.id, sides)
    yield from _compare_request(operation.id, sides)
    yield from _compare_responses(operation.id, sides)


def _there_or_not(
    what: str, place: str, path: str, old: object, new: object, label: str
) -> Finding:
    if old is None:
        return Finding(Severity.ADDITIVE, f"{what} added", place, path, "none", label)
    if new is None:
        return Finding(Severity.BREAKING, f"{what} removed", place, path, label, "none")
    raise ValueError("it is there on both sides")


def _compare_parameters(place: str, sides: Sides) -> Iterator[Finding]:
    old, new = (_parameters(resolver, node) for resolver, node in sides)
    for key in dict.fromkeys([*old, *new]):
        path = f"{key[0]} {key[1]}"
        before, now = (_need(each.get(key)) for each in (old, new))
        if before != now:
            breaks = now == "required" or now == "none"
            kind = {"none": "removed"}.get(now, "added" if before == "none" else now)
            severity = Severity.BREAKING if breaks else Severity.ADDITIVE
            yield Finding(severity, f"parameter {kind}", place, path, before, now)
        if key in old and key in new:
            schemas = _each(sides, old[key].get("schema"), new[key].get("schema"))
            yield from compare_schemas(schemas, place, path, Direction.SENT)


def _parameters(resolver: Resolver, operation: Json) -> dict[tuple[str, str], Json]:
    """Find the parameters by where they are and their name; in the path, by their place."""
    named: dict[tuple[str, str], Json] = {}
    in_path = 0
    for node in operation["parameters"]:
        parameter = _mapping(resolver, node)
        where, name = str(parameter.get("in")), str(parameter.get("name"))
        if where == "path":
            in_path += 1
            name = str(in_path)
        named[where, name.lower() if where == "header" else name] = parameter
    return named


def _need(parameter: Json | None) -> str:
    if parameter is None:
        return "none"
    return "required" if parameter.get("required") is True else "optional"


def _compare_request(place: str, sides: Sides) -> Iterator[Finding]:
    bodies = [_mapping(resolver, node.get("requestBody")) for resolver, node in sides]
    before, now = (_need(body) if body else "none" for body in bodies)
    if before != now and now != "none":
        severity = Severity.BREAKING if now == "required" else Severity.ADDITIVE
        yield Finding(severity, "body", place, "request", before, now)
    old, new = (_content(resolver, node.get("requestBody")) for resolver, node in sides)
    yield from _compare_content(place, "request", sides, (old, new), Direction.SENT)


def _compare_content(
    place: str,
    path: str,
    sides: Sides,
    contents: tuple[Mapping[str, Json], Mapping[str, Json]],
    direction: Direction,
) -> Iterator[Finding]:
    """Compare bodies by content type; those of one type alone are compared whatever it is."""
    old, new = contents
    for kind in dict.fromkeys([*old, *new]):
        if kind not in old or kind not in new:
            yield _there_or_not("content type", place, path, old.get(kind), new.get(kind), kind)
    common = [kind for kind in old if kind in new]
    pairs = [(kind, kind) for kind in common] or list(
        zip(list(old)[:1], list(new)[:1], strict=False)
    )
    for before, now in pairs:
        schemas = _each(sides, old[before].get("schema"), new[now].get("schema"))
        yield from compare_schemas(schemas, place, path, direction)


def _compare_responses(place: str, sides: Sides) -> Iterator[Finding]:
    old, new = (_mapping(resolver, node.get("responses")) for resolver, node in sides)
    for status in dict.fromkeys([*map(str, old), *map(str, new)]):
        at = f"{place} {status}"
        if status not in old:
            yield Finding(Severity.ADDITIVE, "response added", at, "", "none", status)
        elif status not in new:
            success = status.startswith(_SUCCESS)
            severity = Severity.BREAKING if success else Severity.COSMETIC
            yield Finding(severity, "response removed", at, "", status, "none")
        else:
            contents = tuple(
                _content(resolver, responses[status])
                for (resolver, _), responses in zip(sides, (old, new), strict=True)
            )
            both = (contents[0], contents[1])
            yield from _compare_content(at, "$", sides, both, Direction.RECEIVED)


def _compare_webhooks(resolvers: tuple[Resolver, Resolver]) -> Iterator[Finding]:
    old, new = (_webhook(resolver) for resolver in resolvers)
    if old is not None and new is not None:
        sides = _each(((resolvers[0], None), (resolvers[1], None)), old, new)
        yield from compare_schemas(sides, WEBHOOK, "$", Direction.RECEIVED)
    elif old is not new:
        yield _there_or_not("webhook", WEBHOOK, "", old, new, "a webhook with batch_id")


def _webhook(resolver: Resolver) -> Any:  # noqa: ANN401 - a schema, or None
    """Find the body of the contract's webhook: the one that names customer and batch."""
    for item in _mapping(resolver, resolver.document.get("webhooks")).values():
        for method in _mapping(resolver, item).values():
            body = _mapping(resolver, method).get("requestBody")
            schema = _content(resolver, body).get(_JSON, {}).get("schema")
            if schema is not None and resolver.flat(schema).properties.keys() >= _WEBHOOK_KEYS:
                return schema
    return None


def _content(resolver: Resolver, body: object) -> dict[str, Json]:
    content = _mapping(resolver, _mapping(resolver, body).get("content"))
    return {
        kind.partition(";")[0].strip().lower(): _mapping(resolver, node)
        for kind, node in content.items()
    }


def _each(sides: Sides, old: object, new: object) -> Sides:
    return ((sides[0][0], old), (sides[1][0], new))


def _mapping(resolver: Resolver, node: object) -> Mapping[str, Any]:
    resolved = resolver.resolve(node)
    return resolved if isinstance(resolved, Mapping) else {}
