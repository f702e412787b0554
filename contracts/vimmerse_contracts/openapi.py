"""The OpenAPI 3.1 document and the JSON Schemas, made from the table of operations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from vimmerse_contracts.examples import BATCH_ID as SAMPLE_BATCH_ID
from vimmerse_contracts.examples import EXAMPLES
from vimmerse_contracts.fields import HttpUrl, Timestamp, Upload
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


def described(first: str, rules: Iterable[Rule]) -> dict[str, Any]:
    """Make the `description` and the `x-rules` of what follows these rules."""
    told = tuple(rules)
    return {
        "description": "\n".join([first, "", *(_line(rule) for rule in told)]),
        "x-rules": [as_json(rule) for rule in told],
    }


def as_json(rule: Rule) -> dict[str, str]:
    """Write a rule with its source; an assumed one has its reason."""
    written = {"id": rule.id, "text": rule.text, "source": rule.source.value}
    return {**written, "reason": rule.reason} if rule.reason else written


def _line(rule: Rule) -> str:
    why = f", since {rule.reason}" if rule.reason else ""
    return f"- `{rule.id}` ({rule.source}): {rule.text}{why}."


Json = dict[str, Any]

URL_PATTERN = r"^https?://[A-Za-z0-9]"
TIMESTAMP_PATTERN = r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d{6}\+00:00$"


class SchemaWriter:
    """Writes marshmallow schemas into the components of a document, and refers to them."""

    def __init__(self, spec: APISpec, plugin: MarshmallowPlugin) -> None:
        if plugin.converter is None:  # apispec makes it in APISpec's constructor
            raise RuntimeError("apispec has not initialised its marshmallow plugin")
        self._spec = spec
        self._converter = plugin.converter
        self._converter.add_attribute_function(_formats)  # type: ignore[no-untyped-call] # apispec's

    def reference(self, schema: type[Schema] | Schema) -> Json:
        """Write a schema, and those in it, once, and return the reference to it."""
        reference: Json = self._converter.resolve_nested_schema(schema)  # type: ignore[no-untyped-call] # apispec's
        return reference

    def form(self, schema: type[Schema], *, uploads: bool) -> Json:
        """Write the schema of a form; without uploads, its file fields are not there."""
        without = () if uploads else file_fields(schema)
        reference = self.reference(schema(exclude=without) if without else schema)
        written = self._spec.components.schemas[reference["$ref"].rpartition("/")[2]]
        _require_one_of(written, [name for name in _needed(schema) if name not in without])
        return reference


def schema_writer(
    title: str,
    version: str,
    info: Json,
    **document: Any,  # noqa: ANN401 - as APISpec
) -> tuple[APISpec, SchemaWriter]:
    """Begin a document, and return it with what writes its schemas."""
    plugin = MarshmallowPlugin(schema_name_resolver=_name)
    spec = APISpec(title, version, "3.1.0", [plugin], info=info, **document)
    return spec, SchemaWriter(spec, plugin)


def _name(schema: Schema | type[Schema] | str) -> str:
    name = schema if isinstance(schema, str) else getattr(schema, "__name__", type(schema).__name__)
    without_files = isinstance(schema, Schema) and bool(schema.exclude)
    return name.removesuffix("Schema") + ("WithoutFiles" if without_files else "")


def file_fields(schema: type[Schema]) -> tuple[str, ...]:
    """Name the fields of a form that take files."""
    return tuple(
        name
        for name, field in schema().fields.items()
        if isinstance(field, fields.List) and isinstance(field.inner, Upload)
    )


def _needed(schema: type[Schema]) -> tuple[str, ...]:
    needed: tuple[str, ...] = getattr(schema, "needs_one_of", ())
    return needed


def _require_one_of(written: Json, names: list[str]) -> None:
    """Say that a form needs one of some fields, where marshmallow has no word for it."""
    if len(names) == 1:
        written["required"] = names
    elif names:
        written["anyOf"] = [{"required": [name]} for name in names]
    for name in names:
        written["properties"][name]["minItems"] = 1


def _formats(_converter: OpenAPIConverter, field: fields.Field[Any], ret: Json) -> Json:
    """Say what apispec does not know of the contract's own fields."""
    _not_given_is_not_null(field, ret)
    if isinstance(field, HttpUrl):
        return {"format": "uri", "pattern": URL_PATTERN}
    if isinstance(field, Timestamp):
        return {"pattern": TIMESTAMP_PATTERN, "examples": ["2025-04-02 16:21:42.465259+00:00"]}
    if isinstance(field, Upload):
        return {"type": "string", "format": "binary"}
    return {}


def _not_given_is_not_null(field: fields.Field[Any], written: Json) -> None:
    """Take back the null that apispec sees in a default of None: a form has no null."""
    if field.load_default is not None:
        return
    del written["default"]
    written["type"] = next(kind for kind in written["type"] if kind != "null")
    if "enum" in written:
        written["enum"] = [value for value in written["enum"] if value is not None]


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
"""What is exported, by name: the Batch, the answer around it, the webhook, and both errors."""

_COMPONENTS: Final = "#/components/schemas/"
_DEFS: Final = "#/$defs/"


def json_schemas() -> dict[str, Json]:
    """Make the schemas by name; each has an `$id`, and keeps what it refers to in its `$defs`.

    They tolerate unknown keys, since the real object has grown before and will again (P26).
    """
    spec, writer = schema_writer(TITLE, API_VERSION, {})
    roots = {name: _target(writer.reference(schema)) for name, schema in EXPORTED.items()}
    written: Json = _with_defs(spec.to_dict()["components"]["schemas"])
    return {name: _alone(name, root, written) for name, root in roots.items()}


def _alone(name: str, root: str, written: Json) -> Json:
    schema: Json = {
        "$schema": DIALECT,
        "$id": f"urn:vimmerse-mock:{API_VERSION}:{name}",
        "title": root,
        "description": _first_line(EXPORTED[name]),
        **written[root],
    }
    examples = [dict(example.value) for example in EXAMPLES.get(EXPORTED[name], {}).values()]
    if examples:
        schema["examples"] = examples
    needed = set(_needed_by(written[root], written))
    if needed:
        schema["$defs"] = {inner: written[inner] for inner in sorted(needed)}
    return schema


def _first_line(schema: type[Schema]) -> str:
    return (schema.__doc__ or "").partition("\n")[0]


def _needed_by(node: object, written: Json) -> Iterator[str]:
    """Yield every schema that this one refers to, and what those refer to."""
    if isinstance(node, dict):
        if "$ref" in node:
            name = _target(node)
            yield name
            yield from _needed_by(written[name], written)
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from _needed_by(inner, written)


def _target(reference: Json) -> str:
    name: str = reference["$ref"].rpartition("/")[2]
    return name


def _with_defs(node: Any) -> Any:  # noqa: ANN401 - any JSON
    """Point every reference into `$defs`."""
    if isinstance(node, dict):
        return {key: _with_defs(inner) for key, inner in node.items()}
    if isinstance(node, list):
        return [_with_defs(inner) for inner in node]
    return node.replace(_COMPONENTS, _DEFS) if isinstance(node, str) else node
