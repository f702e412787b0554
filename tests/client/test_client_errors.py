from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

import vimmerse_client as vc
from vimmerse_client import Client
from vimmerse_client.errors import EXCERPT_CHARACTERS, excerpt

if TYPE_CHECKING:
    from client.conftest import FakeApi


@pytest.mark.parametrize(
    ("status", "word", "expected"),
    [
        (400, "BAD_REQUEST", vc.BadRequest),
        (401, "UNAUTHORIZED", vc.Unauthorized),
        (402, "INSUFFICIENT_CREDIT", vc.InsufficientCredit),
        (403, "FORBIDDEN", vc.Forbidden),
        (404, "NOT_FOUND", vc.NotFound),
        (405, "METHOD_NOT_ALLOWED", vc.MethodNotAllowed),
        (413, "PAYLOAD_TOO_LARGE", vc.PayloadTooLarge),
        (418, "TEAPOT", vc.ApiError),
        (422, "odd", vc.ValidationFailed),
        (429, "SLOW_DOWN", vc.RateLimited),
        (500, "INTERNAL_SERVER_ERROR", vc.ServerError),
        (503, "UNAVAILABLE", vc.ServerError),
    ],
)
def test_each_status_has_its_class(
    api: FakeApi, client: Client, batch_id: str, status: int, word: str, expected: type[vc.ApiError]
) -> None:
    """A refusal raises the class of its status, with the server's word, body and the operation."""
    api.json({"message": word, "more": 1}, status)
    with pytest.raises(vc.ApiError) as caught:
        client.update(batch_id, title="x")
    error = caught.value
    assert type(error) is expected
    assert (error.status, error.message, error.operation) == (status, word, "update_batch")
    assert error.body == {"message": word, "more": 1}
    assert f"update_batch was answered with {status} {word}: " in str(error)


def test_validation_lists_every_problem(api: FakeApi, client: Client, batch_id: str) -> None:
    """A 422 has all its problems as objects, and all of them in its text."""
    api.json(
        {
            "detail": [
                {"loc": ["body", "duration"], "msg": "too big", "type": "less_than_equal"},
                {"loc": ["body", "image_urls", 0], "msg": "no URL", "type": "url_parsing"},
            ]
        },
        422,
    )
    with pytest.raises(vc.ValidationFailed) as caught:
        client.update(batch_id, duration=11)
    assert caught.value.problems == (
        vc.FieldProblem(("body", "duration"), "too big", "less_than_equal"),
        vc.FieldProblem(("body", "image_urls", 0), "no URL", "url_parsing"),
    )
    assert "body.duration: too big; body.image_urls.0: no URL" in str(caught.value)


def test_fastapi_detail_is_the_servers_word(api: FakeApi, client: Client, batch_id: str) -> None:
    """Where FastAPI itself answers, its `detail` is the message."""
    api.json({"detail": "Not Found"}, 404)
    with pytest.raises(vc.NotFound) as caught:
        client.get(batch_id)
    assert caught.value.message == "Not Found"


@pytest.mark.parametrize("body", [b"<html>\x1b[31m" + b"gateway " * 9999, b"\xff\xfe", b"", b"[1]"])
def test_refusals_that_are_no_json_are_quoted_shortly(
    api: FakeApi, client: Client, batch_id: str, body: bytes
) -> None:
    """Whatever a proxy answers ends up as one short printable line."""
    api.raw(body, 502)
    with pytest.raises(vc.ServerError) as caught:
        client.update(batch_id)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < EXCERPT_CHARACTERS + 200


@pytest.mark.parametrize(
    ("body", "got"),
    [
        (b"<html>hello</html>", "expected JSON, got <html>hello</html>"),
        (b"", "got an empty body"),
        (b"[]", r"got \[\]"),
        (b"{}", r"expected {'data': {...}}, the Batch object, got {}"),
        (b'{"data": {"id": 5}}', r"the Batch object, got {'data': {'id': 5}}"),
    ],
)
def test_answers_outside_the_contract_say_what_came(
    api: FakeApi, client: Client, batch_id: str, body: bytes, got: str
) -> None:
    """A success that is not the contract's says what was expected and what came instead."""
    api.raw(body)
    with pytest.raises(vc.UnexpectedResponse, match=got) as caught:
        client.get(batch_id)
    assert (caught.value.operation, caught.value.status) == ("get_batch", 200)
    assert len(caught.value.got) <= EXCERPT_CHARACTERS


def test_redirects_are_not_followed(api: FakeApi, client: Client) -> None:
    """A redirected creation is neither repeated elsewhere nor taken for a success."""
    api.raw(b"", 307, {"Location": "https://elsewhere.example/batch"})
    with pytest.raises(vc.UnexpectedResponse, match=r"a redirect to https://elsewhere\.example"):
        client.create([b"image"])
    assert len(api.seen) == 1


def test_every_error_is_a_vimmerse_error() -> None:
    """One except clause catches everything raised on purpose, and `errors.py` draws each."""
    exported = [getattr(vc, name) for name in vc.__all__]
    errors = [e for e in exported if isinstance(e, type) and issubclass(e, Exception)]
    assert len(errors) == 28
    assert all(issubclass(error, vc.VimmerseError) for error in errors)
    assert all(error.__name__ in str(vc.errors.__doc__) for error in errors)


def test_configuration_errors_are_value_errors() -> None:
    """Wrong arguments are what Python calls a ValueError."""
    assert issubclass(vc.ConfigurationError, ValueError)


def test_errors_can_be_pickled(seed_batch: dict[str, Any]) -> None:
    """An error keeps its text and its attributes on the way to another process."""
    batch = vc.Batch.from_dict(seed_batch)
    for error in (
        vc.RateLimited(429, "SLOW", {"message": "SLOW"}, "get_batch", 7.0),
        vc.TransportError("create_batch", "gone", True),  # noqa: FBT003 - as it is raised
        vc.UnexpectedResponse("get_batch", 200, "JSON", "<html>"),
        vc.WaitTimeout("id", 3, batch),
        vc.BatchFailed(batch),
        vc.VideoNotReady(batch),
    ):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert (type(again), str(again)) == (type(error), str(error))
        assert vars(again) == vars(error)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n b\t\x1b[0m", "a b [0m"),
        ("", ""),
        ("x" * EXCERPT_CHARACTERS, "x" * EXCERPT_CHARACTERS),
        ("x" * (EXCERPT_CHARACTERS + 1), "x" * (EXCERPT_CHARACTERS - 1) + "…"),
        (" " * 5000 + "x", "…"),
    ],
)
def test_excerpts_are_short_printable_lines(text: str, line: str) -> None:
    """An excerpt is one line without control characters, and says where it was cut."""
    assert excerpt(text) == line
