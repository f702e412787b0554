"""The OpenAPI 3.1 document and the JSON Schemas, made from the table of operations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin, resolver
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from vimmerse_contracts.examples import BATCH_ID, EXAMPLES
from vimmerse_contracts.fields import TIMESTAMP_PATTERN, HttpUrl, Timestamp, Upload
from vimmerse_contracts.operations import (
    ERRORS,
    GENERAL_RULES,
    OPERATIONS,
    WEBHOOK_RULES,
    ApiError,
    Operation,
)
from vimmerse_contracts.provenance import Rule
from vimmerse_contracts.schemas import (
    BatchAnswerSchema,
    BatchSchema,
    MessageErrorSchema,
    ValidationErrorSchema,
    WebhookSchema,
)
from vimmerse_contracts.vocabulary import API_KEY_HEADER, PRODUCTION_URL

Json = dict[str, Any]

TITLE: Final = "Vimmerse batch API (mock)"
API_VERSION: Final = "2025-04"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
EXPORTED: Final[Mapping[str, type[Schema]]] = MappingProxyType(
    {
        "batch": BatchSchema,
        "batch-answer": BatchAnswerSchema,
        "webhook": WebhookSchema,
        "error": MessageErrorSchema,
        "validation-error": ValidationErrorSchema,
    }
)
"""The JSON Schemas by name: the Batch, the answer around it, the webhook, and both errors."""

_REAL: Final = {"url": PRODUCTION_URL, "description": "The real service, which takes real credits"}
_MOCK: Final = {"url": "/", "description": "The mock that you have this document from"}
_BATCHES: Final = {"name": "batches", "description": "Images become videos, batch by batch"}
_SERVICE: Final = {"name": "service", "description": "The service itself"}
_WEBHOOK: Final = "batchDone"
_IMAGES: Final = "image/png, image/jpeg, image/gif, image/webp"


def openapi_document(*, served_by_mock: bool = False) -> Json:
    """Return the OpenAPI 3.1 document of the public API.

    Its server is the real one; a mock that serves the document names itself first, so that nobody
    who reads it there pays by mistake.
    """
    plugin = _Plugin()
    spec = APISpec(
        TITLE,
        API_VERSION,
        "3.1.0",
        [plugin],
        info=_described("What holds for all operations.", GENERAL_RULES),
        servers=[_MOCK, _REAL] if served_by_mock else [_REAL],
        tags=[_BATCHES, _SERVICE],
    )
    key = {"type": "apiKey", "in": "header", "name": API_KEY_HEADER}
    spec.components.security_scheme("ApiKey", key)
    for error in ERRORS:
        spec.components.response(error_name(error), _error(error))
    for operation in OPERATIONS:
        spec.path(operation.path, operations={operation.method.lower(): _operation(operation)})
    webhook = {"post": _webhook()}
    plugin.operation_helper(operations=webhook)
    document: Json = spec.to_dict()
    return {**document, "webhooks": {_WEBHOOK: webhook}}


def json_schemas() -> dict[str, Json]:
    """Return the JSON Schemas by name; each has an `$id`, and what it refers to in its `$defs`.

    They tolerate unknown keys, since the real object has grown before and will again (P26).
    """
    return {name: _json_schema(name, schema) for name, schema in EXPORTED.items()}


def errors_of(operation: Operation) -> tuple[ApiError, ...]:
    """Return what an operation may be refused with; what no operation names, any may say."""
    named = {error for each in OPERATIONS for error in each.errors}
    return (*operation.errors, *(error for error in ERRORS if error not in named))


def error_name(error: ApiError) -> str:
    """Return the name of an error's component: `NotFound`."""
    return HTTPStatus(error.status).name.title().replace("_", "")


class _Converter(OpenAPIConverter):
    """Adds what apispec cannot know of the contract's own fields and forms."""

    def schema2jsonschema(self, schema: Schema) -> Json:
        """Say that a form needs one of some fields, where marshmallow has no word for it."""
        written: Json = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call] # apispec's
        needed = [name for name in getattr(schema, "needs_one_of", ()) if name in schema.fields]
        for name in needed:
            written["properties"][name]["minItems"] = 1
        if len(needed) == 1:
            written["required"] = needed
        elif needed:
            written["anyOf"] = [{"required": [name]} for name in needed]
        return written

    def field2property(self, field: fields.Field[Any]) -> Json:
        written = super().field2property(field)
        if field.load_default is None:  # not given; a form has no null
            del written["default"]
        if isinstance(field, HttpUrl):
            written |= {"format": "uri", "pattern": r"^https?://[A-Za-z0-9]"}
        elif isinstance(field, Timestamp):
            written["pattern"] = TIMESTAMP_PATTERN
            written["examples"] = ["2025-04-02 16:21:42.465259+00:00"]
        elif isinstance(field, Upload):
            written |= {"type": "string", "format": "binary"}
        return written


class _Plugin(MarshmallowPlugin):
    Converter = _Converter

    def __init__(self) -> None:
        super().__init__(schema_name_resolver=_schema_name)


def _schema_name(schema: type[Schema] | Schema) -> str:
    without_files = bool(getattr(schema, "exclude", ()))
    return resolver(schema) + ("WithoutFiles" if without_files else "")  # type: ignore[arg-type] # it takes both


