"""The recorder: puts every request with its answer into the journal of the account that asked."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import flask

from vimmerse_contracts.network import REDACTED, SECRET_HEADERS
from vimmerse_contracts.vocabulary import API_KEY_HEADER, CONTROL_ROOT
from vimmerse_mock.errors import StoreConflictError, StoreFullError, StoreUnavailableError
from vimmerse_mock.marks import ACCOUNT, BEGAN, BROKEN, FAULT_MET, VIEW
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.exchange import BODY_CHARACTERS, Exchange
from vimmerse_mock.service import BatchView
from vimmerse_mock.stores import UNAUTHENTICATED, Store

_KEY: Final = "HTTP_" + API_KEY_HEADER.upper().replace("-", "_")
_FIELDS: Final = 64
_KEY_NAMES: Final = r"(?:x[-_])?(?:api[-_]?key|key|(?:access[-_])?token|authorization)"
_NAMES_KEY: Final = re.compile(_KEY_NAMES, re.IGNORECASE)
_IN_QUERY: Final = re.compile(rf"((?:^|[&;]){_KEY_NAMES}=)[^&;]*", re.IGNORECASE)
"""Where a key was sent by mistake, of whoever it is."""
_NOT_SENT: Final = frozenset(name for name in os.environ if name.startswith("HTTP_"))
"""Variables of the environment, which granian's environ has too; no headers."""
_LOG = logging.getLogger("vimmerse_mock.web")
_UNREMARKABLE: Final = frozenset({"health", "openapi"})


@dataclass(frozen=True, slots=True)
class Recorder:
    """Notes the last `keep` exchanges of each account; 0 notes none.

    Requests without a known key go to the journal of the unauthenticated, unless none is asked for.
    """

    store: Store
    real_time: Callable[[], Instant]
    keep: int

    def register(self, app: flask.Flask) -> None:
        """Listen to the end of every request."""
        if self.keep:
            app.after_request(self._note)

    def _note(self, response: flask.Response) -> flask.Response:
        environ = flask.request.environ
        if f"{environ['PATH_INFO']}/".startswith(f"{CONTROL_ROOT}/"):
            return response
        operation, account = flask.request.endpoint or "", self._account(environ)
        if account is not None or operation not in _UNREMARKABLE:
            customer_id = UNAUTHENTICATED if account is None else account.customer_id
            self._keep(customer_id, self._exchange(environ, account, operation, response))
        return response

    def _keep(self, customer_id: str, exchange: Exchange) -> None:
        try:
            self.store.note(customer_id, exchange, self.keep)
        except (StoreUnavailableError, StoreFullError, StoreConflictError) as error:
            _LOG.warning("the journal misses %s %s: %s", exchange.method, exchange.path, error)

    def _account(self, environ: Mapping[str, Any]) -> AccountState | None:
        """Tell whose request it is: whose key it has, or whose file it fetched."""
        marked: AccountState | None = environ.get(ACCOUNT)
        if marked is not None or not environ.get(_KEY):
            return marked
        try:
            return self.store.account_by_key(environ[_KEY])
        except StoreUnavailableError:
            return None

    def _exchange(
        self,
        environ: Mapping[str, Any],
        account: AccountState | None,
        operation: str,
        response: flask.Response,
    ) -> Exchange:
        key, ended = environ.get(_KEY, ""), self.real_time()
        began = environ.get(BEGAN, ended)
        view: BatchView | None = environ.get(VIEW)
        return Exchange(
            at=account.clock.at(began) if account else began,
            real=began,
            took=ended - began,
            method=environ["REQUEST_METHOD"],
            path=_path(environ, key),
            operation=operation,
            status=0 if BROKEN in environ else response.status_code,
            headers=_headers(environ, key),
            form=_form(key) if environ.get("CONTENT_TYPE") else {},
            answer_headers={name: _without(key, value) for name, value in response.headers},
            answer=_answer(key, response),
            batch_id=view.batch.id if view else "",
            batch_status=view.seen.status.value if view else "",
            progress=view.seen.progress if view else 0,
            charges=view.charges if view else (),
            fault=environ.get(FAULT_MET, ""),
        )


def _path(environ: Mapping[str, Any], key: str) -> str:
    """Tell the path with its query, as text."""
    path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
    query = _IN_QUERY.sub(rf"\1{REDACTED}", environ.get("QUERY_STRING", ""))
    told = _without(quote(key, ""), f"{path}?{query}" if query else path)
    return _without(key, told)[:BODY_CHARACTERS]


def _headers(environ: Mapping[str, Any], key: str) -> dict[str, str]:
    """Collect the request's headers; what authorises is redacted."""
    sent = {
        name[5:].replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_") and name not in _NOT_SENT
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            sent[name.replace("_", "-").lower()] = str(environ[name])
    return {
        name: REDACTED if name in SECRET_HEADERS else _without(key, value)[:BODY_CHARACTERS]
        for name, value in sent.items()
    }


def _form(key: str) -> dict[str, tuple[str, ...]]:
    """Tell the form's fields as far as it was read, and the names of its files."""
    request = flask.request
    if "form" not in request.__dict__:
        return {}
    read = {name: tuple(map(str, values)) for name, values in request.form.lists()}
    for name, uploads in request.files.lists():
        read[name] = tuple(f"file {upload.filename!r}" for upload in uploads)
    return {
        _without(key, name)[:BODY_CHARACTERS]: tuple(
            REDACTED if _NAMES_KEY.fullmatch(name) else _without(key, value)[:BODY_CHARACTERS]
            for value in values[:_FIELDS]
        )
        for name, values in list(read.items())[:_FIELDS]
    }


def _answer(key: str, response: flask.Response) -> str:
    """Tell the beginning of an answer; a file is not read for it."""
    if response.is_streamed or response.direct_passthrough:
        return f"[{response.mimetype}]"
    said: bytes = response.get_data()
    return _without(key, said[: 4 * BODY_CHARACTERS].decode(errors="replace"))[:BODY_CHARACTERS]


def _without(key: str, text: str) -> str:
    """Take the caller's key out of what was sent or said."""
    return text.replace(key, REDACTED) if key and key in text else text
