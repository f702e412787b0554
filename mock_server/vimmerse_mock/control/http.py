"""The control plane over HTTP: one method for each operation of its table, bound by its id."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import flask
import msgspec
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.routing import Map, Rule

from vimmerse_contracts.vocabulary import CONTROL_ROOT as ROOT
from vimmerse_mock.control import messages as r
from vimmerse_mock.control import views
from vimmerse_mock.control.access import Access
from vimmerse_mock.control.messages import (
    read_opening,
    read_scenario,
    read_webhook_settings,
)
from vimmerse_mock.control.operations import OPERATIONS, ControlOperation
from vimmerse_mock.control.plane import ControlPlane, Moved
from vimmerse_mock.control.snapshots import FORMAT, VERSION, SnapshotFile, read_snapshots
from vimmerse_mock.delivery import new_secret
from vimmerse_mock.errors import (
    InvalidRequestError,
    MockError,
    NoSuchOperationError,
    WrongMethodError,
)
from vimmerse_mock.model import story
from vimmerse_mock.model.clock import ClockSetting, Instant, from_datetime, parse_span, to_datetime
from vimmerse_mock.model.delivery_plans import WebhookSettings, parse_plan
from vimmerse_mock.model.exchange import Exchange
from vimmerse_mock.model.faults import Fault
from vimmerse_mock.service import BatchService
from vimmerse_mock.stores import UNAUTHENTICATED

Query = Mapping[str, str]
_DIGITS: Final = 9
_LIMITS: Final = ("requests_per_minute", "concurrent_batches")
_BY_ID: Final = {operation.id: operation for operation in OPERATIONS}
_ROUTES: Final = Map(
    [
        Rule(o.path.replace("{", "<").replace("}", ">"), endpoint=o.id, methods=[o.method])
        for o in OPERATIONS
    ],
    strict_slashes=False,
)
_LOG = logging.getLogger("vimmerse_mock.web")


@dataclass(frozen=True, slots=True)
class ControlApi:
    """Answers the operations of the control plane to whoever has access."""

    control_plane: ControlPlane
    service: BatchService
    access: Access

    def answer(self, request: flask.Request, *, in_process: bool = False) -> flask.Response:
        """Answer a request: access first, then the operation, then its body."""
        try:
            if not in_process:
                self.access.require(request)
            operation, path = _find(request)
            self._require_account(path)
            body = _body(operation, request)
            query = {"query": request.args} if operation.query else {}
            return _answer(getattr(self, operation.id)(**path, **body, **query), operation.status)
        except Exception as error:  # noqa: BLE001 - every failure is an answer of this plane's
            return _refuse(error)

    def _require_account(self, path: Mapping[str, str]) -> None:
        """Refuse an unknown account before anything else, on every store alike.

        Raises:
            UnknownAccountError: the path names an account that there is not.
        """
        if (customer_id := path.get("customer_id")) is not None:
            self.control_plane.store.account(customer_id.replace("\0", ""))

    def index(self) -> r.Index:
        """List the operations."""
        listed = tuple(
            r.OperationInfo(method=o.method, path=o.path, summary=o.summary) for o in OPERATIONS
        )
        return r.Index(operations=listed, openapi=f"{ROOT}/openapi.json")

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        from vimmerse_mock.control.openapi import control_document  # noqa: PLC0415 - apispec costs start-up

        return control_document()

    def open_account(self, body: r.OpenAccount) -> r.AccountInfo:
        """Open an account."""
        return self.show_account(self.control_plane.open(read_opening(body)).customer_id)

    def list_accounts(self) -> r.AccountList:
        """List the accounts."""
        accounts = [self.show_account(each.customer_id) for each in self.control_plane.accounts()]
        return r.AccountList(accounts=tuple(accounts))

    def show_account(self, customer_id: str) -> r.AccountInfo:
        """Show an account."""
        store = self.control_plane.store
        account, balance = store.account(customer_id), store.balance(customer_id)
        return views.account_info(account, balance, self._real_time())

    def change_account(self, customer_id: str, body: r.ChangeAccount) -> r.AccountInfo:
        """Change settings."""
        if body.scenario is not msgspec.UNSET:
            self.control_plane.use_scenario(customer_id, read_scenario(body.scenario))
        self.control_plane.limit(customer_id, **_given(body, _LIMITS))
        return self.show_account(customer_id)

    def close_account(self, customer_id: str) -> None:
        """Remove an account."""
        self.control_plane.remove(customer_id)

    def pay_in(self, customer_id: str, body: r.PayIn) -> r.Ledger:
        """Add credits."""
        self.control_plane.pay_in(customer_id, body.amount)
        return self.show_ledger(customer_id)

    def show_ledger(self, customer_id: str) -> r.Ledger:
        """Show the ledger."""
        entries = self.control_plane.store.ledger(customer_id)
        balance = entries[-1].balance if entries else 0
        return r.Ledger(credits=balance, entries=tuple(map(views.ledger_line, entries)))

    def show_clock(self, customer_id: str) -> r.ClockInfo:
        """Tell the time."""
        return views.clock_info(self.control_plane.store.account(customer_id), self._real_time())

    def set_clock(self, customer_id: str, body: ClockSetting) -> r.ClockInfo:
        """Let the clock go on in another way."""
        account = self.control_plane.set_clock(customer_id, body)
        return views.clock_info(account, self._real_time())

    def advance(self, customer_id: str, body: r.AdvanceBy) -> r.Moved:
        """Move the clock by a span."""
        return self._moved(
            customer_id, self.control_plane.advance(customer_id, parse_span(body.by))
        )

    def move_to(self, customer_id: str, body: r.MoveTo) -> r.Moved:
        """Move the clock to an instant."""
        moved = self.control_plane.move_to(customer_id, from_datetime(body.to))
        return self._moved(customer_id, moved)

    def advance_to_next(self, customer_id: str) -> r.Moved:
        """Move the clock to what comes next."""
        return self._moved(customer_id, self.control_plane.advance_to_next(customer_id))

    def add_scenarios(self, customer_id: str, body: r.AddScenarios) -> r.AccountInfo:
        """Decide what becomes of the next batches."""
        scenarios = tuple(map(read_scenario, body.scenarios))
        self.control_plane.follow_with(customer_id, scenarios)
        return self.show_account(customer_id)

    def clear_scenarios(self, customer_id: str) -> None:
        """Take back what no batch has taken."""
        self.control_plane.clear_scenarios(customer_id)

    def list_faults(self, customer_id: str) -> r.FaultList:
        """List the faults."""
        return views.fault_list(self.control_plane.store.account(customer_id))

    def plan_fault(self, customer_id: str, body: r.PlanFault) -> r.FaultList:
        """Plan a fault."""
        fault = Fault(**msgspec.structs.asdict(body))
        return views.fault_list(self.control_plane.plan_fault(customer_id, fault))

    def clear_faults(self, customer_id: str) -> None:
        """Take every fault back."""
        self.control_plane.clear_faults(customer_id)

    def list_batches(self, customer_id: str) -> r.BatchList:
        """List the batches."""
        batches = self.service.seen(self.control_plane.store.account(customer_id))
        return r.BatchList(batches=tuple(map(views.batch_info, batches)))

    def list_webhooks(self, customer_id: str) -> r.WebhookList:
        """List the outbox."""
        messages = self.control_plane.store.messages(customer_id)
        return r.WebhookList(webhooks=tuple(map(views.webhook_info, messages)))

    def show_webhook(self, customer_id: str, message_id: str) -> r.WebhookInfo:
        """Show one webhook."""
        return views.webhook_info(self.control_plane.courier.message(customer_id, message_id))

    def redeliver(self, customer_id: str, message_id: str) -> r.WebhookInfo:
        """Send a webhook again."""
        return views.webhook_info(self.control_plane.courier.redeliver(customer_id, message_id))

    def show_webhook_settings(self, customer_id: str) -> r.WebhookSettingsInfo:
        """Show how webhooks are delivered."""
        return views.webhook_settings_info(self.control_plane.store.account(customer_id).webhooks)

    def change_webhook_settings(
        self, customer_id: str, body: r.ChangeWebhooks
    ) -> r.WebhookSettingsInfo:
        """Change how webhooks are delivered."""
        return self._changed_webhooks(customer_id, partial(read_webhook_settings, body))

    def add_delivery_plans(self, customer_id: str, body: r.AddPlans) -> r.WebhookSettingsInfo:
        """Plan for the next submissions."""
        plans = tuple(map(parse_plan, body.plans))
        return self._changed_webhooks(customer_id, lambda settings: settings.followed_by(plans))

    def rotate_secret(self, customer_id: str) -> r.WebhookSettingsInfo:
        """Make up a new secret."""
        secret = new_secret()
        return self._changed_webhooks(customer_id, lambda settings: settings.rotated(secret))

    def _changed_webhooks(
        self, customer_id: str, change: Callable[[WebhookSettings], WebhookSettings]
    ) -> r.WebhookSettingsInfo:
        changed = self.control_plane.change_webhooks(customer_id, change)
        return views.webhook_settings_info(changed)

    def show_journal(self, customer_id: str, query: Query) -> r.Journal:
        """Show an account's requests."""
        exchanges = filter(_wanted(query), self.control_plane.store.journal(customer_id))
        return r.Journal(exchanges=tuple(map(views.exchange_info, exchanges)))

    def show_unauthenticated(self, query: Query) -> r.Journal:
        """Show the requests of nobody known."""
        return self.show_journal(UNAUTHENTICATED, query)

    def show_story(self, customer_id: str, query: Query) -> r.Story:
        """Tell what happened."""
        events = self.control_plane.story(customer_id)
        return r.Story(
            events=views.event_infos(events),
            written=story.lines_of(events, _number(query, "most", 200)),
        )

    def export(self, customer_id: str) -> SnapshotFile:
        """Export an account."""
        taken = self.control_plane.export(customer_id)
        return SnapshotFile(format=FORMAT, version=VERSION, snapshots=(taken,))

    def import_accounts(self, body: SnapshotFile) -> r.AccountList:
        """Import accounts: all of them, or none."""
        loaded = self.control_plane.load(map(read_opening, body.accounts), body.snapshots)
        return r.AccountList(
            accounts=tuple(self.show_account(account.customer_id) for account in loaded)
        )

    def _moved(self, customer_id: str, moved: Moved | None) -> r.Moved:
        if moved is None:
            now = to_datetime(self.control_plane.now(customer_id))
            return r.Moved(now=now, events=(), nothing_to_come=True)
        return r.Moved(now=to_datetime(moved.now), events=views.event_infos(moved.events))

    def _real_time(self) -> Instant:
        return self.control_plane.courier.real_time()


