"""The one place that wires: a mock, made of keyword arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import flask

from vimmerse_mock.account import Account, Opening, open_account
from vimmerse_mock.delivery import Courier, Dispatcher, HttpSender, Reach, Sender
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.ledger import PriceList
from vimmerse_mock.model.limits import Limits
from vimmerse_mock.model.retention import Keep
from vimmerse_mock.model.scenarios import Pace
from vimmerse_mock.retention import Retention
from vimmerse_mock.service import BatchService
from vimmerse_mock.stores import Store
from vimmerse_mock.stores.memory import MemoryStore
from vimmerse_mock.web.api import PublicApi
from vimmerse_mock.web.bodies import finish_reading
from vimmerse_mock.web.errors import register_errors
from vimmerse_mock.web.files import Files
from vimmerse_mock.web.forms import FormParser, FormRequest


@dataclass(frozen=True, slots=True)
class Mock:
    """A wired mock: its WSGI application, and what moves its time and delivers its webhooks."""

    app: flask.Flask
    service: BatchService
    courier: Courier
    dispatcher: Dispatcher

    def open_account(self, url: str, opening: Opening | None = None) -> Account:
        """Open an account whose clients reach the mock at `url`.

        Raises:
            DuplicateAccountError: its key or customer id is taken.
        """
        return open_account(self.courier, url, opening or Opening())

    def close(self) -> None:
        """Stop delivering and let go of the store."""
        self.dispatcher.stop()
        self.courier.store.close()


def create_mock(
    *,
    store: Store | None = None,
    prices: PriceList | None = None,
    pace: Pace | None = None,
    limits: Limits | None = None,
    files_url: str | None = None,
    sender: Sender | None = None,
    reach: Reach | None = None,
    keep: Keep | None = None,
    real_time: Callable[[], Instant] | None = None,
) -> Mock:
    """Wire a mock; it has no account yet, and its dispatcher is not started.

    Real time is the store's, unless `real_time` says otherwise. `files_url` is where links to
    files begin (None: at the address that the client used).
    """
    store = store or MemoryStore()
    sender = sender or HttpSender(reach=reach or Reach())
    courier = Courier(store, sender, real_time or store.real_time)
    retention = Retention(store, keep or Keep(), courier.real_time)
    dispatcher = Dispatcher(courier, retention.apply)
    service = BatchService(
        store=store,
        prices=prices or PriceList(),
        pace=pace or Pace(),
        real_time=courier.real_time,
        on_planned=dispatcher.wake,
        deliver_early=courier.deliver_early,
    )
    app = _create_app(service, limits or Limits(), files_url)
    return Mock(app, service, courier, dispatcher)


def _create_app(service: BatchService, limits: Limits, files_url: str | None) -> flask.Flask:
    app = flask.Flask("vimmerse_mock", static_folder=None, template_folder=None)
    app.request_class = FormRequest
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = limits.request
    app.config["MAX_FORM_PARTS"] = None
    app.url_map.merge_slashes = False
    register_errors(app)
    app.after_request(partial(finish_reading, limit=limits.request))
    PublicApi(service, FormParser(limits.file), files_url).register(app)
    Files(service).register(app)
    return app
