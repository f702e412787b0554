"""The targets of the contract suite: the mock in a thread, in process, or anything behind a URL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Final, TypeVar
from urllib.parse import urlsplit

import pytest

from pytest_vimmerse.remote import Remote
from vimmerse_contracts.suite.target import Capability, ReceivedWebhook, Target
from vimmerse_contracts.vocabulary import SAMPLE_API_KEY
from vimmerse_mock.account.account import Account
from vimmerse_mock.interception import intercept
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.scenarios import Scenario
from vimmerse_mock.receiving.inbox import Inbox, Listener
from vimmerse_mock.server import MockServer

T = TypeVar("T")

_STEP_SECONDS: Final = 0.2
_SETTLE_SECONDS: Final = 3600.0
_REMOTE_SETTLE_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 1800.0
"""How long a batch may take before a test fails: generation takes 5 to 15 minutes (P26)."""
_LAST_CREDIT: Final = 1
"""What the cheapest batch costs: the broke account can have one, and then no more."""


class _Inboxes:
    """The webhook half of a target: inboxes of the run's listener.

    A relay is told of each inbox by its path, behind the relay's own URL.
    """

    def __init__(self, listener: Listener, relay: str = "") -> None:
        self._listener = listener
        self._relay = relay
        self._inboxes: dict[str, Inbox] = {}

    def webhook_url(self) -> str:
        """Open an inbox."""
        inbox = self._listener.open_inbox()
        url = self._relay + urlsplit(inbox.url).path if self._relay else inbox.url
        self._inboxes[url] = inbox
        return url

    def webhooks(self, url: str) -> Sequence[ReceivedWebhook]:
        """Look into an inbox."""
        return self._inboxes[url].received


class MockTarget(_Inboxes):
    """The mock, with accounts of its own, on a clock that waiting moves."""

    def __init__(
        self, name: str, open_account: Callable[[Opening], Account], listener: Listener
    ) -> None:
        super().__init__(listener)
        self.name = name
        self._account = open_account(Opening(clock="manual"))
        other = open_account(Opening(clock="manual"))
        broke = open_account(Opening(clock="manual", credits=_LAST_CREDIT))
        self._accounts = (self._account, other, broke)
        self.base_url = self._account.url
        self.api_key, self.other_api_key, self.broke_api_key = (
            account.key for account in self._accounts
        )
        self.capabilities = frozenset(Capability)

    def balance(self) -> int:
        """Return the credits left."""
        return self._account.credits

    def fail_medias(self, indices: Sequence[int]) -> None:
        """Make media of later batches fail."""
        self._account.use_scenario(Scenario(fail_medias=tuple(indices)))

    def observe(self, read: Callable[[], T], until: Callable[[T], bool]) -> list[T]:
        """Read, and move the clocks a little between readings."""
        return _observe(read, until, self.pause, _STEP_SECONDS)

    def settle(self) -> None:
        """Move the clocks past every retry."""
        self.pause(_SETTLE_SECONDS)

    def pause(self, seconds: float) -> None:
        """Move the clocks."""
        for account in self._accounts:
            account.clock.advance(seconds)


class RemoteTarget(_Inboxes):
    """A service behind a URL, polled in real time.

    Keys that are not given are capabilities that it lacks. Webhooks reach the suite's listener from
    this machine, or by a relay.
    """

    def __init__(self, remote: Remote, listener: Listener) -> None:
        super().__init__(listener, remote.relay)
        self.name, self.base_url = remote.name, remote.url
        self.api_key = remote.key or SAMPLE_API_KEY
        self.other_api_key, self.broke_api_key = remote.other_key, remote.broke_key
        self.capabilities = remote.capabilities
        self._remote = remote

    def balance(self) -> int:
        """Fail: the API does not tell the balance."""
        raise NotImplementedError("the public API does not tell the balance")

    def fail_medias(self, indices: Sequence[int]) -> None:
        """Fail: the API has no such switch."""
        raise NotImplementedError(f"the public API cannot make media {indices} fail")

    def observe(self, read: Callable[[], T], until: Callable[[T], bool]) -> list[T]:
        """Read, and let real time pass between readings."""
        return _observe(read, until, self.pause, self._remote.poll, self._remote.patience)

    def settle(self) -> None:
        """Let real time pass."""
        self.pause(max(_REMOTE_SETTLE_SECONDS, self._remote.poll))

    def pause(self, seconds: float) -> None:
        """Let real time pass."""
        Event().wait(seconds)


def _observe(
    read: Callable[[], T],
    until: Callable[[T], bool],
    pause: Callable[[float], None],
    step: float,
    patience: float = PATIENCE_SECONDS,
) -> list[T]:
    readings = [read()]
    while not until(readings[-1]):
        if len(readings) * step > patience:
            raise AssertionError(
                f"not seen within {patience} s; the last reading was {readings[-1]!r}"
            )
        pause(step)
        readings.append(read())
    return readings


@contextmanager
def open_target(
    config: pytest.Config, listener: Listener, remote: Remote | None
) -> Iterator[Target]:
    """Open what `--vimmerse-target` names; `remote` is the service that was found behind a URL."""
    name: str = config.getoption("--vimmerse-target")
    if remote is not None:
        yield RemoteTarget(remote, listener)
    elif name == "intercept":
        with intercept() as intercepted:
            yield MockTarget("intercept", intercepted.open_account, listener)
    else:
        with MockServer() as server:
            yield MockTarget("mock", server.open_account, listener)
