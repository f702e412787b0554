"""The one place that wires: a mock, made of keyword arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import flask

from vimmerse_mock.control.access import Access, ControlRoute
from vimmerse_mock.control.registry import AccountRegistry
from vimmerse_mock.delivery import Allowlist, Courier, Dispatcher, HttpSender, Sender
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.credits import PriceList
from vimmerse_mock.model.exchange import JOURNAL_LENGTH
from vimmerse_mock.model.limits import Keep, Limits
from vimmerse_mock.model.scenarios import Pace
from vimmerse_mock.service import BatchService
from vimmerse_mock.stores import Store
from vimmerse_mock.stores.memory import MemoryStore
from vimmerse_mock.stores.retention import Retention
from vimmerse_mock.web.api import Files, PublicApi
from vimmerse_mock.web.errors import register_errors
from vimmerse_mock.web.forms import FormParser, FormRequest, finish_reading
from vimmerse_mock.web.recorder import Recorder

if TYPE_CHECKING:
    from vimmerse_mock.account.account import Account
    from vimmerse_mock.control.calls import ControlClient


@dataclass(frozen=True, slots=True)
class Mock:
    """A wired mock: its WSGI application, and what moves its time and delivers its webhooks."""

    app: flask.Flask
    service: BatchService
    accounts: AccountRegistry
    control_route: ControlRoute
    courier: Courier
    dispatcher: Dispatcher

    def open_account(self, url: str, opening: Opening | None = None) -> Account:
        """Open an account whose clients reach the mock at `url`.

        Raises:
            DuplicateAccountError: its key or customer id is taken.
        """
        from vimmerse_mock.account.account import open_account  # noqa: PLC0415 - see `control`

        return open_account(self.control(), url, opening or Opening())

    def find_account(self, url: str, customer_id: str) -> Account:
        """Take an account that exists.

        Raises:
            UnknownAccountError: there is none.
        """
        from vimmerse_mock.account.account import find_account  # noqa: PLC0415 - see `control`

        return find_account(self.control(), url, customer_id)

    def control(self) -> ControlClient:
        """Make a way to the control plane, without a socket; a served mock may never need it."""
        from vimmerse_mock.control.calls import ControlClient, WsgiCaller  # noqa: PLC0415 - see above

        return ControlClient(WsgiCaller(self.control_route))

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
    allowlist: Allowlist | None = None,
    keep: Keep | None = None,
    journal: int = JOURNAL_LENGTH,
    admin_token: str = "",
    real_time: Callable[[], Instant] | None = None,
) -> Mock:
    """Wire a mock; it has no account yet, and its dispatcher is not started.

    Real time is the store's, unless `real_time` says otherwise. `files_url` is where links to
    files begin (None: at the address that the client used). `journal` is how many exchanges of an
    account are kept. Without `admin_token` the control plane answers to the loopback only. Webhooks
    go to loopback and private networks, or where `allowlist` says; a `sender` decides by itself.
    """
    store, limits = store or MemoryStore(), limits or Limits()
    sender = sender or HttpSender(allowlist=allowlist or Allowlist())
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
    accounts = AccountRegistry(courier, dispatcher.wake)
    app = _create_app(limits)
    PublicApi(service, FormParser(limits.file), files_url).register(app)
    Files(service).register(app)
    Recorder(store, courier.real_time, journal).register(app)
    control_route = ControlRoute(accounts, service, Access(admin_token))
    control_route.register(app)
    return Mock(app, service, accounts, control_route, courier, dispatcher)


def _create_app(limits: Limits) -> flask.Flask:
    app = flask.Flask("vimmerse_mock", static_folder=None, template_folder=None)
    app.request_class = FormRequest
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = limits.request
    app.config["MAX_FORM_PARTS"] = None
    app.url_map.merge_slashes = False
    register_errors(app)
    app.after_request(partial(finish_reading, limit=limits.request))
    return app
