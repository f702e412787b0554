"""The control plane over HTTP: finds the operation, and calls the use case of the same id."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import flask
import msgspec
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.routing import Map, Rule

from vimmerse_contracts.vocabulary import CONTROL_ROOT as ROOT
from vimmerse_mock.control.access import Access
from vimmerse_mock.control.messages import ENCODER, Refusal, explain
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

    def answer(self, request: flask.Request) -> flask.Response:
        """Answer a request: access first, then as `carry_out` does."""
        try:
            self.access.require(request)
            body = request.get_data()
        except (MockError, RequestEntityTooLarge) as error:
            status, said = _refuse(error)
        else:
            status, said = self.carry_out(request.method, request.path, request.args, body)
        kind = "application/json" if said else None
        return flask.Response(said, status, mimetype=kind)

    def carry_out(
        self, method: str, path: str, query: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Carry out what has access: find the operation and its account, then read the body."""
        try:
            operation, named = _find(method, path)
            if "customer_id" in named:
                self.control_plane.store.account(named["customer_id"])
            use_case = getattr(self.control_plane, operation.id)
            answer = use_case(**named, **_body(operation, body), **_query(operation, query))
        except Exception as error:  # noqa: BLE001 - every failure is an answer of this plane's
            return _refuse(error)
        return operation.status, b"" if answer is None else ENCODER.encode(answer)


def _find(method: str, path: str) -> tuple[Operation[Any, Any], dict[str, str]]:
    """Find the operation that a request names, and the parameters in its path."""
    try:
        operation, named = _ROUTES.bind("").match(path, method)
    except MethodNotAllowed as error:
        allowed = ", ".join(error.valid_methods or ())
        raise WrongMethodError(f"{path} takes {allowed}, not {method}") from error
    except HTTPException as error:
        raise NoSuchOperationError(
            f"no operation {method} {path}: GET {ROOT}/ lists all"
        ) from error
    return operation, {name: value.replace("\0", "") for name, value in named.items()}


def _body(operation: Operation[Any, Any], sent: bytes) -> dict[str, Any]:
    if operation.takes is NOTHING:
        return {}
    sent = sent or b"{}"
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
            f"{explain(error, operation.takes)}; expected a JSON object of {', '.join(fields)}"
        ) from error
    return {"body": body}


def _query(operation: Operation[Any, Any], sent: Mapping[str, str]) -> Mapping[str, str | int]:
    query: dict[str, str | int] = {}
    for name in operation.query.keys() & sent.keys():
        text = query[name] = sent[name]
        if operation.query[name] is int:
            if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
                raise InvalidRequestError(f"{name}={text!r}: expected a number, such as 200")
            query[name] = int(text)
    return query


def _refuse(error: Exception) -> tuple[int, bytes]:
    """Say what was wrong; a mistake of the mock itself goes to the log."""
    name, message = type(error).__name__, str(error)
    match error:
        case MockError():
            status: int = error.status
        case RequestEntityTooLarge():
            status = error.code
        case _:
            _LOG.error("a mistake of the mock", exc_info=error)
            name, message, status = "Mistake", "a mistake of the mock: its log says more", 500
    return status, ENCODER.encode(Refusal(error=name, message=message))
