"""Faults, applied: around an operation, between the key and the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from random import Random
from threading import Event, Lock
from typing import Any, Final

import flask

from vimmerse_contracts.operations import ERRORS
from vimmerse_mock.marks import BROKEN, FAULT_MET, INTERCEPTED
from vimmerse_mock.model.clock import in_seconds
from vimmerse_mock.model.faults import KINDS, Fault, FaultKind
from vimmerse_mock.web.render import json_response, text_response

CarryOut = Callable[[], flask.Response]
_DRIP_BYTES: Final = 64
_PAGE: Final = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    "<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)
_NO_JSON: Final = '{"data": {"id": '


class Faults:
    """Lets faults happen to requests. Those that wait keep one of the server's threads busy."""

    def __init__(self) -> None:
        self._turn = Lock()

    def apply(self, fault: Fault, random: Random, carry_out: CarryOut) -> flask.Response:
        """Answer a request that meets a fault."""
        flask.request.environ[FAULT_MET] = str(fault)
        match fault.kind:
            case FaultKind.STATUS:
                return _out_of_turn(fault)
            case FaultKind.HTML:
                return flask.Response(_PAGE, HTTPStatus.BAD_GATEWAY, mimetype="text/html")
            case FaultKind.LATENCY:
                _wait(flask.request.environ, fault, random)
                return carry_out()
            case FaultKind.NOT_JSON:
                _carried_out(carry_out)
                return text_response(_NO_JSON)
            case FaultKind.DRIP:
                return _dripping(_carried_out(carry_out), fault, random)
            case _:
                done = KINDS[fault.kind].carried_out
                answer = _carried_out(carry_out) if done else flask.Response()
                return self._broken(fault.kind, answer)

    def _broken(self, kind: FaultKind, answer: flask.Response) -> flask.Response:
        """Break the connection by which an answer would go, before it, or in its middle."""
        environ = flask.request.environ
        environ[BROKEN] = kind
        if INTERCEPTED in environ:
            environ[INTERCEPTED].append(kind)
            return answer
        from vimmerse_mock.web.breaking import NoConnectionError, break_off  # noqa: PLC0415 - POSIX only

        try:
            return break_off(kind, answer, self._turn)
        except NoConnectionError as error:
            del environ[BROKEN]
            sentence = f"the fault '{kind.value}' could not be had: {error}"
            return json_response({"message": sentence}, HTTPStatus.INTERNAL_SERVER_ERROR)


def _carried_out(carry_out: CarryOut) -> flask.Response:
    """Carry a request out, and take its answer, be it a refusal."""
    try:
        return carry_out()
    except Exception as error:  # noqa: BLE001 - what Flask itself would answer with
        refusal: Any = flask.current_app.handle_user_exception(error)
        return flask.current_app.make_response(refusal)


def _out_of_turn(fault: Fault) -> flask.Response:
    if fault.body is None:
        answer = json_response(_body_of(fault.status), fault.status)
    else:
        answer = text_response(fault.body, fault.status)
    for name, value in fault.headers.items():
        answer.headers[name] = value
    return answer


def _body_of(status: int) -> dict[str, Any]:
    """Find the contract's body of a status, or write one in its manner."""
    known = next((error for error in ERRORS if error.status == status and error.code), None)
    if known is not None:
        return dict(known.body)
    names = {each.value: each.name for each in HTTPStatus}
    return {"message": names.get(status, f"STATUS_{status}")}


def _dripping(answer: flask.Response, fault: Fault, random: Random) -> flask.Response:
    body = answer.get_data()
    pieces = [body[at : at + _DRIP_BYTES] for at in range(0, len(body), _DRIP_BYTES)]

    environ = flask.request.environ

    def drip() -> Iterator[bytes]:
        for piece in pieces:
            _wait(environ, fault, random)
            yield piece

    return flask.Response(drip(), answer.status, answer.headers, direct_passthrough=True)


def _wait(environ: Mapping[str, Any], fault: Fault, random: Random) -> None:
    """Wait in real time; where nothing is sent over a socket, the client is told instead."""
    seconds = in_seconds(fault.pause(random))
    if INTERCEPTED in environ:
        environ[INTERCEPTED].append(seconds)
    else:
        Event().wait(seconds)
