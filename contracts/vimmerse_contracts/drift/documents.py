"""Two OpenAPI documents compared, as far as the contract goes: its operations and its webhook."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from vimmerse_contracts.drift.findings import Finding, Severity, in_order
from vimmerse_contracts.drift.jsonschema import (
    Direction,
    DocumentError,
    Json,
    Resolver,
    compare_schemas,
    list_at,
)
from vimmerse_contracts.operations import OPERATIONS, Operation

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
            "the first document has none of the contract's operations; if its paths are other "
            "ones, say so: --rename /story=/batch"
        )
    findings: list[Finding] = []
    for operation in OPERATIONS:
        findings += _compare_operation(operation, resolvers, tables)
    findings += _compare_webhooks(resolvers)
    return in_order(findings)


def _resolver(document: object, which: str) -> Resolver:
    if not isinstance(document, Mapping):
        raise DocumentError(f"{which} is no OpenAPI: it is no JSON object")
    version = document.get("openapi")
    if not isinstance(version, str) or not version.startswith("3."):
        seen = f"its 'openapi' is {version!r}" if version is not None else "it has no 'openapi'"
        raise DocumentError(f"{which} is no OpenAPI 3: {seen}")
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
