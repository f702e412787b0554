from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from vimmerse_contracts.checks import check_batch
from vimmerse_contracts.examples import BATCHES, EXAMPLES
from vimmerse_contracts.openapi import error_name, errors_of, openapi_document
from vimmerse_contracts.operations import ERRORS, HEALTH, OPERATIONS, Operation, all_rules
from vimmerse_contracts.provenance import Rule
from vimmerse_contracts.schemas import (
    BatchAnswerSchema,
    BatchSchema,
    CreateBatchSchema,
    FormSchema,
    UpdateBatchSchema,
    ValidationErrorSchema,
)
from vimmerse_contracts.vocabulary import MOTION_TYPES, PRODUCTION_URL
from vimmerse_mock.app import create_mock

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
    statuses = {"200", *(str(error.status) for error in errors_of(operation))}
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


def test_a_creation_needs_an_image(document: dict[str, Any]) -> None:
    """With files, one of two fields is needed; without, there is only one, which is needed."""
    schemas = document["components"]["schemas"]
    with_files, without = schemas["CreateBatch"], schemas["CreateBatchWithoutFiles"]
    assert with_files["anyOf"] == [{"required": ["image_files"]}, {"required": ["image_urls"]}]
    assert without["required"] == ["image_urls"]
    assert set(with_files["properties"]) - set(without["properties"]) == {"image_files"}


def test_a_form_has_no_null(document: dict[str, Any]) -> None:
    """What is not given in a form is not there: no field of a form may be null."""
    for name in ("CreateBatch", "CreateBatchWithoutFiles", "UpdateBatch"):
        written = json.dumps(document["components"]["schemas"][name])
        assert "null" not in written


EXAMPLED = [
    pytest.param(schema, example, id=f"{schema.__name__}-{name}")
    for schema, examples in EXAMPLES.items()
    for name, example in examples.items()
]


@pytest.mark.parametrize(("schema", "example"), EXAMPLED)
def test_an_example_is_what_its_schema_describes(schema: Any, example: Any) -> None:
    """Each example is valid by the marshmallow schema that it is of; in forms it is text."""
    is_form = issubclass(schema, FormSchema)
    sent = {name: as_form_text(value) for name, value in example.value.items()}
    assert schema().validate(sent if is_form else example.value) == {}


def as_form_text(value: object) -> object:
    """Write a number as a form does."""
    return str(value) if isinstance(value, int) else value


@pytest.mark.parametrize("name", BATCHES)
def test_an_example_of_a_batch_is_a_batch(name: str) -> None:
    """Each example of a Batch holds by the suite's own checks: key order, ids, media, outcome."""
    check_batch(BATCHES[name].value, "example")


def test_the_examples_are_valid_by_the_document(document: dict[str, Any]) -> None:
    """Somebody else's validator finds every example valid by the schema that it stands beside."""
    seen = 0
    for content in contents_of(document):
        validator = Draft202012Validator({**content["schema"], **document})
        for example in content["examples"].values():
            validator.validate(example["value"])
            seen += 1
    assert seen > len(ERRORS) + len(BATCHES)


def contents_of(node: Any) -> Iterator[dict[str, Any]]:
    """Every media type object below a node of the document."""
    if isinstance(node, dict):
        if "schema" in node and "examples" in node:
            yield node
        for inner in node.values():
            yield from contents_of(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from contents_of(inner)


@pytest.mark.parametrize("error", ERRORS, ids=[error.rule.id for error in ERRORS])
def test_an_error_is_described_with_an_example(document: dict[str, Any], error: Any) -> None:
    """Each error has a component with its rule, its source and an example of its own."""
    described = document["components"]["responses"][error_name(error)]
    assert described["description"] == error.rule.text
    assert [rule["id"] for rule in described["x-rules"]] == [error.rule.id]
    (example,) = described["content"]["application/json"]["examples"].values()
    assert example["value"] == (error.body if error.code else WRONG)


WRONG = EXAMPLES[ValidationErrorSchema]["wrong_fields"].value


def test_headers_are_described_where_http_has_them(document: dict[str, Any]) -> None:
    """405 comes with Allow, 429 and 503 with Retry-After, and no other error with a header."""
    described = document["components"]["responses"]
    expected = {405: {"Allow"}, 429: {"Retry-After"}, 503: {"Retry-After"}}
    for error in ERRORS:
        headers = described[error_name(error)].get("headers", {})
        assert set(headers) == expected.get(error.status, set())


def test_what_no_operation_names_any_may_answer() -> None:
    """Every error of the contract is documented of some operation; those of a service, of all."""
    assert {error for each in OPERATIONS for error in errors_of(each)} == set(ERRORS)
    service = {error.status for error in errors_of(HEALTH)} - {405}
    assert service >= {500, 503, 507}


@_each
def test_a_batch_links_to_what_can_be_done_with_it(
    document: dict[str, Any], operation: Operation
) -> None:
    """Each answer with a Batch leads by its id to every operation on a batch, others nowhere."""
    success = document["paths"][operation.path][operation.method.lower()]["responses"]["200"]
    by_id = {each.id for each in OPERATIONS if "{batch_id}" in each.path}
    answers_a_batch = operation.answer is BatchAnswerSchema
    assert set(success.get("links", {})) == (by_id if answers_a_batch else set())


def test_the_webhook_is_called_back_where_its_address_is_given(document: dict[str, Any]) -> None:
    """Exactly the operations that take a webhook_url have the webhook as their callback."""
    webhook = document["webhooks"]["batchDone"]
    operations = [method for path in document["paths"].values() for method in path.values()]
    callbacks = {each["operationId"]: each.get("callbacks") for each in operations}
    called_back = {"batchDone": {"{$request.body#/webhook_url}": webhook}}
    assert {name for name, value in callbacks.items() if value} == {"create_batch", "update_batch"}
    assert all(value in (None, called_back) for value in callbacks.values())


def test_the_server_is_the_real_one_unless_a_mock_serves_the_document() -> None:
    """A document that a mock serves names that mock first, so that nobody pays by mistake."""
    assert [server["url"] for server in openapi_document()["servers"]] == [PRODUCTION_URL]
    served = create_mock().app.test_client().get("/openapi.json").json or {}
    assert [server["url"] for server in served["servers"]] == ["/", PRODUCTION_URL]


def test_every_rule_is_there_for_programs(document: dict[str, Any]) -> None:
    """Each rule stands in an `x-rules` with its text, its source, and its reason if it has one."""
    listed = {rule["id"]: rule for rule in rules_below(document)}
    assert listed == {rule.id: rule_as_json(rule) for rule in all_rules()}


def rules_below(node: Any) -> Iterator[dict[str, str]]:
    """Every rule below a node of the document."""
    if isinstance(node, dict):
        yield from node.get("x-rules", [])
        for inner in node.values():
            yield from rules_below(inner)


def rule_as_json(rule: Rule) -> dict[str, str]:
    """What the document says of a rule."""
    reason = {"reason": rule.reason} if rule.reason else {}
    return {"id": rule.id, "text": rule.text, "source": rule.source.value} | reason


def test_every_rule_is_told(document: dict[str, Any]) -> None:
    """Each rule that is not an error's is written in the document, with its id and its source."""
    text = json.dumps(document)
    missing = [
        rule.id
        for rule in all_rules()
        if not rule.id.startswith("error.") and f"`{rule.id}` ({rule.source})" not in text
    ]
    assert missing == []
