"""The control plane's OpenAPI document, held against its table and its answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest
import requests
from openapi_spec_validator import validate

from support.control_bodies import BODIES
from vimmerse_contracts.vocabulary import CONTROL_HEADER, CONTROL_ROOT
from vimmerse_mock.control.calls import HttpCaller
from vimmerse_mock.control.operations import NOTHING, OPERATIONS, Operation
from vimmerse_mock.model.account import Opening
from vimmerse_mock.receiving.inbox import Listener
from vimmerse_mock.server import MockServer

REFUSED: Mapping[int, tuple[str, str, bytes]] = {
    400: ("POST", "/accounts", b'{"credits": -1}'),
    404: ("GET", "/accounts/nobody", b""),
    409: ("POST", "/accounts", b'{"api_key": "YOUR_API_KEY"}'),
}


@pytest.fixture(scope="module")
def server(listener: Listener) -> Iterator[MockServer]:
    """A server with an account to which everything has happened."""
    with MockServer(
        opening=Opening(customer_id="me", api_key="YOUR_API_KEY", clock="manual")
    ) as server:
        form = {"image_urls": "http://images.example/1.jpg"}
        form["webhook_url"] = listener.open_inbox().url
        for key in ("YOUR_API_KEY", "nobodys"):
            requests.post(f"{server.url}/batch", headers={"X-Api-Key": key}, data=form, timeout=60)
        server.account.faults.status(500)
        server.account.clock.advance("1m")
        yield server


@pytest.fixture(scope="module")
def document(server: MockServer) -> dict[str, Any]:
    """The document as it is served."""
    answer = requests.get(f"{server.url}{CONTROL_ROOT}/openapi.json", timeout=60)
    document: dict[str, Any] = answer.json()
    return document


def schema_of(document: Mapping[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an answer or a body, with the components that it refers to."""
    return {
        **described["content"]["application/json"]["schema"],
        "components": document["components"],
    }


def closed(schema: Any) -> Any:
    """The schema with every object of named fields closed, so that an unnamed field stands out."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(each) for name, each in schema.items()}
    return {**inner, "additionalProperties": False} if schema.get("properties") else inner


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    """It is OpenAPI 3.1 to the letter."""
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_the_document_has_the_table_and_no_more(document: dict[str, Any]) -> None:
    """Every operation by method, path, id, parameters and body."""
    described = {
        (method.upper(), path): operation["operationId"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert described == {(o.method, o.path): o.id for o in OPERATIONS}
    for operation in OPERATIONS:
        described = document["paths"][operation.path][operation.method.lower()]
        names = [(each["in"], each["name"]) for each in described["parameters"]]
        in_path = [("path", name) for name in re.findall(r"{(\w+)}", operation.path)]
        changes = [] if operation.method == "GET" else [("header", CONTROL_HEADER)]
        assert names == [*in_path, *(("query", name) for name in operation.query), *changes]
        assert ("requestBody" in described) is (operation.takes is not NOTHING)
        assert {str(operation.status), "400", "401", "403", "404"} <= set(described["responses"])


def test_the_index_lists_every_operation(server: MockServer) -> None:
    """A GET of the root, with or without its slash, tells all and where the document is."""
    for root in (CONTROL_ROOT, f"{CONTROL_ROOT}/"):
        answer = requests.get(server.url + root, timeout=60).json()
        listed = [(each["method"], each["path"]) for each in answer["operations"]]
        assert listed == [(o.method, o.path) for o in OPERATIONS]
        assert requests.get(server.url + answer["openapi"], timeout=60).ok


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.id)
def test_bodies_and_answers_are_as_described(
    server: MockServer, document: dict[str, Any], operation: Operation[Any, Any]
) -> None:
    """What is sent and what comes back fit their schemas, with no field that is not in them."""
    account = (
        server.open_account(Opening(clock="manual")) if operation.status == 204 else server.account
    )
    body = BODIES.get(operation.id)
    if operation.id == "import_accounts":
        other = server.open_account()
        body = json.loads(HttpCaller(server.url).send("GET", _export(other.customer_id), b"")[1])
        other.close()
    described = document["paths"][operation.path][operation.method.lower()]
    if operation.takes is not NOTHING:
        jsonschema.validate(body, schema_of(document, described["requestBody"]))
    webhook = server.account.outbox[0]
    path = operation.path.format(
        customer_id=account.customer_id, message_id=webhook.id, batch_id=webhook.batch_id
    )
    sent = b"" if body is None else json.dumps(body).encode()
    status, said = HttpCaller(server.url).send(operation.method, path, sent)
    assert status == operation.status, said
    answer = described["responses"][str(status)]
    assert bool(said) is ("content" in answer)
    if said:
        jsonschema.validate(json.loads(said), closed(schema_of(document, answer)))


def _export(customer_id: str) -> str:
    return f"{CONTROL_ROOT}/accounts/{customer_id}/export"


@pytest.mark.parametrize("status", REFUSED)
def test_refusals_are_as_described(
    server: MockServer, document: dict[str, Any], status: int
) -> None:
    """Every refusal has the one schema that each operation names for it."""
    method, path, body = REFUSED[status]
    came, said = HttpCaller(server.url).send(method, CONTROL_ROOT + path, body)
    described = document["paths"][f"{CONTROL_ROOT}/accounts"]["post"]["responses"][str(status)]
    assert came == status
    jsonschema.validate(json.loads(said), closed(schema_of(document, described)))
