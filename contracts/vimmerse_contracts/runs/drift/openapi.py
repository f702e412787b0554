"""Two OpenAPI documents compared in what the contract speaks of: its operations and its webhook."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vimmerse_contracts.operations import OPERATIONS, Operation
from vimmerse_contracts.runs.drift.findings import Finding, in_order, listed
from vimmerse_contracts.runs.drift.json_schema import (
    Document,
    DocumentError,
    Json,
    SchemaComparison,
    Spot,
    list_at,
    mapping,
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An operation of a document: its method and path, its schemas.

    `sent` is all that is sent, parameters and body, as one schema; `answers` go by status.
    """

    label: str
    content_types: frozenset[str]
    sent: Json
    answers: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Match:
    """An operation of the contract, and what each document has for it."""

    operation: Operation
    first: Endpoint | None
    second: Endpoint | None


@dataclass(frozen=True, slots=True)
class DocumentDrift:
    """What was compared with what, and what was found."""

    matches: tuple[Match, ...]
    findings: tuple[Finding, ...]


def compare_documents(
    first: object, second: object, mapped: Mapping[str, str] | None = None
) -> DocumentDrift:
    """Compare two OpenAPI 3 documents.

    An operation is found by its method and path, whatever the path parameters are called, or by
    `mapped`, in the document that has it: `{"POST /story/images-2-video": "create_batch"}`.

    Raises:
        DocumentError: one is not an OpenAPI 3 document, or `mapped` does not fit them.
    """
    documents = _open(first, "the first document"), _open(second, "the second document")
    ids = {_anonymous(label): operation for label, operation in (mapped or {}).items()}
    old, new = (_endpoints(document, ids) for document in documents)
    used = {(_anonymous(each.label), name) for name, each in (*old.items(), *new.items())}
    for label, operation in (mapped or {}).items():
        if (_anonymous(label), operation) not in used:
            raise DocumentError(f"{label!r} is in no document, or another one is {operation}, too")
    matches = tuple(Match(each, old.get(each.id), new.get(each.id)) for each in OPERATIONS)
    comparison = SchemaComparison(*documents)
    at = Spot("webhook", "$", sent=False)
    findings = [*comparison.compare(_webhook(documents[0]), _webhook(documents[1]), at)]
    for each in matches:
        if each.first and each.second:
            findings += _compare_endpoints(comparison, each.operation.id, each.first, each.second)
        elif each.first and not each.operation.needs_key:  # with a key, it may have another path
            at = Spot(each.operation.id, "", sent=True)
            findings.append(at.finding("operation removed", each.first.label, "none", breaks=True))
    return DocumentDrift(matches, in_order(findings))


def _open(content: object, name: str) -> Document:
    if not str(mapping(content).get("openapi")).startswith("3."):
        raise DocumentError(f"{name} is not an OpenAPI 3 document: its 'openapi' is not 3.0 or 3.1")
    return Document(mapping(content), name)


def _anonymous(label: str) -> str:
    return re.sub(r"{[^}]*}", "{}", label).rstrip("/")


def _endpoints(document: Document, mapped: Mapping[str, str]) -> dict[str, Endpoint]:
    """Return what a document has for the contract's operations, by their ids."""
    own = {_anonymous(f"{each.method} {each.path}"): each.id for each in OPERATIONS}
    found: dict[str, Endpoint] = {}
    for path, item in document.resolve(document.content.get("paths")).items():
        methods = document.resolve(item)
        for method, node in methods.items():
            key = _anonymous(label := f"{method.upper()} {path}")
            operation = mapped.get(key) or own.get(key)
            if operation and (key in mapped or operation not in found):
                found[operation] = _endpoint(document, label, methods, mapping(node))
    return found


def _endpoint(document: Document, label: str, item: Json, node: Json) -> Endpoint:
    # Path parameters are taken from the path, since not every document lists them. 0 is the path.
    sent: dict[str, object] = {f"path {place}": {} for place in range(label.count("{") + 1)}
    required = list(sent)
    for each in (*list_at(item, "parameters"), *list_at(node, "parameters")):
        parameter = document.resolve(each)
        where, name = parameter.get("in"), str(parameter.get("name"))
        if where != "path":
            name = f"{where} {name.lower() if where == 'header' else name}"
            sent[name] = parameter.get("schema")
            required += [name] if parameter.get("required") is True else []
    if body := document.resolve(node.get("requestBody")):
        sent["body"] = _content(body)
        required += ["body"] if body.get("required") is True else []
    types = {kind.partition(";")[0].strip().lower() for kind in mapping(body.get("content"))}
    responses = document.resolve(node.get("responses"))
    answers = {status: _content(document.resolve(each)) for status, each in responses.items()}
    return Endpoint(label, frozenset(types), {"properties": sent, "required": required}, answers)


def _content(body: Json) -> Json:
    """Return the schemas of a body as one; where one says nothing, its example does."""
    schemas = []
    for each in map(mapping, mapping(body.get("content")).values()):
        examples = [mapping(one).get("value") for one in mapping(each.get("examples")).values()]
        example = each.get("example", *examples[:1])
        schemas.append({"example": example, **mapping(each.get("schema"))})
    return {"anyOf": schemas}


def _compare_endpoints(
    comparison: SchemaComparison, operation: str, old: Endpoint, new: Endpoint
) -> Iterator[Finding]:
    at = Spot(operation, "request", sent=True)
    types = listed(old.content_types), listed(new.content_types)
    if all(types) and types[0] != types[1]:
        breaks = not old.content_types <= new.content_types
        yield at.finding("content type", *types, breaks=breaks)
    yield from comparison.compare(old.sent, new.sent, at)
    for status in {**old.answers, **new.answers}:
        at = Spot(f"{operation} {status}", "$", sent=False)
        if status not in old.answers:
            yield at.finding("response added", "none", status, breaks=False)
        elif status in new.answers:
            yield from comparison.compare(old.answers[status], new.answers[status], at)
        elif status.startswith("2"):  # an error that is not listed may still come
            yield at.finding("response removed", status, "none", breaks=True)


def _webhook(document: Document) -> Json:
    """Return the schema of the contract's webhook: the one that names customer and batch."""
    for item in document.resolve(document.content.get("webhooks")).values():
        for method in document.resolve(item).values():
            schema = _content(document.resolve(mapping(method).get("requestBody")))
            if document.shape(schema).parts.keys() >= {".customer_id", ".batch_id"}:
                return schema
    return {}
