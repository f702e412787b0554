"""The fast lane: plain reads, answered as the Flask application would, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from typing import Final

import flask
from werkzeug.exceptions import HTTPException

from vimmerse_contracts.operations import OPERATIONS
from vimmerse_contracts.vocabulary import API_KEY_HEADER
from vimmerse_mock.errors import BatchNotFoundError, InvalidBatchIdError
from vimmerse_mock.serving.messages import Answer, Request
from vimmerse_mock.web.api import Call, PublicApi, is_undisturbed
from vimmerse_mock.web.record import RequestRecord
from vimmerse_mock.web.recorder import Recorder, Unwritten
from vimmerse_mock.wsgi import environ_of

_KEY: Final = API_KEY_HEADER.lower()
_HOSTS: Final = 64


class FastLane:
    """Answers reads of accounts without faults and rate limits; leaves everything else to Flask.

    It serves the operations of the contract's table that need a key and take no form. A request
    that is not plain (its key or Host missing or there twice, a quoted path, a query, a body) or
    whose batch is not there is left to Flask before anything has happened. So is every request
    once somebody has added hooks to the application, which must see them all.
    """

    def __init__(self, app: flask.Flask, api: PublicApi, recorder: Recorder) -> None:
        self._app, self._api, self._recorder = app, api, recorder
        self._own_hooks = _hooks(app)
        self._routes = [
            (operation.id, _pattern(operation.path), api.method(operation))
            for operation in OPERATIONS
            if operation.method == "GET" and operation.needs_key and operation.request is None
        ]
        self._files_url = lru_cache(_HOSTS)(self._find_files_url)

    def answer(self, request: Request) -> Answer | None:
        """Answer a request; None if that is Flask's to do."""
        if request.method != "GET" or request.length or _hooks(self._app) != self._own_hooks:
            return None
        for operation, pattern, method in self._routes:
            found = pattern.fullmatch(request.target)
            if found is not None:
                return self._read(request, operation, method, found.groupdict())
        return None

    def _read(
        self, request: Request, operation: str, method: Callable[..., bytes], path: dict[str, str]
    ) -> Answer | None:
        key, host = _single(request, _KEY), _single(request, "host")
        service = self._api.service
        began = service.real_time()
        account = service.store.account_by_key(key) if key and host else None
        if account is None or account.permission == "revoked" or not is_undisturbed(account):
            return None
        record = RequestRecord(began, account)
        try:
            body = method(Call(record, {}, self._files_url(host, request.server)), **path)
        except (BatchNotFoundError, InvalidBatchIdError, HTTPException):
            return None
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        self._recorder.note(
            Unwritten(
                request.environ,
                {},
                operation,
                200,
                headers,
                body,
                record,
                service.real_time(),
            ),
            size=sum(len(name) + len(value) for name, value in request.headers),
        )
        return Answer(200, headers, body)

    def _find_files_url(self, host: str, server: str) -> str:
        environ = environ_of("GET", server, [("Host", host)], BytesIO(), 0)
        return self._api.files_url(flask.Request(environ))


def _hooks(app: flask.Flask) -> int:
    before, after = app.before_request_funcs.get(None, ()), app.after_request_funcs.get(None, ())
    return len(before) + len(after)


def _pattern(path: str) -> re.Pattern[str]:
    """Return what matches a path of the table whose fields need no unquoting."""
    return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[0-9A-Za-z-]+)", path))


def _single(request: Request, name: str) -> str:
    """Return the value of a header that was sent once, else an empty one."""
    values = [value for each, value in request.headers if each.lower() == name]
    return values[0] if len(values) == 1 else ""
