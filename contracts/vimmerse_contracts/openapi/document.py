"""The OpenAPI document: what holds in general, the operations of the table, and the webhook."""

from __future__ import annotations

import re
from typing import Any, Final

from marshmallow import Schema

from vimmerse_contracts.examples import BATCH_ID as SAMPLE_BATCH_ID
from vimmerse_contracts.openapi.responses import (
    error_responses,
    examples_of,
    json_content,
    responses,
)
from vimmerse_contracts.openapi.rules import described
from vimmerse_contracts.openapi.schemas import SchemaWriter, file_fields, schema_writer
from vimmerse_contracts.operations import GENERAL_RULES, OPERATIONS, WEBHOOK_RULES, Operation
from vimmerse_contracts.schemas import WebhookSchema
from vimmerse_contracts.vocabulary import API_KEY_HEADER, PRODUCTION_URL

Json = dict[str, Any]

TITLE: Final = "Vimmerse batch API (mock)"
API_VERSION: Final = "2025-04"
REAL: Final = {"url": PRODUCTION_URL, "description": "The real service, which takes real credits"}
MOCK: Final = {"url": "/", "description": "The mock that you have this document from"}
WEBHOOK: Final = "batchDone"

_WEBHOOK_FIELD: Final = "webhook_url"
_URLENCODED: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_IMAGES: Final = "image/png, image/jpeg, image/gif, image/webp"
_BATCHES: Final = {"name": "batches", "description": "Images become videos, batch by batch"}
_SERVICE: Final = {"name": "service", "description": "The service itself"}


def openapi_document(*, served_by_mock: bool = False) -> Json:
    """Make the OpenAPI 3.1 document of the public API.

    Its server is the real one; a mock that serves the document names itself first, so that nobody
    who reads it there pays by mistake.
    """
    spec, writer = schema_writer(
        TITLE,
        API_VERSION,
        described("What holds for all operations.", GENERAL_RULES),
        servers=[MOCK, REAL] if served_by_mock else [REAL],
        tags=[_BATCHES, _SERVICE],
    )
    spec.components.security_scheme(
        "ApiKey", {"type": "apiKey", "in": "header", "name": API_KEY_HEADER}
    )
    for name, response in error_responses(writer).items():
        spec.components.response(name, response)
    for operation in OPERATIONS:
        written = _operation(operation, writer)
        spec.path(operation.path, operations={operation.method.lower(): written})
    document: Json = spec.to_dict()
    document["webhooks"] = {WEBHOOK: {"post": _webhook(writer)}}
    return document


def _operation(operation: Operation, writer: SchemaWriter) -> Json:
    written: Json = {
        "operationId": operation.id,
        "tags": [_BATCHES["name"] if operation.needs_key else _SERVICE["name"]],
        "summary": operation.summary,
        **described(operation.summary + ".", operation.rules),
        "parameters": [_path_parameter(name) for name in re.findall(r"{(\w+)}", operation.path)],
        "responses": responses(operation, writer),
    }
    if operation.needs_key:
        written["security"] = [{"ApiKey": []}]
    if operation.request is not None:
        written |= _request(operation.request, writer, uploads=operation.uploads)
    return written


def _path_parameter(name: str) -> Json:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": "The 'id' of a Batch",
        "schema": {"type": "string", "format": "uuid"},
        "example": SAMPLE_BATCH_ID,
    }


def _request(schema: type[Schema], writer: SchemaWriter, *, uploads: bool) -> Json:
    """Write the form of an operation, and what is sent to the webhook_url in it."""
    examples = examples_of(schema)
    content = {
        _URLENCODED: {"schema": writer.form(schema, uploads=False), "examples": examples},
    }
    if uploads:
        content[_MULTIPART] = {
            "schema": writer.form(schema, uploads=True),
            "examples": examples,
            "encoding": {name: {"contentType": _IMAGES} for name in file_fields(schema)},
        }
    written: Json = {
        "requestBody": {"content": content, "required": bool(getattr(schema, "needs_one_of", ()))}
    }
    if _WEBHOOK_FIELD in schema().fields:
        address = f"{{$request.body#/{_WEBHOOK_FIELD}}}"
        written["callbacks"] = {WEBHOOK: {address: {"post": _webhook(writer)}}}
    return written


def _webhook(writer: SchemaWriter) -> Json:
    return {
        "summary": "Sent to webhook_url when a submission ends",
        **described("The request is done.", WEBHOOK_RULES),
        "requestBody": {"required": True, "content": json_content(WebhookSchema, writer)},
        "responses": {"2XX": {"description": "Taken; anything else may be retried"}},
    }
