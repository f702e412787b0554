"""Mocks that refuse in another way, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import flask

from contracts.broken_mocks.building import (
    Answer,
    BrokenMock,
    changed_answers,
    guarded,
    patched,
    serving,
)
from vimmerse_contracts.operations import Operation
from vimmerse_mock.app import create_mock
from vimmerse_mock.errors import NotConcatenableError
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch, Image
from vimmerse_mock.service import BatchService, BatchView
from vimmerse_mock.stores.memory import MemoryStore
from vimmerse_mock.web.api import Call, PublicApi
from vimmerse_mock.web.record import RequestRecord
from vimmerse_mock.web.render import text_response


def _only_the_first_problem(answer: Answer) -> Answer:
    if answer.status_code == 422:
        answer.set_data(json.dumps({"detail": answer.get_json()["detail"][:1]}))
    return answer


def _place_without_body(answer: Answer) -> Answer:
    if answer.status_code == 422:
        problems = [{**item, "loc": item["loc"][1:]} for item in answer.get_json()["detail"]]
        answer.set_data(json.dumps({"detail": problems}))
    return answer


def _error_page(answer: Answer) -> Answer:
    if answer.status_code == 404:
        answer.set_data("<h1>Not Found</h1>")
        answer.mimetype = "text/html"
    return answer


def _forbidden(answer: Answer) -> Answer:
    if answer.status_code == 404:
        answer.status_code = 403
    return answer


def _bad_id_not_found(answer: Answer) -> Answer:
    if answer.status_code == 400:
        answer.status_code = 404
        answer.set_data(json.dumps({"message": "NOT_FOUND"}))
    return answer


def _no_allow(answer: Answer) -> Answer:
    answer.headers.pop("Allow", None)
    return answer


def _head_is_get(answer: Answer) -> Answer:
    if flask.request.method == "HEAD":
        answer.status_code = 200
    return answer


def _slash_not_found(answer: Answer) -> Answer:
    if answer.status_code == 307:
        answer.status_code = 404
    return answer


def _without_input(answer: Answer) -> Answer:
    if answer.status_code == 422:
        three = ("loc", "msg", "type")
        detail = [{name: item[name] for name in three} for item in answer.get_json()["detail"]]
        answer.set_data(json.dumps({"detail": detail}))
    return answer


def _guarded_health() -> None:
    if flask.request.path == "/health" and "X-Api-Key" not in flask.request.headers:
        flask.abort(401)


def _first_account(api: PublicApi) -> AccountState:
    accounts = api.service.store._accounts.values()  # type: ignore[attr-defined] # the memory store's
    account: AccountState = next(iter(accounts)).account
    return account


def _key_of_the_form(api: PublicApi) -> AccountState:
    asked = flask.request
    key = asked.headers.get("X-Api-Key") or asked.form.get("api_key", "")
    account = api.service.store.account_by_key(key)
    if account is None:
        flask.abort(401)
    return account


def _form_before_key(api: PublicApi, operation: Operation) -> Callable[..., flask.Response]:
    method = api.method(operation)
    schema = operation.request() if operation.request else None

    def view(**path: str) -> flask.Response:
        form = api._parser.parse(schema, flask.request) if schema else {}
        account = api._authenticate() if operation.needs_key else None
        call = Call(RequestRecord(account=account), form, api.files_url(flask.request))
        return text_response(method(call, **path))

    return view


def _any_upload(upload: Any, limit: int) -> Image:
    del limit
    return Image(name=upload.filename or "", format="png", size=1)


class _LeakyStore(MemoryStore):
    """Shows everybody's batches to everybody."""

    def batch(self, customer_id: str, batch_id: str) -> Batch | None:
        del customer_id
        found = (data.batches.get(batch_id) for data in self._accounts.values())
        return next(filter(None, found), None)


class _ComposesAnything(BatchService):
    """Accepts a concat that cannot be."""

    def concat(self, customer_id: str, batch_id: str) -> BatchView:
        try:
            return super().concat(customer_id, batch_id)
        except NotConcatenableError:
            return self.read(self.store.account(customer_id), batch_id)


class _MakesSomethingOfNothing(BatchService):
    """Takes a creation without images."""

    def create(
        self, customer_id: str, form: Mapping[str, Any], images: Sequence[Image]
    ) -> BatchView:
        return super().create(customer_id, form, images or [Image("http://images.example/0.jpg")])