def _find(request: flask.Request) -> tuple[ControlOperation, Mapping[str, str]]:
    """Find the operation that a request names, and the parameters in its path."""
    try:
        operation_id, path = _ROUTES.bind("").match(request.path, request.method)
    except MethodNotAllowed as error:
        allowed = ", ".join(error.valid_methods or ())
        raise WrongMethodError(f"{request.path} takes {allowed}, not {request.method}") from error
    except HTTPException as error:
        raise NoSuchOperationError(
            f"no operation {request.method} {request.path}: GET {ROOT}/ lists them"
        ) from error
    return _BY_ID[operation_id], path


def _body(operation: ControlOperation, request: flask.Request) -> dict[str, Any]:
    """Read the body that an operation takes."""
    if operation.takes is None:
        return {}
    sent = request.get_data()
    is_struct = issubclass(operation.takes, msgspec.Struct)
    fields = (
        operation.takes.__struct_fields__ if is_struct else operation.takes.__dataclass_fields__
    )
    if operation.takes is SnapshotFile:
        return {"body": read_snapshots(sent)}
    try:
        body = msgspec.json.decode(sent or b"{}", type=operation.takes)
        _require_known(msgspec.json.decode(sent or b"{}"), fields)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if isinstance(error.__cause__, MockError):  # what the value itself says of its fields
            raise error.__cause__ from error
        raise InvalidRequestError(
            f"{error}; expected a JSON object of {', '.join(fields)}"
        ) from error
    return {"body": body}


