from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from marshmallow import Schema

from vimmerse_client import Batch, Client, ConfigurationError, NotFound, UnexpectedResponse
from vimmerse_contracts.operations import OPERATIONS
from vimmerse_contracts.schemas import CreateBatchSchema, UpdateBatchSchema

if TYPE_CHECKING:
    from client.conftest import FakeApi

CALLS: dict[str, Callable[[Client, str], object]] = {
    "create_batch": lambda client, _batch_id: client.create([b"image"]),
    "get_batch": lambda client, batch_id: client.get(batch_id),
    "update_batch": lambda client, batch_id: client.update(batch_id),
    "concat_batch": lambda client, batch_id: client.concat(batch_id),
    "health": lambda client, _batch_id: client.health(),
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_operation_of_the_contract_has_a_method(
    api: FakeApi, client: Client, batch_id: str, key: str, operation: Any
) -> None:
    """Each operation is sent with its method, path and, where it needs one, the key."""
    api.batch()
    CALLS[operation.id](client, batch_id)
    (request,) = api.seen
    path = operation.path.format(batch_id=batch_id)
    assert (request.method, request.path) == (operation.method, path)
    assert request.headers["X-Api-Key"] == (key if operation.needs_key else None)


@pytest.mark.parametrize(
    ("method", "schema"), [(Client.create, CreateBatchSchema), (Client.update, UpdateBatchSchema)]
)
def test_methods_take_the_fields_of_the_contract(
    method: Callable[..., Batch], schema: type[Schema]
) -> None:
    """The keyword arguments are the fields of the form, in the contract's order."""
    arguments = inspect.signature(method).parameters.values()
    keywords = [a.name for a in arguments if a.kind is inspect.Parameter.KEYWORD_ONLY]
    assert keywords == [f for f in schema().fields if f not in {"image_files", "image_urls"}]


def test_only_given_fields_are_sent(api: FakeApi, client: Client, batch_id: str) -> None:
    """Fields that are not given stay out; empty text and zero are values like any other."""
    api.batch()
    client.update(batch_id, title="", quantity=0, duration=9, sound_effects="Yes")
    expected = [("title", ""), ("quantity", "0"), ("duration", "9"), ("sound_effects", "Yes")]
    assert api.seen[0].form() == expected


@pytest.mark.parametrize(("value", "sent"), [(True, "true"), (False, "false")])
def test_booleans_are_sent_in_lower_case(
    api: FakeApi, client: Client, *, value: bool, sent: str
) -> None:
    """`is_transition` is sent as FastAPI's samples write booleans."""
    api.batch()
    client.create(["https://media.example/1.jpg"], is_transition=value)
    assert api.seen[0].form()[0] == ("is_transition", sent)


def test_arguments_are_not_judged(api: FakeApi, client: Client, batch_id: str) -> None:
    """What is valid is the server's word: a model of tomorrow is sent as it is."""
    api.batch()
    client.update(batch_id, motion_type="Model2030", duration=99)
    assert api.seen[0].form() == [("motion_type", "Model2030"), ("duration", "99")]


def test_answers_are_batches(api: FakeApi, client: Client, batch_id: str) -> None:
    """What the API answers comes back typed."""
    data = api.batch(title="Typed", used_credits=7)
    batch = client.get(batch_id)
    assert batch == Batch.from_dict(data)
    assert (batch.title, batch.extra) == ("Typed", {"used_credits": 7})


def test_concat_has_an_empty_body(api: FakeApi, client: Client, batch_id: str) -> None:
    """Concat sends nothing but the request (S)."""
    api.batch()
    client.concat(batch_id)
    assert (api.seen[0].body, api.seen[0].headers["Content-Length"]) == (b"", "0")


@pytest.mark.parametrize("answer", [b"{ }", b'{"data": {}}', b'{"data": null}', b""])
def test_concat_survives_an_empty_answer(
    api: FakeApi, client: Client, batch_id: str, answer: bytes
) -> None:
    """Where concat answers `{ }`, as in the seed, the batch is fetched."""
    api.raw(answer)
    api.batch(title="Fetched")
    assert client.concat(batch_id).title == "Fetched"
    assert [(r.method, r.path) for r in api.seen] == [
        ("POST", f"/batch/{batch_id}/concat"),
        ("GET", f"/batch/{batch_id}"),
    ]


def test_concat_does_not_take_any_text_for_success(
    api: FakeApi, client: Client, batch_id: str
) -> None:
    """An answer that is no JSON is reported, not fetched around."""
    api.raw(b"<html>")
    with pytest.raises(UnexpectedResponse, match="concat_batch"):
        client.concat(batch_id)


def test_health_is_what_the_service_says(api: FakeApi, client: Client) -> None:
    """Health is the JSON object as it came; anything else is unexpected."""
    api.json({"status": "ok"})
    api.json(["ok"])
    assert client.health() == {"status": "ok"}
    with pytest.raises(UnexpectedResponse, match="a JSON object"):
        client.health()


@pytest.mark.parametrize("odd", ["a/b", "../admin", "a?b#c", "ä b", "%2e%2e", "..%2f"])
def test_ids_can_not_leave_their_place_in_the_path(api: FakeApi, client: Client, odd: str) -> None:
    """An id is quoted, so that it is one segment of the path, whatever it holds."""
    api.json({"message": "NOT_FOUND"}, 404)
    with pytest.raises(NotFound):
        client.concat(odd)
    path = api.seen[0].path
    assert path.startswith("/batch/")
    assert path.endswith("/concat")
    assert path.count("/") == 3
    assert "?" not in path


@pytest.mark.parametrize("odd", ["", ".", ".."])
def test_ids_that_would_change_the_path_are_refused(api: FakeApi, client: Client, odd: str) -> None:
    """An id that is no segment at all is refused before anything is sent."""
    with pytest.raises(ConfigurationError, match="expected the id of a batch"):
        client.get(odd)
    assert api.seen == []


def test_base_url_may_have_a_path(api: FakeApi, batch_id: str) -> None:
    """A base URL with a prefix and a trailing slash is joined, not replaced."""
    api.batch()
    with Client("key", f"{api.url}/prefix/") as client:
        client.get(batch_id)
    assert api.seen[0].path == f"/prefix/batch/{batch_id}"
