"""The mock beside a FastAPI application of the same signatures: both read the same forms alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from support import fastapi_twin
from support.hand_written_forms import FormBody, hand_written_forms
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.model.account import SAMPLE_ACCOUNT
from vimmerse_mock.model.limits import Limits
from vimmerse_mock.web.forms import FormParser

KEY: Final = {"X-Api-Key": "YOUR_API_KEY"}
FORMS: Final = dict(hand_written_forms())


@pytest.fixture(scope="module")
def mock() -> Iterator[Mock]:
    """A mock of which nobody wants a batch."""
    mock = create_mock()
    mock.open_account("http://mock", SAMPLE_ACCOUNT)
    yield mock
    mock.close()


def read(mock: Mock, form: FormBody) -> dict[str, Any]:
    """What the mock reads in a form, of the fields that the application has."""
    import flask

    content_type, body = form
    parser = FormParser(Limits().file)
    request = mock.app.test_request_context("/batch", method="POST", data=body)
    request.request.environ["CONTENT_TYPE"] = content_type
    with request:
        fields: dict[str, Any] = parser.parse(parser.schemas["create_batch"], flask.request)
        fields["image_files"] = [[each.name, each.size] for each in fields["image_files"]]
    return fields


def entries(body: bytes) -> list[dict[str, Any]]:
    """The entries of a 422; of a file that was sent, only its name and size."""
    detail: list[dict[str, Any]] = json.loads(body)["detail"]
    for entry in detail:
        if isinstance(entry["input"], dict):
            entry["input"] = {name: entry["input"][name] for name in ("filename", "size")}
    return detail


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_read_as_fastapi_reads_it(mock: Mock, name: str) -> None:
    """The same values, or the same status, and the same entries of a 422."""
    content_type, body = FORMS[name]
    status, _, said = fastapi_twin.ask("POST", "/batch", content_type, body)
    answer = mock.app.test_client().post(
        "/batch", headers=KEY | {"Content-Type": content_type}, data=body
    )
    if status == 200:
        expected = json.loads(said)
        seen = read(mock, FORMS[name])
        assert {field: seen[field] for field in expected} == expected
        has_images = bool(expected["image_files"] or expected["image_urls"])
        assert answer.status_code == (200 if has_images else 400)
        return
    assert answer.status_code == status
    if status == 422:
        assert entries(answer.data) == entries(said)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/batch", "/batch/x", "/batch/", "/batch/x/", "/health/", "/no"])
def test_paths_and_methods_are_told_apart_as_by_fastapi(mock: Mock, method: str, path: str) -> None:
    """The same status, with the same Allow or Location, wherever FastAPI itself answers."""
    status, headers, _ = fastapi_twin.ask(method, path)
    if status in (200, 422):
        return
    answer = mock.app.test_client().open(path, method=method, headers=KEY)
    assert answer.status_code == status
    assert (answer.headers.get("Allow"), answer.headers.get("Location")) == (
        headers.get("allow"),
        headers.get("location"),
    )


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"image_urls=http://a/1.png&image_urls=", 200), (b"image_urls=", 400)],
)
def test_an_empty_url_is_none_where_fastapi_keeps_it(mock: Mock, body: bytes, status: int) -> None:
    """FastAPI hands an empty text of a list on; what then becomes of it is assumed."""
    form = "application/x-www-form-urlencoded", body
    assert json.loads(fastapi_twin.ask("POST", "/batch", *form)[2])["image_urls"][-1] == ""
    assert "" not in read(mock, form)["image_urls"]
    answer = mock.app.test_client().post(
        "/batch", headers=KEY | {"Content-Type": form[0]}, data=body
    )
    assert answer.status_code == status
