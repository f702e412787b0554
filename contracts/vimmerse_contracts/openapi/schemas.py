"""The contract's marshmallow schemas as JSON Schema 2020-12, which OpenAPI 3.1 uses."""

from __future__ import annotations

from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from vimmerse_contracts.fields import HttpUrl, Timestamp, Upload

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
