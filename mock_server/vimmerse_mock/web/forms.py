"""Reading forms: webargs over text fields and files together, as FastAPI reads them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from types import MappingProxyType
from typing import Any, NoReturn

import flask
from marshmallow import EXCLUDE, Schema, ValidationError, fields
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge

from vimmerse_contracts import fields as problems
from vimmerse_contracts.fields import Choice, Problem, Upload
from vimmerse_contracts.operations import OPERATIONS
from vimmerse_contracts.vocabulary import MOTION_TYPES
from vimmerse_mock.model.batch import Image
from vimmerse_mock.web.form_parsing import FormBodyParser
from vimmerse_mock.web.image_formats import HEAD_BYTES, image_format


def accept_image(upload: FileStorage, limit: int) -> Image | Problem:
    """Return what is kept of an upload, or what is wrong with it; its bytes are not kept.

    Raises:
        RequestEntityTooLarge: the file has more than `limit` bytes.
    """
    size = _size(upload)
    if size > limit:
        raise RequestEntityTooLarge
    if size == 0:
        return replace(problems.EMPTY_FILE, input=_described(upload))
    kind = image_format(upload.stream.read(HEAD_BYTES))
    if kind is None:
        return replace(problems.NOT_AN_IMAGE, input=_described(upload))
    return Image(name=upload.filename or "", format=kind, size=size)


def _size(upload: FileStorage) -> int:
    size = upload.stream.seek(0, os.SEEK_END)
    upload.stream.seek(0)
    return size


def _described(upload: FileStorage) -> dict[str, object]:
    """Return what an error says of a file that was sent."""
    return {"filename": upload.filename, "size": _size(upload)}


def _is_chosen(upload: FileStorage) -> bool:
    """Whether a file was chosen: browsers send an input without one as an empty, nameless file."""
    return bool(upload.filename or _size(upload))


def uploaded_images(request: flask.Request) -> list[bytes | None]:
    """Return the images of a form that was accepted, whole."""
    uploads = [each for each in request.files.getlist("image_files") if _is_chosen(each)]
    for upload in uploads:
        upload.stream.seek(0)
    return [upload.stream.read() for upload in uploads]


class FormRequest(flask.Request):
    """A request whose forms are read strictly."""

    form_data_parser_class = FormBodyParser


@cache
def form_schemas(*, lenient_words: bool) -> Mapping[str, Schema]:
    """Make the schema of each operation's form, by its id; lenient ones take every word."""
    schemas = {each.id: each.request() for each in OPERATIONS if each.request}
    if lenient_words:
        for field in (field for schema in schemas.values() for field in schema.fields.values()):
            field.validators = [each for each in field.validators if not isinstance(each, Choice)]
    return MappingProxyType(schemas)


class FormParser(FlaskParser):
    """Parses urlencoded and multipart forms by a schema; the place it names in errors is "body".

    Raises marshmallow's ValidationError with every problem; files of more than `file_limit` bytes
    are refused as werkzeug's RequestEntityTooLarge.
    """

    DEFAULT_LOCATION = "body"

    def __init__(self, file_limit: int, *, lenient_words: bool = False) -> None:
        super().__init__(unknown=EXCLUDE)
        self.schemas = form_schemas(lenient_words=lenient_words)
        self._lenient_words = lenient_words
        self.__location_map__ = {"body": "load_body"}
        self._accept = partial(accept_image, limit=file_limit)

    def load_body(self, req: flask.Request, schema: Schema) -> dict[str, Any]:
        """Collect the fields that the schema knows; of a repeated text field the last counts."""
        sent: dict[str, list[Any]] = req.form.to_dict(flat=False)
        for name, uploads in req.files.lists():
            chosen = [upload for upload in uploads if _is_chosen(upload)]
            if chosen:
                sent[name] = [*sent.get(name, []), *map(self._reader(schema, name), chosen)]
        given = {
            name: values if isinstance(schema.fields[name], fields.List) else values[-1]
            for name, values in sent.items()
            if name in schema.fields
        }
        if self._lenient_words and given.get("motion_type", "") not in ("", *MOTION_TYPES):
            given["motion_type"] = "Auto"
        return given

    def _reader(self, schema: Schema, name: str) -> Callable[[FileStorage], object]:
        """Return what reads the files of a field; one that takes no files says so by itself."""
        field = schema.fields.get(name)
        is_for_files = isinstance(field, fields.List) and isinstance(field.inner, Upload)
        return self._accept if is_for_files else _described

    def handle_error(
        self,
        error: ValidationError,
        req: flask.Request,  # noqa: ARG002 - webargs' signature
        schema: Schema,  # noqa: ARG002 - webargs' signature
        *,
        error_status_code: int | None,  # noqa: ARG002 - webargs' signature
        error_headers: Any,  # noqa: ANN401, ARG002 - webargs' signature
    ) -> NoReturn:
        """Raise the error, which the app's error handler answers."""
        raise error
