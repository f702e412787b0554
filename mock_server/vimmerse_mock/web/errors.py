"""Error answers: every exception becomes a JSON body of the contract, never a page or a trace."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import flask
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from vimmerse_contracts import operations as e
from vimmerse_contracts.fields import validation_body
from vimmerse_mock.errors import MarkerError, MockError, ThrottledError
from vimmerse_mock.model.clock import SECOND
from vimmerse_mock.web.render import json_response
from vimmerse_mock.web.why import say_why, why

_RETRY_AFTER_SECONDS: Final = "1"
_LOG = logging.getLogger("vimmerse_mock.web")


def register_errors(app: flask.Flask) -> None:
    """Answer every exception in the manner of the API, with a header that says why."""
    answers: dict[type[Exception], Callable[[Any], flask.Response]] = {
        MockError: _answer_refusal,
        ThrottledError: _answer_throttled,
        ValidationError: _answer_validation,
        MarkerError: _answer_marker,
        HTTPException: _answer_http,
        Exception: _answer_mistake,
    }
    for kind, answer in answers.items():
        app.register_error_handler(kind, partial(_answer_with_why, answer))


def _answer_with_why(
    answer: Callable[[Exception], flask.Response], error: Exception
) -> flask.Response:
    response = answer(error)
    say_why(response, why(error, flask.request))
    return response


def _answer_refusal(error: MockError) -> flask.Response:
    """Say a refusal in the contract's words; what the contract has no words for is a mistake."""
    if error.answer is e.SERVER_ERROR:
        return _answer_mistake(error)
    response = json_response(error.answer.body, error.answer.status)
    if error.answer is e.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = _RETRY_AFTER_SECONDS
    return response


def _answer_throttled(exception: ThrottledError) -> flask.Response:
    """Say when to come back, in whole seconds of the account's clock, and not too early."""
    response = json_response(e.RATE_LIMITED.body, e.RATE_LIMITED.status)
    response.headers["Retry-After"] = str(max(1, -(-exception.retry_after // SECOND)))
    return response


def _answer_validation(exception: ValidationError) -> flask.Response:
    return json_response(validation_body(exception.messages), e.VALIDATION.status)


def _answer_marker(exception: MarkerError) -> flask.Response:
    """Say what a magic marker may say; the field that it stands in is named as a wrong one."""
    messages: Any = str(exception)
    for part in reversed(("body", *exception.place)):
        messages = {part: messages}
    return json_response(validation_body(messages), e.VALIDATION.status)


def _answer_http(exception: HTTPException) -> flask.Response:
    """Keep the status, and headers such as Allow, of what Flask itself refuses."""
    if isinstance(exception, MethodNotAllowed):
        exception.valid_methods = sorted(exception.valid_methods or ())  # of a set, in any order
    status = exception.code or HTTPStatus.INTERNAL_SERVER_ERROR
    answer = json_response(body_of_status(status), status)
    for name, value in exception.get_headers():
        if name.lower() != "content-type":
            answer.headers[name] = value
    return answer


def body_of_status(status: int) -> dict[str, str]:
    """Return the contract's body of a status, or one in its manner."""
    known = {error.status: error.body for error in e.ERRORS if error.code}
    names = {each.value: each.name for each in HTTPStatus}
    return known.get(status) or {"message": names.get(status, f"STATUS_{status}")}


def _answer_mistake(exception: Exception) -> flask.Response:
    _LOG.error("a mistake of the mock", exc_info=exception)
    return json_response(e.SERVER_ERROR.body, e.SERVER_ERROR.status)