MOCKS: Final[Sequence[BrokenMock]] = (
    BrokenMock(
        "only the first problem is listed",
        "error.422",
        changed_answers(_only_the_first_problem),
        "test_errors::test_all_wrong_fields_are_listed_at_once",
        "every wrong field",
    ),
    BrokenMock(
        "places without 'body'",
        "error.422",
        changed_answers(_place_without_body),
        "test_errors::test_a_wrong_field_of_an_update_is_named",
        "body.rating",
    ),
    BrokenMock(
        "texts without a bound",
        "text.length",
        patched("vimmerse_contracts.fields.AtMost.__call__", lambda _bound, text: text),
        "test_errors::test_a_text_that_is_too_long_is_named",
        "expected HTTP 422; saw 200",
    ),
    BrokenMock(
        "any upload is an image",
        "create.image_content",
        patched("vimmerse_mock.web.forms.accept_image", _any_upload),
        "test_errors::test_each_wrong_upload_is_named_by_its_place",
        "expected HTTP 422; saw 200",
    ),
    BrokenMock(
        "any word is a motion type",
        "create.unlisted_words",
        lambda _patch: create_mock(lenient_words=True),
        "test_errors::test_a_wrong_field_of_a_creation_is_named",
        "expected HTTP 422; saw 200",
    ),
    BrokenMock(
        "a key that may only read changes things",
        "error.403",
        patched("vimmerse_mock.web.api._require_permission", lambda _account, _operation: None),
        "test_errors::test_a_key_that_may_only_read_is_forbidden_to_change",
        "expected HTTP 403; saw",
    ),
    BrokenMock(
        "a batch of no images",
        "create.no_images",
        serving(_MakesSomethingOfNothing),
        "test_errors::test_a_creation_without_images_is_a_bad_request",
        "expected HTTP 400; saw 200",
    ),
    BrokenMock(
        "errors are pages",
        "error.404",
        changed_answers(_error_page),
        "test_errors::test_an_unknown_batch_is_not_found",
        "text/html",
    ),
    BrokenMock(
        "an unknown batch is forbidden",
        "read.unknown",
        changed_answers(_forbidden),
        "test_errors::test_an_unknown_batch_is_not_found",
        "expected HTTP 404; saw 403",
    ),
    BrokenMock(
        "a foreign batch is forbidden",
        "read.foreign",
        changed_answers(_forbidden),
        "test_errors::test_a_foreign_batch_is_not_found",
        "expected HTTP 404; saw 403",
    ),
    BrokenMock(
        "a foreign batch is shown",
        "read.foreign",
        lambda _patch: create_mock(store=_LeakyStore()),
        "test_read::test_the_batch_of_another_is_not_found",
        "expected HTTP 404; saw 200",
    ),
    BrokenMock(
        "a bad id is not found",
        "read.bad_id",
        changed_answers(_bad_id_not_found),
        "test_read::test_an_id_that_is_no_uuid_is_a_bad_request",
        "expected HTTP 400; saw 404",
    ),
    BrokenMock(
        "a bad request is not found",
        "error.400",
        changed_answers(_bad_id_not_found),
        "test_errors::test_a_bad_id_is_a_bad_request",
        "expected HTTP 400; saw 404",
    ),
    BrokenMock(
        "any key will do",
        "error.401",
        patched("vimmerse_mock.web.api.PublicApi._authenticate", _first_account),
        "test_errors::test_a_wrong_key_is_unauthorized",
        "expected HTTP 401",
    ),
    BrokenMock(
        "the key may stand in the form",
        "auth.header",
        patched("vimmerse_mock.web.api.PublicApi._authenticate", _key_of_the_form),
        "test_create::test_the_key_goes_in_a_header",
        "assert 200 == 401",
    ),
    BrokenMock(
        "the form is checked before the key",
        "errors.order",
        patched("vimmerse_mock.web.api.PublicApi._view", _form_before_key),
        "test_errors::test_the_key_is_checked_before_the_form",
        "expected HTTP 401; saw 422",
    ),
    BrokenMock(
        "a 405 without Allow",
        "error.405",
        changed_answers(_no_allow),
        "test_errors::test_another_method_is_not_allowed",
        "Allow",
    ),
    BrokenMock(
        "HEAD is taken for GET",
        "error.405",
        changed_answers(_head_is_get),
        "test_errors::test_head_is_not_allowed",
        "expected HTTP 405; saw 200",
    ),
    BrokenMock(
        "a slash at the end leads nowhere",
        "path.slash",
        changed_answers(_slash_not_found),
        "test_errors::test_a_slash_at_the_end_is_redirected",
        "expected HTTP 307; saw 404",
    ),
    BrokenMock(
        "entries of a 422 without their input",
        "errors.input",
        changed_answers(_without_input),
        "test_errors::test_a_wrong_field_says_what_was_sent",
        "(None, None)",
    ),
    BrokenMock(
        "health asks for a key",
        "health.no_key",
        guarded(_guarded_health),
        "test_health::test_health_asks_for_no_key",
        "expected HTTP 200; saw 401",
    ),
    BrokenMock(
        "anything can be composed",
        "concat.too_early",
        serving(_ComposesAnything),
        "test_concat::test_a_batch_still_processing_cannot_be_composed",
        "expected HTTP 400; saw 200",
    ),
)
