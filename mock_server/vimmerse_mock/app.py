"""Wires a mock from its parts; the only module that does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit, urlunsplit

import flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map

from vimmerse_contracts.vocabulary import API_KEY_HEADER, CONTROL_ROOT
from vimmerse_mock.control import route
from vimmerse_mock.control.access import Access
from vimmerse_mock.control.registry import AccountRegistry
from vimmerse_mock.control.route import ControlRoute
from vimmerse_mock.delivery import Allowlist, Courier, Dispatcher, HttpSender, ImageFetcher, Sender
from vimmerse_mock.errors import MockError
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.credits import PriceList
from vimmerse_mock.model.exchange import JOURNAL_LENGTH
from vimmerse_mock.model.limits import Keep, Limits
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.model.scenarios import Pace
from vimmerse_mock.service import BatchService
from vimmerse_mock.serving.connection import LARGE_BYTES
from vimmerse_mock.serving.messages import Answer, Effects, Request
from vimmerse_mock.stores import Store
from vimmerse_mock.stores.memory import MemoryStore
from vimmerse_mock.stores.retention import Retention
from vimmerse_mock.videos.studio import Studio, open_studio
from vimmerse_mock.web import api
from vimmerse_mock.web.api import PublicApi, openapi
from vimmerse_mock.web.errors import register_errors
from vimmerse_mock.web.fast_lane import FastLane
from vimmerse_mock.web.files import Files
from vimmerse_mock.web.forms import FormParser, FormRequest
from vimmerse_mock.web.record import RECORD, RequestRecord, record_of
from vimmerse_mock.web.recorder import Recorder
from vimmerse_mock.web.render import FILES_PATH
from vimmerse_mock.wsgi import run

if TYPE_CHECKING:
    from vimmerse_mock.account.account import Account
    from vimmerse_mock.control.calls import ControlClient


@dataclass(frozen=True, slots=True)
class Mock:
    """A mock: its Flask application, its accounts, its time, and the delivery of its webhooks."""

    app: flask.Flask
    fast_lane: FastLane
    service: BatchService
    accounts: AccountRegistry
    control_route: ControlRoute
    courier: Courier
    dispatcher: Dispatcher
    limits: Limits
    studio: Studio | None
    fetches_images: bool
    calls_nearby: bool

    @property
    def admin_token(self) -> str:
        """The token of the control plane."""
        return self.control_route.access.token

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
        from vimmerse_mock.control.calls import ControlClient, InProcessCaller  # noqa: PLC0415 - see above

        return ControlClient(InProcessCaller(self.control_route))

    def close(self) -> None:
        """Stop delivering and let go of the store."""
        self.dispatcher.stop()
        self.courier.store.close()
        if self.studio is not None:
            self.studio.close()


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
    why: bool = True,
    lenient_words: bool = False,
    real_time: Callable[[], Instant] | None = None,
    video_cache: Path | None = None,
    fetch_images: bool = False,
) -> Mock:
    """Create a mock, without an account. Serve it with `MockServer`.

    Args:
        store: Where data is kept; by default in memory.
        prices: The price list, in credits.
        pace: How long processing takes where a scenario does not set it.
        limits: The largest image and request, in bytes.
        real_time: The source of real time; by default the store's.
        files_url: The start of links to files; by default the address that the client used.
        journal: The number of requests to keep for each account.
        admin_token: The token of the control plane. Without one, programs on this machine need none
            as long as the mock listens on the loopback, and `Mock.admin_token` is made up.
        why: Say in a header of each refusal why it is one.
        lenient_words: Accept words that no source lists; an unlisted motion type becomes Auto.
        allowlist: The hosts that may get webhooks; by default the loopback and private networks.
        sender: What sends webhooks, in place of HTTP; it decides by itself where they may go.
        keep: Which ended batches are kept; by default all.
        video_cache: Where pictures and clips are kept, with the extra `[video]`; by default a
            temporary folder.
        fetch_images: Whether image URLs are fetched, from hosts of `allowlist`; an image that can't
            be had fails its media.
    """
    store, limits = store or MemoryStore(), limits or Limits()
    allowlist = allowlist or Allowlist()
    calls_nearby = allowlist.local and (sender is None or fetch_images)
    sender = sender or HttpSender(allowlist=allowlist)
    courier = Courier(store, sender, real_time or store.real_time)
    retention = Retention(store, keep or Keep(), courier.real_time)
    dispatcher = Dispatcher(courier, retention.apply)
    service = BatchService(
        store=store,
        prices=prices or PriceList(),
        pace=pace or Pace(),
        real_time=courier.real_time,
        on_planned=dispatcher.wake,
        deliver_early=partial(_deliver_early, courier),
    )
    accounts = AccountRegistry(courier, dispatcher.wake)
    control_route = ControlRoute(accounts, service, Access.by(admin_token))
    studio = open_studio(video_cache)
    fetcher = ImageFetcher(allowlist, limits.file) if fetch_images else None
    parser = FormParser(limits.file, lenient_words=lenient_words)
    public_api = PublicApi(service, parser, files_url, studio, fetcher)
    recorder = Recorder(store, courier.real_time, journal)
    app = _create_app(limits, why=why)
    app.view_functions |= {
        **public_api.views(),
        "openapi": openapi,
        "file": Files(service, studio).file,
        "control": control_route.enter,
    }
    recorder.register(app)
    fast_lane = FastLane(app, public_api, recorder)
    return Mock(
        app=app,
        fast_lane=fast_lane,
        service=service,
        accounts=accounts,
        control_route=control_route,
        courier=courier,
        dispatcher=dispatcher,
        limits=limits,
        studio=studio,
        fetches_images=fetch_images,
        calls_nearby=calls_nearby,
    )


class MockApplication:
    """A mock as a front serves it: at once what cannot block, the rest by accounts."""

    def __init__(self, mock: Mock) -> None:
        self._mock = mock
        self._store = mock.courier.store
        self._is_in_memory = isinstance(self._store, MemoryStore)

    def owner(self, request: Request) -> str | None:
        """Give the pool what may block: a database, webhooks, encoding, fetching, large forms."""
        path = request.target
        if path.startswith(CONTROL_ROOT):
            return "/".join(path.split("/")[:4])
        if path == "/health":
            return None
        if path.startswith(FILES_PATH) and self._mock.studio is not None:
            return "/".join(path.split("/")[:3])  # of one customer
        waits = self._mock.fetches_images and request.method == "POST"
        if self._is_in_memory and request.length <= LARGE_BYTES and not waits:
            return None
        return request.header(API_KEY_HEADER.lower()) or request.peer

    def refuse(self, request: Request) -> Answer | None:
        """Refuse, before it is read, a body that is too large, or a large one without a key."""
        if request.length > self._mock.limits.request:
            return self.answer(request)
        if request.target.startswith(CONTROL_ROOT):
            try:
                self._mock.control_route.access.require(flask.Request(request.environ()))
            except MockError:
                return self.answer(request)
            return None
        key = request.header(API_KEY_HEADER.lower())
        if key and self._store.account_by_key(key) is not None:
            return None
        return self.answer(request)

    def answer(self, request: Request) -> Answer:
        """Answer a plain read at once, or have Flask answer, with what is to happen to it."""
        if self._is_in_memory and (plain := self._mock.fast_lane.answer(request)) is not None:
            return plain
        record = RequestRecord(pauses=[], errands=[])
        status, headers, body = run(self._mock.app, request.environ() | {RECORD: record})
        answer = Answer(status, headers, body, is_head=request.method == "HEAD")
        if record.pauses or record.broken:
            pauses = record.pauses or []
            drips = record.fault is not None and record.fault.kind.effect.drips
            answer.effects = Effects(
                0.0 if drips else sum(pauses), tuple(pauses) if drips else (), record.broken
            )
        if record.errands and record.account:
            answer.errand = record.account.customer_id, partial(_run_all, record.errands)
        return answer


def _run_all(errands: Iterable[Callable[[], object]]) -> None:
    for errand in errands:
        errand()


def _deliver_early(courier: Courier, message: Message) -> None:
    """Deliver a webhook before the request is answered: now, or as an errand of the answer."""
    errands = record_of(flask.request.environ).errands if flask.has_request_context() else None
    if errands is None:
        courier.deliver_early(message)
    else:
        errands.append(partial(courier.deliver_early, message))


class _App(flask.Flask):
    """Has the routes that all mocks of a process share, and takes no more."""

    request_class = FormRequest

    def add_url_rule(self, *_: object, **__: object) -> NoReturn:
        raise RuntimeError("the routes of a mock are those of the API: add yours to another app")

    def raise_routing_exception(self, request: flask.Request) -> NoReturn:
        """Redirect a path with a slash at its end to one without, as FastAPI does if there is one.

        Raises:
            HTTPException: the redirect, or why there is no route.
        """
        adapter, path = self.create_url_adapter(request), request.path.removesuffix("/")
        if path != request.path and adapter is not None and adapter.allowed_methods(path):
            url = urlsplit(request.url)
            location = urlunsplit(url._replace(path=url.path.removesuffix("/")))
            answer = flask.Response(status=HTTPStatus.TEMPORARY_REDIRECT)
            answer.headers["Location"] = location
            raise HTTPException(response=answer)
        super().raise_routing_exception(request)


def _create_app(limits: Limits, *, why: bool) -> flask.Flask:
    app = _App("vimmerse_mock", static_folder=None, template_folder=None)
    app.url_map = _routes()
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = limits.request
    app.config["MAX_FORM_PARTS"] = None
    app.config["WHY"] = why
    register_errors(app)
    return app


@cache
def _routes() -> Map:
    """Compile the routes: it takes longer than all the rest of a mock, so it is done once."""
    return Map([*api.rules(), *route.rules()], merge_slashes=False)
