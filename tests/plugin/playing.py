"""A service that plays the real one: a mock that nobody can tell from it by its answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import flask

from vimmerse_contracts.vocabulary import CONTROL_ROOT, MOTION_TYPES
from vimmerse_mock.account.account import Account
from vimmerse_mock.app import create_mock
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.credits import PriceList
from vimmerse_mock.server import MockServer

STEPPING: Final = Opening(clock="stepping", step="1m")
"""A batch is done when it is read for the second time: no sooner, however slow the machine is."""
LISTED: Final = {**dict.fromkeys(MOTION_TYPES, 1), "concat": 1}
"""What the price list of the tests says, whatever the service really charges."""


@dataclass(frozen=True, slots=True)
class RealService:
    """A service behind a URL, with a customer who can pay."""

    server: MockServer
    account: Account
    paid_in: int

    @property
    def url(self) -> str:
        """The base URL."""
        return self.server.url

    @property
    def spent(self) -> int:
        """What the customer really paid."""
        return self.paid_in - self.account.credits

    @property
    def options(self) -> tuple[str, ...]:
        """The options that point the suite here, as impatient as the service is fast."""
        key = f"--vimmerse-key={self.account.key}"
        return (f"--vimmerse-target={self.url}", key, "--vimmerse-poll=0.02")


def prices(listed: Mapping[str, int] = LISTED) -> tuple[str, ...]:
    """Give a price list by options."""
    return tuple(f"--vimmerse-price={name}={price}" for name, price in listed.items())


@contextmanager
def real_service(
    *, rate: int = 1, concat: int = 1, paid_in: int = 100_000, tells_used: bool = False
) -> Iterator[RealService]:
    """Run a service that has no control plane over HTTP and charges `rate` for every second."""
    charged = PriceList(dict.fromkeys(MOTION_TYPES, rate), concat)
    mock = create_mock(prices=charged)
    mock.app.before_request(_hide_control)
    server = MockServer(mock, opening=replace(STEPPING, credits=paid_in))
    with server:
        if tells_used:
            mock.app.after_request(lambda answer: _announce_used(server.account, answer))
        yield RealService(server, server.account, paid_in)


def _hide_control() -> flask.Response | None:
    if not flask.request.path.startswith(CONTROL_ROOT):
        return None
    return flask.Response('{"message": "NOT_FOUND"}', 404, mimetype="application/json")


def _announce_used(account: Account, answer: flask.Response) -> flask.Response:
    body: Any = answer.get_json(silent=True)
    if isinstance(body, dict) and "data" in body:
        lines = [line for line in account.ledger if line.batch_id == body["data"]["id"]]
        body["data"]["used_credits"] = -sum(line.amount for line in lines)
        answer.set_data(flask.json.dumps(body, sort_keys=False))
    return answer
