from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from vimmerse_contracts.openapi import openapi_document
from vimmerse_contracts.operations import OPERATIONS, Operation, all_rules
from vimmerse_contracts.schemas import BatchSchema, CreateBatchSchema, UpdateBatchSchema
from vimmerse_contracts.vocabulary import MOTION_TYPES

_each = pytest.mark.parametrize("operation", OPERATIONS, ids=[each.id for each in OPERATIONS])


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Make the document once."""
    return openapi_document()


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    """The document is OpenAPI 3.1 by its own schema, and survives being JSON."""
    validate(json.loads(json.dumps(document)))
    assert document["openapi"] == "3.1.0"


def test_the_document_has_the_operations_and_no_others(document: dict[str, Any]) -> None:
    """Every operation of the table is in the document, by method and path, and nothing else."""
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }
    assert described == {(each.method, each.path) for each in OPERATIONS}


@_each
def test_an_operation_is_described_as_in_the_table(
    document: dict[str, Any], operation: Operation
) -> None:
    """An operation has its id, its answers, its key and its form as the table says."""
    described = document["paths"][operation.path][operation.method.lower()]
    statuses = {"200", *(str(error.status) for error in operation.errors)}
    assert described["operationId"] == operation.id
    assert set(described["responses"]) == statuses
    assert ("security" in described) == operation.needs_key
    assert ("requestBody" in described) == (operation.request is not None)


def test_files_may_go_along_on_creation_only(document: dict[str, Any]) -> None:
    """A creation takes both encodings of a form, an update only the one without files."""
    forms = {
        each.id: set(described["requestBody"]["content"])
        for each in OPERATIONS
        if "requestBody" in (described := document["paths"][each.path][each.method.lower()])
    }
    urlencoded = "application/x-www-form-urlencoded"
    assert forms == {
        "create_batch": {urlencoded, "multipart/form-data"},
        "update_batch": {urlencoded},
    }


def test_the_webhook_is_described(document: dict[str, Any]) -> None:
    """The document has the webhook, with the documented body."""
    described = document["webhooks"]["batchDone"]["post"]
    reference = described["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schema = document["components"]["schemas"][reference.rpartition("/")[2]]
    assert set(schema["required"]) == {"customer_id", "batch_id", "status"}
    assert schema["properties"]["status"]["enum"] == ["success", "fail"]


@pytest.mark.parametrize("schema", [BatchSchema, CreateBatchSchema, UpdateBatchSchema])
def test_a_schema_is_described_field_by_field(document: dict[str, Any], schema: Any) -> None:
    """Each field of a schema is a property of the document's, in its order."""
    described = document["components"]["schemas"][schema.__name__.removesuffix("Schema")]
    assert list(described["properties"]) == list(schema().fields)


def test_limits_and_choices_are_described(document: dict[str, Any]) -> None:
    """Numbers have their limits and words their choices, so that a client can check them."""
    fields = document["components"]["schemas"]["CreateBatch"]["properties"]
    assert fields["motion_type"]["enum"] == list(MOTION_TYPES)
    assert (fields["loop"]["minimum"], fields["loop"]["maximum"]) == (1, 6)
    assert fields["webhook_url"]["format"] == "uri"


def test_every_rule_is_told(document: dict[str, Any]) -> None:
    """Each rule that is not an error's is written in the document, with its id and its source."""
    text = json.dumps(document)
    missing = [
        rule.id
        for rule in all_rules()
        if not rule.id.startswith("error.") and f"`{rule.id}` ({rule.source})" not in text
    ]
    assert missing == []
