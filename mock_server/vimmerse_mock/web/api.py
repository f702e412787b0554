"""The public API: one method for each operation of the contract's table, bound by its id."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import flask
from marshmallow import Schema, ValidationError
from werkzeug.routing import Rule

from vimmerse_contracts.operations import OPERATIONS, Operation
from vimmerse_contracts.vocabulary import API_KEY_HEADER
from vimmerse_mock.delivery import ImageFetcher
from vimmerse_mock.errors import ForbiddenError, UnauthorizedError
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Image
from vimmerse_mock.service import BatchService, BatchView
from vimmerse_mock.videos.studio import Studio
from vimmerse_mock.web.faults import apply_fault
from vimmerse_mock.web.forms import FormParser, uploaded_images
from vimmerse_mock.web.image_formats import image_format
from vimmerse_mock.web.record import RequestRecord, record_of
from vimmerse_mock.web.render import (
    FILES_PATH,
    BatchRenderer,
    json_response,
    text_response,
)
from vimmerse_mock.web.why import refused_fields, unknown_fields, why_ignored


def rules() -> Iterator[Rule]:
    """Write the routes of the operations, by their ids, and of what is beside them."""
    for operation in OPERATIONS:
        path = operation.path.replace("{", "<").replace("}", ">")
        rule = Rule(path, endpoint=operation.id, methods=[operation.method])
        rule.methods = {operation.method}  # without HEAD, as FastAPI has it
        yield rule
    yield Rule("/openapi.json", endpoint="openapi", methods=["GET"])
    yield Rule(f"{FILES_PATH}/<customer_id>/<batch_id>/<name>", endpoint="file", methods=["GET"])


@dataclass(frozen=True, slots=True)
class Call:
    """One request of an operation: its record, its form if it takes one, where files begin."""

    record: RequestRecord
    form: dict[str, Any]
    files_url: str

    @property
    def caller(self) -> AccountState:
        """Whose request it is, of an operation that needs a key."""
        if self.record.account is None:
            raise UnauthorizedError
        return self.record.account


class PublicApi:
    """Answers the operations of the contract, each with the JSON of its answer.

    `files_url` is where links to files begin; None takes the address that the client used. A
    `studio` keeps pictures of what is uploaded. A `fetcher` fetches the images that come as URLs.
    """

    def __init__(
        self,
        service: BatchService,
        parser: FormParser,
        files_url: str | None = None,
        studio: Studio | None = None,
        fetcher: ImageFetcher | None = None,
    ) -> None:
        self.service = service
        self._parser = parser
        self._files_url = files_url
        self._studio = studio
        self._fetcher = fetcher
        self._renderer = BatchRenderer()

    def views(self) -> dict[str, Callable[..., flask.Response]]:
        """Make a view for each operation, by its id."""
        return {operation.id: self._view(operation) for operation in OPERATIONS}

    def method(self, operation: Operation) -> Callable[..., bytes]:
        """Return the method that answers an operation; it takes a `Call` and the path's fields."""
        method: Callable[..., bytes] = getattr(self, operation.id)
        return method

    def create_batch(self, call: Call) -> bytes:
        """`POST /batch`."""
        images = call.form["image_files"]
        contents: list[bytes | None] = []
        if not images:
            images, contents = self._named_images(call.form["image_urls"])
        elif self._studio is not None:
            contents = uploaded_images(flask.request)
        view = self.service.create(call.caller.customer_id, call.form, images)
        if self._studio is not None:
            self._studio.keep(view.batch, contents)
        return self._render(call, view)

    def _named_images(self, urls: Sequence[str]) -> tuple[list[Image], list[bytes | None]]:
        """Return the images of URLs, with what each leads to if they are fetched."""
        if self._fetcher is None:
            return [Image(url) for url in urls], []
        contents = self._fetcher.fetch(urls)
        is_image = [content is not None and image_format(content) for content in contents]
        images = [Image(u, is_missing=not there) for u, there in zip(urls, is_image, strict=True)]
        return images, contents

    def get_batch(self, call: Call, batch_id: str) -> bytes:
        """`GET /batch/{batch_id}`."""
        return self._render(call, self.service.read(call.caller, batch_id))

    def update_batch(self, call: Call, batch_id: str) -> bytes:
        """`PUT /batch/{batch_id}/edit`."""
        view = self.service.update(call.caller.customer_id, batch_id, call.form)
        return self._render(call, view)

    def concat_batch(self, call: Call, batch_id: str) -> bytes:
        """`POST /batch/{batch_id}/concat`."""
        return self._render(call, self.service.concat(call.caller.customer_id, batch_id))

    def health(self, _call: Call) -> bytes:
        """`GET /health`."""
        return b'{"status":"ok"}'

    def _view(self, operation: Operation) -> Callable[..., flask.Response]:
        """Make the Flask view of an operation: key, limits and faults, form, then its method."""
        method, schema = self.method(operation), self._parser.schemas.get(operation.id)

        def view(**path: str) -> flask.Response:
            record = record_of(flask.request.environ)
            record.began = self.service.real_time()
            account = record.account = self._authenticate() if operation.needs_key else None
            if account is not None:
                _require_permission(account, operation)

            def carry_out() -> flask.Response:
                form = self._parse(schema, record) if schema else {}
                call = Call(record, form, self.files_url(flask.request))
                return text_response(method(call, **path))

            if account is None or is_undisturbed(account):
                return carry_out()
            fault = self.service.admit(account.customer_id, operation.id)
            if fault is None:
                return carry_out()
            random = account.random("fault", fault.kind, fault.matched)
            return apply_fault(fault, random, record, carry_out)

        return view

    def _parse(self, schema: Schema, record: RequestRecord) -> dict[str, Any]:
        """Read a form; fields that it does not know are ignored, or refused if that is strict."""
        form: dict[str, Any] = self._parser.parse(schema, flask.request)
        if unknown := unknown_fields(flask.request, schema):
            if record.account is not None and record.account.strict:
                raise ValidationError({"body": refused_fields(unknown, schema)})
            record.why = why_ignored(unknown, schema)
        return form

    def _authenticate(self) -> AccountState:
        key = flask.request.headers.get(API_KEY_HEADER, "")
        account = self.service.store.account_by_key(key)
        if account is None:
            raise UnauthorizedError
        return account

    def _render(self, call: Call, view: BatchView) -> bytes:
        call.record.view = view
        return self._renderer.render(view, call.files_url)

    def files_url(self, request: flask.Request) -> str:
        """Return where files begin: as set, else at the address that the client used."""
        if self._files_url is not None:
            return self._files_url
        environ = request.environ
        host = request.host or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        return f"{request.scheme}://{host}{FILES_PATH}"


def _require_permission(account: AccountState, operation: Operation) -> None:
    if account.permission == "revoked":
        raise ForbiddenError("the key was revoked")
    if account.permission == "read_only" and operation.method != "GET":
        raise ForbiddenError("the key may only read")


def is_undisturbed(account: AccountState) -> bool:
    """Whether nothing has to be counted before a request: neither faults nor a rate limit."""
    return not account.faults and not account.throttle.requests_per_minute


def openapi() -> flask.Response:
    """Answer with the API's own document."""
    from vimmerse_contracts.openapi import openapi_document  # noqa: PLC0415 - apispec costs start-up 60 ms

    return json_response(openapi_document(served_by_mock=True))
