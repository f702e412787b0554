"""JSON Schemas (2020-12) of what the API says, each standing alone: for other peoples' stacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from marshmallow import Schema

from vimmerse_contracts.examples import EXAMPLES
from vimmerse_contracts.openapi.document import API_VERSION, TITLE
from vimmerse_contracts.openapi.schemas import schema_writer
from vimmerse_contracts.schemas import (
    BatchAnswerSchema,
    BatchSchema,
    MessageErrorSchema,
    ValidationErrorSchema,
    WebhookSchema,
)

Json = dict[str, Any]

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
    needed = set(_needed(written[root], written))
    if needed:
        schema["$defs"] = {inner: written[inner] for inner in sorted(needed)}
    return schema


def _first_line(schema: type[Schema]) -> str:
    return (schema.__doc__ or "").partition("\n")[0]


def _needed(node: object, written: Json) -> Iterator[str]:
    """Yield every schema that this one refers to, and what those refer to."""
    if isinstance(node, dict):
        if "$ref" in node:
            name = _target(node)
            yield name
            yield from _needed(written[name], written)
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from _needed(inner, written)


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
