"""The control plane over HTTP: finds the operation, and calls the use case of the same id."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import flask
import msgspec
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.routing import Map, Rule

from vimmerse_contracts.vocabulary import CONTROL_ROOT as ROOT
from vimmerse_mock.control.access import Access
from vimmerse_mock.control.messages import ENCODER, Refusal
from vimmerse_mock.control.operations import NOTHING, OPERATIONS, Operation
from vimmerse_mock.control.plane import ControlPlane
from vimmerse_mock.control.snapshots import SnapshotFile, read_snapshots
from vimmerse_mock.errors import (
    InvalidRequestError,
    MockError,
    NoSuchOperationError,
    WrongMethodError,
)

_DIGITS: Final = 9
_ROUTES: Final = Map(
    [
        Rule(o.path.replace("{", "<").replace("}", ">"), endpoint=o, methods=[o.method])
        for o in OPERATIONS
    ],
    strict_slashes=False,
)
_LOG = logging.getLogger("vimmerse_mock.web")


@dataclass(frozen=True, slots=True)
class ControlApi:
    """Answers the operations of the control plane to whoever has access."""

    control_plane: ControlPlane
    access: Access

    def answer(self, request: flask.Request, *, in_process: bool = False) -> flask.Response:
        """Answer a request: access first, then the operation and its account, then the body."""
        try:
            if not in_process:
                self.access.require(request)
            operation, path = _find(request)
            if "customer_id" in path:
                self.control_plane.store.account(path["customer_id"])
            use_case = getattr(self.control_plane, operation.id)
            answer = use_case(**path, **_body(operation, request), **_query(operation, request))
            return _answer(answer, operation.status)
        except Exception as error:  # noqa: BLE001 - every failure is an answer of this plane's
            return _refuse(error)


def _find(request: flask.Request) -> tuple[Operation[Any, Any], dict[str, str]]:
    """Find the operation that a request names, and the parameters in its path."""
    try:
        operation, path = _ROUTES.bind("").match(request.path, request.method)
    except MethodNotAllowed as error:
        allowed = ", ".join(error.valid_methods or ())
        raise WrongMethodError(f"{request.path} takes {allowed}, not {request.method}") from error
    except HTTPException as error:
        raise NoSuchOperationError(
            f"no operation {request.method} {request.path}: GET {ROOT}/ lists all"
        ) from error
    return operation, {name: value.replace("\0", "") for name, value in path.items()}


def _body(operation: Operation[Any, Any], request: flask.Request) -> dict[str, Any]:
    if operation.takes is NOTHING:
        return {}
    sent = request.get_data() or b"{}"
    if operation.takes is SnapshotFile:
        return {"body": read_snapshots(sent)}
    fields = getattr(operation.takes, "__struct_fields__", None) or [
        *operation.takes.__dataclass_fields__
    ]
    try:
        body = msgspec.json.decode(sent, type=operation.takes)
        for name in msgspec.json.decode(sent):
            if name not in fields:
                raise msgspec.ValidationError(f"Object contains unknown field `{name}`")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if isinstance(error.__cause__, MockError):  # a dataclass of the model refused its values
            raise error.__cause__ from error
        raise InvalidRequestError(
            f"{error}; expected a JSON object of {', '.join(fields)}"
        ) from error
    return {"body": body}


def _query(operation: Operation[Any, Any], request: flask.Request) -> Mapping[str, str | int]:
    query: dict[str, str | int] = {}
    for name in operation.query.keys() & request.args.keys():
        text = query[name] = request.args[name]
        if operation.query[name] is int:
            if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
                raise InvalidRequestError(f"{name}={text!r}: expected a number, such as 200")
            query[name] = int(text)
    return query


def _answer(body: object, status: int) -> flask.Response:
    if body is None:
        return flask.Response(status=status)
    return flask.Response(ENCODER.encode(body), status, mimetype="application/json")


def _refuse(error: Exception) -> flask.Response:
    """Say what was wrong; a mistake of the mock itself goes to the log."""
    if isinstance(error, MockError):
        return _answer(Refusal(error=type(error).__name__, message=str(error)), error.status)
    if isinstance(error, RequestEntityTooLarge):
        return _answer(Refusal(error="RequestEntityTooLarge", message=str(error)), error.code)
    _LOG.error("a mistake of the mock", exc_info=error)
    return _answer(
        Refusal(error="Mistake", message="a mistake of the mock: its log says more"),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
