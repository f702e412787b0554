"""The recorder: puts every request with its answer into the journal of the account that asked."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import flask
from werkzeug.datastructures import EnvironHeaders

from vimmerse_contracts.network import REDACTED, SECRET_HEADERS
from vimmerse_contracts.vocabulary import API_KEY_HEADER, CONTROL_ROOT
from vimmerse_mock.errors import StoreFullError, StoreUnavailableError
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.exchange import BODY_CHARACTERS, Exchange
from vimmerse_mock.stores import UNAUTHENTICATED, Store
from vimmerse_mock.web.record import record_of

Environ = dict[str, Any]
_KEY: Final = "HTTP_" + API_KEY_HEADER.upper().replace("-", "_")
_FIELDS: Final = 64
_KEY_NAMES: Final = r"(?:x[-_])?(?:api[-_]?key|key|(?:access[-_])?token|authorization)"
_NAMES_KEY: Final = re.compile(_KEY_NAMES, re.IGNORECASE)
_IN_QUERY: Final = re.compile(rf"((?:^|[&;]){_KEY_NAMES}=)[^&;]*", re.IGNORECASE)
"""Where a key was sent by mistake, of whoever it is."""
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
        operation, record = flask.request.endpoint or "", record_of(environ)
        redact = _Redaction(environ.get(_KEY, ""))
        account = record.account or self._account_of(redact.key)
        if account is None and operation in _UNREMARKABLE:
            return response
        customer_id = UNAUTHENTICATED if account is None else account.customer_id
        ended, view = self.real_time(), record.view
        began = ended if record.began is None else record.began
        exchange = Exchange(
            at=account.clock.at(began) if account else began,
            real=began,
            took=ended - began,
            method=environ["REQUEST_METHOD"],
            path=redact.path(environ),
            operation=operation,
            status=response.status_code if record.broken is None else 0,
            headers=redact.headers(environ),
            form=redact.form(flask.request) if environ.get("CONTENT_TYPE") else {},
            answer_headers={name: redact.text(value) for name, value in response.headers},
            answer=redact.answer(response),
            batch_id=view.batch.id if view else "",
            batch_status=view.seen.status.value if view else "",
            progress=view.seen.progress if view else 0,
            charges=view.charges if view else (),
            fault=str(record.fault) if record.fault else "",
        )
        try:
            self.store.note(customer_id, exchange, self.keep)
        except (StoreUnavailableError, StoreFullError) as error:
            _LOG.warning("the journal misses %s %s: %s", exchange.method, exchange.path, error)
        return response

    def _account_of(self, key: str) -> AccountState | None:
        try:
            return self.store.account_by_key(key) if key else None
        except StoreUnavailableError:
            return None


@dataclass(frozen=True, slots=True)
class _Redaction:
    """Takes the caller's `key`, and whatever else authorises, out of what was sent and answered."""

    key: str

    def text(self, text: str) -> str:
        return text.replace(self.key, REDACTED) if self.key and self.key in text else text

    def path(self, environ: Environ) -> str:
        """The path with its query; there a key may stand quoted, and anybody's by its name."""
        path: str = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        if query := environ.get("QUERY_STRING", ""):
            path += "?" + _IN_QUERY.sub(rf"\1{REDACTED}", query)
        if self.key:
            path = path.replace(quote(self.key, ""), REDACTED)
        return self.text(path)[:BODY_CHARACTERS]

    def headers(self, environ: Environ) -> dict[str, str]:
        """The request's headers; those that authorise only by their names."""
        sent = ((name.lower(), value) for name, value in EnvironHeaders(environ))
        return {
            name: REDACTED if name in SECRET_HEADERS else self.text(value)[:BODY_CHARACTERS]
            for name, value in sent
        }

    def form(self, request: flask.Request) -> dict[str, tuple[str, ...]]:
        """The form's fields as far as it was read, and the names of its files."""
        if "form" not in request.__dict__:
            return {}
        read = {name: tuple(map(str, values)) for name, values in request.form.lists()}
        for name, uploads in request.files.lists():
            read[name] = tuple(f"file {upload.filename!r}" for upload in uploads)
        return {
            self.text(name)[:BODY_CHARACTERS]: tuple(
                REDACTED if _NAMES_KEY.fullmatch(name) else self.text(value)[:BODY_CHARACTERS]
                for value in values[:_FIELDS]
            )
            for name, values in list(read.items())[:_FIELDS]
        }

    def answer(self, response: flask.Response) -> str:
        """The beginning of an answer; a file is not read for it."""
        if response.is_streamed or response.direct_passthrough:
            return f"[{response.mimetype}]"
        body: bytes = response.get_data()
        return self.text(body[: 4 * BODY_CHARACTERS].decode(errors="replace"))[:BODY_CHARACTERS]