def _described(first: str, rules: Iterable[Rule]) -> Json:
    """Return the `description` and the `x-rules` of what follows these rules."""
    lines, written = [first, ""], []
    for rule in rules:
        why = f", since {rule.reason}" if rule.reason else ""
        lines.append(f"- `{rule.id}` ({rule.source}): {rule.text}{why}.")
        written.append(_rule(rule))
    return {"description": "\n".join(lines), "x-rules": written}


def _rule(rule: Rule) -> dict[str, str]:
    written = {"id": rule.id, "text": rule.text, "source": rule.source.value}
    return {**written, "reason": rule.reason} if rule.reason else written


def _operation(operation: Operation) -> Json:
    done: Json = {"description": "Done", "content": _json_content(operation.answer)}
    if operation.answer is BatchAnswerSchema:
        done["links"] = _links()
    refused = {str(error.status): error_name(error) for error in errors_of(operation)}
    written: Json = {
        "operationId": operation.id,
        "tags": [_BATCHES["name"] if operation.needs_key else _SERVICE["name"]],
        "summary": operation.summary,
        **_described(operation.summary + ".", operation.rules),
        "parameters": [_path_parameter(name) for name in re.findall(r"{(\w+)}", operation.path)],
        "responses": {"200": done, **refused},
    }
    if operation.needs_key:
        written["security"] = [{"ApiKey": []}]
    if operation.request is not None:
        written |= _request(operation.request)
    return written


def _path_parameter(name: str) -> Json:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": "The 'id' of a Batch",
        "schema": {"type": "string", "format": "uuid"},
        "example": BATCH_ID,
    }


def _links() -> Json:
    """Lead from a Batch to every operation on it."""
    return {
        each.id: {
            "operationId": each.id,
            "description": each.summary,
            "parameters": {"batch_id": "$response.body#/data/id"},
        }
        for each in OPERATIONS
        if "{batch_id}" in each.path
    }


def _request(schema: type[Schema]) -> Json:
    """Describe a form, and what is sent to the webhook_url in it."""
    examples, form = _examples(schema), schema().fields
    files = [
        name
        for name, field in form.items()
        if isinstance(field, fields.List) and isinstance(field.inner, Upload)
    ]
    content: Json = {
        "application/x-www-form-urlencoded": {
            "schema": schema(exclude=files) if files else schema,
            "examples": examples,
        }
    }
    if files:
        content["multipart/form-data"] = {
            "schema": schema,
            "examples": examples,
            "encoding": {name: {"contentType": _IMAGES} for name in files},
        }
    needed = bool(getattr(schema, "needs_one_of", ()))
    written: Json = {"requestBody": {"content": content, "required": needed}}
    if "webhook_url" in form:
        address = "{$request.body#/webhook_url}"
        written["callbacks"] = {_WEBHOOK: {address: {"post": _webhook()}}}
    return written


def _webhook() -> Json:
    return {
        "summary": "Sent to webhook_url when a submission ends",
        **_described("The request is done.", WEBHOOK_RULES),
        "requestBody": {"required": True, "content": _json_content(WebhookSchema)},
        "responses": {"2XX": {"description": "Taken; anything else may be retried"}},
    }


def _json_content(schema: type[Schema]) -> Json:
    return {"application/json": {"schema": schema, "examples": _examples(schema)}}


def _examples(schema: type[Schema]) -> Json:
    return {
        name: {"summary": example.summary, "value": dict(example.value)}
        for name, example in EXAMPLES[schema].items()
    }


_RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "Seconds to wait before the next try",
        "schema": {"type": "integer", "minimum": 0, "examples": [1]},
    }
}
_ALLOW: Final = {
    "Allow": {
        "description": "The methods that the path takes",
        "schema": {"type": "string", "examples": ["GET"]},
    }
}
_HEADERS: Final[Mapping[int, Json]] = MappingProxyType(
    {405: _ALLOW, 429: _RETRY_AFTER, 503: _RETRY_AFTER}
)
"""What HTTP sends along with a status (RFC 9110)."""


def _error(error: ApiError) -> Json:
    examples = (
        {error.code.lower(): {"summary": error.rule.text, "value": error.body}}
        if error.code
        else _examples(error.schema)
    )
    written: Json = {
        "description": error.rule.text,
        "content": {"application/json": {"schema": error.schema, "examples": examples}},
        "x-rules": [_rule(error.rule)],
    }
    if error.status in _HEADERS:
        written["headers"] = _HEADERS[error.status]
    return written


def _json_schema(name: str, schema: type[Schema]) -> Json:
    spec = APISpec(TITLE, API_VERSION, "3.1.0", [_Plugin()])
    root = _schema_name(schema)
    spec.components.schema(root, schema=schema)
    components = json.dumps(spec.components.schemas).replace("#/components/schemas/", "#/$defs/")
    needed: dict[str, Json] = json.loads(components)
    written: Json = {
        "$schema": DIALECT,
        "$id": f"urn:vimmerse-mock:{API_VERSION}:{name}",
        "title": root,
        "description": (schema.__doc__ or "").partition("\n")[0],
        **needed.pop(root),
    }
    if schema in EXAMPLES:
        written["examples"] = [dict(each.value) for each in EXAMPLES[schema].values()]
    if needed:
        written["$defs"] = dict(sorted(needed.items()))
    return written
