"""The answers of the document: what is said on success, links onwards, and every error."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from marshmallow import Schema

from vimmerse_contracts.errors import ERRORS, ApiError
from vimmerse_contracts.examples import EXAMPLES
from vimmerse_contracts.openapi.rules import as_json
from vimmerse_contracts.openapi.schemas import SchemaWriter
from vimmerse_contracts.operations import OPERATIONS, Operation
from vimmerse_contracts.schemas import BatchAnswerSchema

Json = dict[str, Any]

BATCH_ID: Final = "batch_id"
_RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "Seconds to wait before the next try",
        "schema": {"type": "integer", "minimum": 0, "examples": [1]},
    }
}
_HEADERS: Final[Mapping[int, Json]] = MappingProxyType(
    {
        HTTPStatus.METHOD_NOT_ALLOWED: {
            "Allow": {
                "description": "The methods that the path takes",
                "schema": {"type": "string", "examples": ["GET"]},
            }
        },
        HTTPStatus.TOO_MANY_REQUESTS: _RETRY_AFTER,
        HTTPStatus.SERVICE_UNAVAILABLE: _RETRY_AFTER,
    }
)
"""What HTTP sends along with a status (RFC 9110)."""


def errors_of(operation: Operation) -> tuple[ApiError, ...]:
    """Return what an operation may be refused with; what no operation names, any may say."""
    named = {error for each in OPERATIONS for error in each.errors}
    return (*operation.errors, *(error for error in ERRORS if error not in named))


def error_responses(writer: SchemaWriter) -> dict[str, Json]:
    """Write every error of the contract, by the name of its component."""
    return {error_name(error): _error(error, writer) for error in ERRORS}


def error_name(error: ApiError) -> str:
    """Name the component of an error by its status: `NotFound`."""
    return HTTPStatus(error.status).name.title().replace("_", "")


def responses(operation: Operation, writer: SchemaWriter) -> dict[str, Json]:
    """Write what an operation may answer."""
    refused = {
        str(error.status): {"$ref": f"#/components/responses/{error_name(error)}"}
        for error in errors_of(operation)
    }
    return {"200": _success(operation, writer), **refused}


def json_content(schema: type[Schema], writer: SchemaWriter) -> Json:
    """Write a JSON body with its examples."""
    return {
        "application/json": {"schema": writer.reference(schema), "examples": examples_of(schema)}
    }


def examples_of(schema: type[Schema]) -> Json:
    """Write the examples of a schema by their names."""
    return {
        name: {"summary": example.summary, "value": dict(example.value)}
        for name, example in EXAMPLES[schema].items()
    }


def _success(operation: Operation, writer: SchemaWriter) -> Json:
    written = {"description": "Done", "content": json_content(operation.answer, writer)}
    if operation.answer is BatchAnswerSchema:
        written["links"] = _links()
    return written


def _links() -> Json:
    """Lead from a Batch to every operation on it."""
    return {
        each.id: {
            "operationId": each.id,
            "description": each.summary,
            "parameters": {BATCH_ID: "$response.body#/data/id"},
        }
        for each in OPERATIONS
        if f"{{{BATCH_ID}}}" in each.path
    }


def _error(error: ApiError, writer: SchemaWriter) -> Json:
    content = {"schema": writer.reference(error.schema), "examples": _error_examples(error)}
    written = {
        "description": error.rule.text,
        "content": {"application/json": content},
        "x-rules": [as_json(error.rule)],
    }
    headers = _HEADERS.get(error.status)
    return {**written, "headers": headers} if headers else written


def _error_examples(error: ApiError) -> Json:
    if not error.code:
        return examples_of(error.schema)
    return {error.code.lower(): {"summary": error.rule.text, "value": error.body}}
