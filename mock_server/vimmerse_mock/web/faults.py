"""Faults, carried out around an operation: between the key and the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from threading import Event
from typing import Any, Final

import flask

from vimmerse_mock.model.clock import in_seconds
from vimmerse_mock.model.faults import Answer, Fault
from vimmerse_mock.web.errors import body_of_status
from vimmerse_mock.web.record import RequestRecord
from vimmerse_mock.web.render import json_response, to_json
from vimmerse_mock.web.why import say_why, why_planned

CarryOut = Callable[[], flask.Response]
_DRIP_BYTES: Final = 64


def apply_fault(
    fault: Fault, random: Random, record: RequestRecord, carry_out: CarryOut
) -> flask.Response:
    """Answer a request that meets a fault, in the order in which things go wrong."""
    record.fault, effect = fault, fault.kind.effect
    if effect.delays:
        _wait(record, fault, random)
    response = _carried_out(carry_out) if effect.carried_out else flask.Response()
    if effect.answer is not None:
        response = _out_of_turn(effect.answer(fault))
        say_why(response, why_planned(fault))
    if effect.drips:
        response = _dripping(response, record, fault, random)
    if effect.breaks is not None:
        if record.pauses is None:
            sentence = f"the fault '{fault.kind.value}' needs `serve`, MockServer or intercept()"
            return json_response({"message": sentence}, 500)
        record.broken = effect.breaks
    return response


def _carried_out(carry_out: CarryOut) -> flask.Response:
    """Carry a request out; a refusal is an answer as well, and can be lost or cut off."""
    try:
        return carry_out()
    except Exception as error:  # noqa: BLE001 - what Flask itself would answer with
        refusal: Any = flask.current_app.handle_user_exception(error)
        return flask.current_app.make_response(refusal)


def _out_of_turn(answer: Answer) -> flask.Response:
    body = to_json(body_of_status(answer.status)) if answer.body is None else answer.body
    response = flask.Response(body, answer.status, mimetype=answer.mimetype)
    for name, value in answer.headers.items():
        response.headers[name] = value
    return response


def _dripping(
    response: flask.Response, record: RequestRecord, fault: Fault, random: Random
) -> flask.Response:
    body = response.get_data()

    def drip() -> Iterator[bytes]:
        for at in range(0, len(body), _DRIP_BYTES):
            _wait(record, fault, random)
            yield body[at : at + _DRIP_BYTES]

    return flask.Response(drip(), response.status, response.headers, direct_passthrough=True)


def _wait(record: RequestRecord, fault: Fault, random: Random) -> None:
    """Leave the waiting to who serves the request, if that can."""
    seconds = in_seconds(fault.draw_delay(random))
    if record.pauses is None:
        Event().wait(seconds)
    else:
        record.pauses.append(seconds)