def _require_known(sent: Iterable[str], fields: Iterable[str]) -> None:
    for name in sent:
        if name not in fields:
            raise msgspec.ValidationError(f"Object contains unknown field `{name}`")


def _given(body: r.Body, names: Iterable[str]) -> dict[str, Any]:
    """Take those of some fields that were given, null included."""
    values = {name: getattr(body, name) for name in names}
    return {name: value for name, value in values.items() if value is not msgspec.UNSET}


def _wanted(query: Query) -> Callable[[Exchange], bool]:
    """Make the condition that a query of the journal sets."""
    operation, status = query.get("operation"), _number(query, "status", 0)

    def matches(exchange: Exchange) -> bool:
        return operation in (None, exchange.operation) and status in (0, exchange.status)

    return matches


def _number(query: Query, name: str, default: int) -> int:
    """Read a number from the query."""
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
        raise InvalidRequestError(f"{name}={text!r}: expected a number, such as {default or 200}")
    return int(text)


def _answer(body: object, status: int) -> flask.Response:
    if body is None:
        return flask.Response(status=status)
    return flask.Response(r.ENCODER.encode(body), status, mimetype="application/json")


def _refuse(error: Exception) -> flask.Response:
    """Say what was wrong; a mistake of the mock itself goes to the log."""
    if isinstance(error, MockError):
        return _answer(r.Refusal(type(error).__name__, str(error)), error.status)
    if isinstance(error, msgspec.ValidationError):
        return _answer(r.Refusal("ValidationError", str(error)), HTTPStatus.BAD_REQUEST)
    if isinstance(error, RequestEntityTooLarge):
        return _answer(r.Refusal("RequestEntityTooLarge", str(error)), error.code)
    _LOG.error("a mistake of the mock", exc_info=error)
    return _answer(
        r.Refusal("Mistake", "a mistake of the mock: its log says more"),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
