"""The recorder: puts every request with its answer into the journal of the account that asked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import flask
from werkzeug.datastructures import EnvironHeaders

from vimmerse_contracts.secrecy import (
    REDACTED,
    Secrets,
    credentials_in,
    is_secret_name,
    without_credentials,
)
from vimmerse_contracts.vocabulary import API_KEY_HEADER, CONTROL_ROOT
from vimmerse_mock.errors import StoreFullError, StoreUnavailableError
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.exchange import BODY_CHARACTERS, Exchange, LazyExchange
from vimmerse_mock.stores import UNAUTHENTICATED, Store
from vimmerse_mock.web.record import RequestRecord, record_of

Environ = dict[str, Any]
Form = dict[str, list[str]]
_KEY: Final = "HTTP_" + API_KEY_HEADER.upper().replace("-", "_")
_FIELDS: Final = 64
_NAME_CHARACTERS: Final = 256
_FORM_CHARACTERS: Final = 65_536
"""How much is kept of all values of a form together."""
_LAZY_BYTES: Final = 8_192
"""What is kept of a request, as it came, until somebody reads it."""
_LEAST_SECRET: Final = 8
"""What is sent under a secret name and is shorter is hidden there, but not wherever it occurs."""
_PLAIN_HEADERS: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "origin",
        "referer",
        "user-agent",
    }
)
"""Of a request without a known key, other headers may have one under a name of their own."""
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
            app.after_request(self._note_response)

    def _note_response(self, response: flask.Response) -> flask.Response:
        request, environ = flask.request, flask.request.environ
        if f"{environ['PATH_INFO']}/".startswith(f"{CONTROL_ROOT}/"):
            return response
        record = record_of(environ)
        is_away = (
            response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        )  # not to be waited for twice
        if record.account is None and not is_away:
            record.account = self._account_of(environ.get(_KEY, ""))
        if record.account is None and request.endpoint in _UNREMARKABLE:
            return response
        texts = {name: value for name, value in environ.items() if type(value) is str}
        is_file = response.is_streamed or response.direct_passthrough
        answer = f"[{response.mimetype}]".encode() if is_file else response.get_data()
        length = request.content_length
        self.note(
            Unwritten(
                environ=lambda: texts,
                form=_form(request) if length != 0 and "form" in request.__dict__ else {},
                operation=request.endpoint or "",
                status=response.status_code,
                headers=list(response.headers),
                answer=answer,
                record=record,
                ended=self.real_time(),
            ),
            size=_LAZY_BYTES + 1 if length is None else length + sum(map(len, texts.values())),
        )
        return response

    def note(self, unwritten: Unwritten, size: int) -> None:
        """Put a request into the journal of its account, which writes it out when it is read.

        One of much `size` is written at once, since only the beginning of each text is kept.
        """
        if not self.keep:
            return
        account = unwritten.record.account
        customer_id = UNAUTHENTICATED if account is None else account.customer_id
        size += len(unwritten.answer)
        exchange = LazyExchange(unwritten.write if size <= _LAZY_BYTES else unwritten.write(), size)
        try:
            self.store.note(customer_id, exchange, self.keep)
        except (StoreUnavailableError, StoreFullError) as error:
            missed = exchange.read()
            _LOG.warning("the journal misses %s %s: %s", missed.method, missed.path, error)

    def _account_of(self, key: str) -> AccountState | None:
        try:
            return self.store.account_by_key(key) if key else None
        except StoreUnavailableError:
            return None


@dataclass(frozen=True, slots=True)
class Unwritten:
    """A request and its answer as they were, secrets and all; only `write` makes them readable."""

    environ: Callable[[], Environ]
    form: Form
    operation: str
    status: int
    headers: list[tuple[str, str]]
    answer: bytes
    record: RequestRecord
    ended: Instant

    def write(self) -> Exchange:
        """Return what the journal keeps: without secrets, and the beginning of what is long."""
        environ, record = self.environ(), self.record
        account, view = record.account, record.view
        redact = _Redaction.of(environ, self.form, is_known=account is not None)
        began = self.ended if record.began is None else record.began
        return Exchange(
            at=account.clock.at(began) if account else began,
            real=began,
            took=self.ended - began,
            method=environ["REQUEST_METHOD"],
            path=redact.path(environ),
            operation=self.operation,
            status=self.status if record.broken is None else 0,
            headers=redact.headers(environ),
            form=redact.form(self.form),
            answer_headers=redact.answer_headers(self.headers),
            answer=redact.answer(self.answer),
            batch_id=view.batch.id if view else "",
            batch_status=view.seen.status.value if view else "",
            progress=view.seen.progress if view else 0,
            charges=view.charges if view else (),
            fault=str(record.fault) if record.fault else "",
            why=redact.text(record.why),
        )


@dataclass(frozen=True, slots=True)
class _Redaction:
    """Takes what authorises out of what was sent and answered, wherever and however it is written.

    Those are the caller's key, and whatever was sent under a secret name.
    """

    secrets: Secrets
    is_known: bool

    @classmethod
    def of(cls, environ: Environ, form: Form, *, is_known: bool) -> _Redaction:
        """Find what a request authorises itself by."""
        named = [
            *((name, [value]) for name, value in EnvironHeaders(environ)),
            *((name, [value]) for name, value in parse_qsl(environ.get("QUERY_STRING", ""))),
            *form.items(),
        ]
        found = {
            credential
            for name, values in named
            if is_secret_name(name)
            for value in values
            for credential in credentials_in(value)
            if len(credential) >= _LEAST_SECRET
        }
        return cls(Secrets({environ.get(_KEY, ""), *found}), is_known)

    def text(self, text: str) -> str:
        return self.secrets.hide(without_credentials(text))

    def path(self, environ: Environ) -> str:
        """The path with its query."""
        path: str = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        if query := environ.get("QUERY_STRING", ""):
            path += "?" + query
        return self.text(path)[:BODY_CHARACTERS]

    def headers(self, environ: Environ) -> dict[str, str]:
        """The request's headers; those that may authorise only by their names."""
        sent = ((name.lower(), value) for name, value in EnvironHeaders(environ))
        return {
            name: REDACTED if self._is_secret(name) else self.text(value)[:BODY_CHARACTERS]
            for name, value in sent
        }

    def _is_secret(self, name: str) -> bool:
        return is_secret_name(name) or not (self.is_known or name in _PLAIN_HEADERS)

    def form(self, sent: Form) -> dict[str, tuple[str, ...]]:
        """The form's fields, up to a bound in all."""
        form: dict[str, tuple[str, ...]] = {}
        left = _FORM_CHARACTERS
        for name, values in list(sent.items())[:_FIELDS]:
            kept = []
            is_secret = is_secret_name(name)
            for value in values[:_FIELDS]:
                text = REDACTED if is_secret else self.text(value)
                kept.append(text[: min(left, BODY_CHARACTERS)])
                left -= len(kept[-1])
            form[self.text(name)[:_NAME_CHARACTERS]] = tuple(kept)
        return form

    def answer_headers(self, sent: list[tuple[str, str]]) -> dict[str, str]:
        """The answer's headers."""
        return {
            name: REDACTED if is_secret_name(name) else self.text(value) for name, value in sent
        }

    def answer(self, body: bytes) -> str:
        """The beginning of an answer."""
        return self.text(body[: 4 * BODY_CHARACTERS].decode(errors="replace"))[:BODY_CHARACTERS]


def _form(request: flask.Request) -> Form:
    """Return a form's fields as far as it was read, and the names of its files."""
    read: Form = request.form.to_dict(flat=False)
    for name, uploads in request.files.lists():
        read[name] = [f"file {upload.filename!r}" for upload in uploads]
    return read
