"""Mocks that read a form in another way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import flask
import pytest

from contracts.broken_mocks.building import BrokenMock, Build, Json, guarded, patched
from vimmerse_contracts.schemas import CreateBatchSchema
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.model.batch import Image
from vimmerse_mock.web.api import Call, PublicApi


def _with_images(choose: Callable[[Json], Sequence[Image]]) -> Build:
    """Make a mock that takes its images from a creation in another way."""

    def create_batch(api: PublicApi, call: Call) -> bytes:
        images = choose(call.form)
        return api._render(call, api.service.create(call.caller.customer_id, call.form, images))

    return patched("vimmerse_mock.web.api.PublicApi.create_batch", create_batch)


def _first_upload(form: Json) -> Sequence[Image]:
    return form["image_files"][:1] or [Image(url) for url in form["image_urls"]]


def _last_url(form: Json) -> Sequence[Image]:
    return form["image_files"] or [Image(url) for url in form["image_urls"][-1:]]


def _all_images(form: Json) -> Sequence[Image]:
    return [*form["image_files"], *map(Image, form["image_urls"])]


def _as_it_is(_schema: object, data: Mapping[str, Any], **_kwargs: object) -> Mapping[str, Any]:
    return data


def _files_and_urls(patch: pytest.MonkeyPatch) -> Mock:
    patch.setattr(CreateBatchSchema, "files_win", _as_it_is)
    return _with_images(_all_images)(patch)


def _empty_counts(patch: pytest.MonkeyPatch) -> Mock:
    patch.setattr(CreateBatchSchema, "drop_empty", _as_it_is)
    return create_mock()


def _no_colours() -> None:
    if "colour" in flask.request.form:
        flask.abort(422)


MOCKS: Final[Sequence[BrokenMock]] = (
    BrokenMock(
        "only the first upload counts",
        "create.files",
        _with_images(_first_upload),
        "test_create::test_each_upload_becomes_a_media",
        "assert 1 == ",
    ),
    BrokenMock(
        "only the last URL counts",
        "create.urls",
        _with_images(_last_url),
        "test_create::test_each_url_becomes_a_media",
        "assert 1 == 3",
    ),
    BrokenMock(
        "files and URLs both count",
        "create.files_win",
        _files_and_urls,
        "test_create::test_files_win_over_urls",
        "assert 4 == 1",
    ),
    BrokenMock(
        "an empty text is a value",
        "create.empty_is_absent",
        _empty_counts,
        "test_create::test_an_empty_text_is_not_given",
        "expected HTTP 200; saw 422",
    ),
    BrokenMock(
        "any number of fields",
        "form.reading",
        patched("vimmerse_mock.web.form_parsing.MOST_PARTS", 10_000),
        "test_errors::test_a_form_of_too_many_fields_is_a_bad_request",
        "expected HTTP 400; saw 404",
    ),
    BrokenMock(
        "an empty file input is a file",
        "form.empty_file",
        patched("vimmerse_mock.web.forms._is_chosen", lambda _upload: True),
        "test_errors::test_a_file_input_left_empty_is_not_given",
        "expected HTTP 400; saw 422",
    ),
    BrokenMock(
        "unknown fields are refused",
        "create.unknown_fields",
        guarded(_no_colours),
        "test_create::test_unknown_fields_are_ignored",
        "expected HTTP 200; saw 422",
    ),
)
