"""The OpenAPI 3.1 document, made from the table of operations by apispec."""

from __future__ import annotations

import re
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from vimmerse_contracts.errors import ApiError
from vimmerse_contracts.fields import HttpUrl, Timestamp, Upload
from vimmerse_contracts.operations import GENERAL_RULES, OPERATIONS, WEBHOOK_RULES, Operation
from vimmerse_contracts.provenance import Rule
from vimmerse_contracts.schemas import WebhookSchema
from vimmerse_contracts.vocabulary import API_KEY_HEADER

TITLE = "Vimmerse batch API (mock)"
API_VERSION = "2025-04"


def openapi_document() -> dict[str, Any]:
    """Make the OpenAPI 3.1 document of the public API."""
    plugin = MarshmallowPlugin(schema_name_resolver=_schema_name)
    spec = APISpec(
        title=TITLE,
        version=API_VERSION,
        openapi_version="3.1.0",
        plugins=[plugin],
        info={"description": _describe_rules("What holds for all operations.", GENERAL_RULES)},
    )
    converter = plugin.converter
    if converter is None:  # apispec makes it in APISpec's constructor
        raise RuntimeError("apispec has not initialised its marshmallow plugin")
    converter.add_attribute_function(_field_formats)  # type: ignore[no-untyped-call] # apispec's
    spec.components.security_scheme(
        "ApiKey", {"type": "apiKey", "in": "header", "name": API_KEY_HEADER}
    )
    for operation in OPERATIONS:
        spec.path(operation.path, operations={operation.method.lower(): _describe(operation)})
    document: dict[str, Any] = spec.to_dict()
    document["webhooks"] = {"batchDone": {"post": _webhook(converter)}}
    return document


def _schema_name(schema: Schema | type[Schema] | str) -> str:
    name = schema if isinstance(schema, str) else getattr(schema, "__name__", type(schema).__name__)
    return name.removesuffix("Schema")


def _field_formats(
    _converter: OpenAPIConverter, field: fields.Field[Any], **_kwargs: object
) -> dict[str, Any]:
    if isinstance(field, HttpUrl):
        return {"format": "uri", "pattern": "^https?://"}
    if isinstance(field, Timestamp):
        return {"examples": ["2025-04-02 16:21:42.465259+00:00"]}
    if isinstance(field, Upload):
        return {"type": "string", "contentMediaType": "application/octet-stream"}
    return {}


def _describe(operation: Operation) -> dict[str, Any]:
    description: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": _describe_rules(operation.summary + ".", operation.rules),
        "parameters": [_path_parameter(name) for name in re.findall(r"{(\w+)}", operation.path)],
        "responses": {
            "200": {"description": "Done", "content": _json(operation.answer)},
            **{str(error.status): _error(error) for error in operation.errors},
        },
    }
    if operation.needs_key:
        description["security"] = [{"ApiKey": []}]
    if operation.request is not None:
        description["requestBody"] = {"content": _forms(operation.request, operation.uploads)}
    return description


def _describe_rules(first: str, rules: tuple[Rule, ...]) -> str:
    return "\n".join([first, "", *(_rule_line(rule) for rule in rules)])


def _rule_line(rule: Rule) -> str:
    why = f", since {rule.reason}" if rule.reason else ""
    return f"- `{rule.id}` ({rule.source}): {rule.text}{why}."


def _path_parameter(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
    }


def _forms(schema: type[Schema], uploads: bool) -> dict[str, Any]:  # noqa: FBT001 - the table's own field
    kinds = ["application/x-www-form-urlencoded"]
    if uploads:
        kinds.append("multipart/form-data")
    return {kind: {"schema": schema} for kind in kinds}


def _json(schema: type[Schema]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _error(error: ApiError) -> dict[str, Any]:
    return {"description": error.rule.text, "content": _json(error.schema)}


def _webhook(converter: OpenAPIConverter) -> dict[str, Any]:
    return {
        "summary": "Sent to webhook_url when a submission ends",
        "description": _describe_rules("The request is done.", WEBHOOK_RULES),
        "requestBody": {
            "content": {"application/json": {"schema": _reference(converter, WebhookSchema)}}
        },
        "responses": {"2XX": {"description": "Anything else may be retried"}},
    }


def _reference(converter: OpenAPIConverter, schema: type[Schema]) -> Any:  # noqa: ANN401 - apispec's is untyped
    return converter.resolve_nested_schema(schema)  # type: ignore[no-untyped-call] # apispec's
