"""The OpenAPI 3.1 document of the control plane, made from its table of operations."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from apispec import APISpec

from vimmerse_contracts.vocabulary import CONTROL_HEADER
from vimmerse_mock.control.messages import Refusal
from vimmerse_mock.control.operations import NOTHING, OPERATIONS, Operation

_REFERENCE: Final = "#/components/schemas/{name}"
_TYPES: Final = {str: "string", int: "integer"}
_JSON: Final = "application/json"
_CONTROL: Final = {
    "name": CONTROL_HEADER,
    "in": "header",
    "required": False,
    "description": "Any value; required where no token is sent",
    "schema": {"type": "string", "example": "1"},
}
_REFUSALS: Final = {
    "400": "The body or a value in it is wrong; nothing was changed",
    "401": "The control plane asks for its token: Authorization: Bearer ...",
    "403": "The request may be a web page's, a webhook's, a proxy's or another machine's",
    "404": "There is no such account, or no such operation",
    "409": "The key or the customer id is taken; nothing was changed",
}


def control_document() -> dict[str, Any]:
    """Make the document."""
    spec = APISpec(
        title="Vimmerse mock: control plane",
        version="1",
        openapi_version="3.1.0",
        info={"description": "Accounts, clocks and everything else that a test has in its hand."},
    )
    types = {
        t for o in OPERATIONS for t in (o.takes, o.gives) if t not in (NOTHING, dict[str, Any])
    }
    ordered = sorted(types | {Refusal}, key=lambda each: each.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REFERENCE)
    references = dict(zip(ordered, schemas, strict=True))
    spec.components.security_scheme("Token", {"type": "http", "scheme": "bearer"})
    for operation in OPERATIONS:
        described = {operation.method.lower(): _describe(operation, references)}
        spec.path(operation.path, operations=described)
    document: dict[str, Any] = spec.to_dict()
    document["components"]["schemas"] = components  # apispec takes `"items": false` for a name
    return document


def _describe(operation: Operation[Any, Any], references: dict[Any, Any]) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done"}
    if operation.gives is not NOTHING:
        schema = references.get(operation.gives, {"type": "object"})
        done["content"] = {_JSON: {"schema": schema}}
    refused = {"content": {_JSON: {"schema": references[Refusal]}}}
    description: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in re.findall(r"{(\w+)}", operation.path)
            ),
            *(
                {"name": name, "in": "query", "schema": {"type": _TYPES[kind]}}
                for name, kind in operation.query.items()
            ),
            *([] if operation.method == "GET" else [_CONTROL]),
        ],
        "responses": {
            str(operation.status): done,
            **{status: {"description": text, **refused} for status, text in _REFUSALS.items()},
        },
        "security": [{}, {"Token": []}],
    }
    if operation.takes is not NOTHING:
        body = {"required": True, "content": {_JSON: {"schema": references[operation.takes]}}}
        description["requestBody"] = body
    return description
