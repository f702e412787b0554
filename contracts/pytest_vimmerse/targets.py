"""The targets of the contract suite: the mock in a thread, in process, or anything behind a URL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Final, TypeVar
from urllib.parse import urlsplit

import pytest
import requests

from vimmerse_contracts.target import Capability, ReceivedWebhook, Target
from vimmerse_contracts.vocabulary import SAMPLE_API_KEY
from vimmerse_mock.account import Account
from vimmerse_mock.inbox import Inbox
from vimmerse_mock.intercept import intercept
from vimmerse_mock.listener import Listener
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.scenarios import Scenario
from vimmerse_mock.server import MockServer

T = TypeVar("T")

_STEP_SECONDS: Final = 0.2
_SETTLE_SECONDS: Final = 3600.0
_REMOTE_SETTLE_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 1800.0
_LAST_CREDIT: Final = 1
"""What the cheapest batch costs: the broke account can have one, and then no more."""


class _Inboxes:
    """The webhook half of a target: inboxes of the run's listener."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._inboxes: dict[str, Inbox] = {}

    def webhook_url(self) -> str:
        """Open an inbox."""
        inbox = self._listener.open_inbox()
        self._inboxes[inbox.url] = inbox
        return inbox.url

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
        self._account = open_account(Opening(speed=0))
        other = open_account(Opening(speed=0))
        broke = open_account(Opening(speed=0, credits=_LAST_CREDIT))
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
        return _observe(read, until, self._advance, _STEP_SECONDS)

    def settle(self) -> None:
        """Move the clocks past every retry."""
        self._advance(_SETTLE_SECONDS)

    def _advance(self, span: float) -> None:
        for account in self._accounts:
            account.clock.advance(span)


class RemoteTarget(_Inboxes):
    """A service behind a URL, polled in real time.

    Keys that are not given are capabilities that it lacks. Webhooks reach the suite's listener only
    from this machine.
    """

    def __init__(
        self, base_url: str, api_key: str, other_key: str, broke_key: str, listener: Listener
    ) -> None:
        super().__init__(listener)
        self.name = self.base_url = base_url.rstrip("/")
        self.api_key, self.other_api_key, self.broke_api_key = api_key, other_key, broke_key
        able = {
            Capability.WEBHOOKS: urlsplit(base_url).hostname in {"127.0.0.1", "localhost", "::1"},
            Capability.OTHER_ACCOUNT: bool(other_key),
            Capability.BROKE_ACCOUNT: bool(broke_key),
        }
        self.capabilities = frozenset(capability for capability, has in able.items() if has)

    def balance(self) -> int:
        """Fail: the API does not tell the balance."""
        raise NotImplementedError("the public API does not tell the balance")

    def fail_medias(self, indices: Sequence[int]) -> None:
        """Fail: the API has no such switch."""
        raise NotImplementedError(f"the public API cannot make media {indices} fail")

    def observe(self, read: Callable[[], T], until: Callable[[T], bool]) -> list[T]:
        """Read, and let real time pass between readings."""
        return _observe(read, until, _wait, _STEP_SECONDS)

    def settle(self) -> None:
        """Let real time pass."""
        _wait(_REMOTE_SETTLE_SECONDS)


def _wait(seconds: float) -> None:
    Event().wait(seconds)


def _observe(
    read: Callable[[], T], until: Callable[[T], bool], pause: Callable[[float], None], step: float
) -> list[T]:
    readings = [read()]
    while not until(readings[-1]):
        if len(readings) * step > _PATIENCE_SECONDS:
            raise AssertionError(
                f"not seen within {_PATIENCE_SECONDS} s; the last reading was {readings[-1]!r}"
            )
        pause(step)
        readings.append(read())
    return readings


@contextmanager
def open_target(config: pytest.Config, listener: Listener) -> Iterator[Target]:
    """Open what `--vimmerse-target` names."""
    name: str = config.getoption("--vimmerse-target")
    if name == "mock":
        with MockServer() as server:
            yield MockTarget("mock", server.open_account, listener)
    elif name == "intercept":
        with intercept() as intercepted:
            yield MockTarget("intercept", intercepted.open_account, listener)
    elif name.startswith(("http://", "https://")):
        yield _remote(config, name, listener)
    else:
        pytest.exit(f"--vimmerse-target is mock, intercept or a URL, not {name!r}", returncode=4)


def _remote(config: pytest.Config, url: str, listener: Listener) -> RemoteTarget:
    _require_answer(url)
    return RemoteTarget(
        url,
        config.getoption("--vimmerse-key") or os.environ.get("VIMMERSE_API_KEY") or SAMPLE_API_KEY,
        config.getoption("--vimmerse-other-key") or "",
        config.getoption("--vimmerse-broke-key") or "",
        listener,
    )


def _require_answer(url: str) -> None:
    with requests.Session() as session:
        session.trust_env = False
        try:
            session.get(f"{url.rstrip('/')}/health", timeout=10).json()
        except requests.RequestException as error:
            pytest.exit(
                f"the target {url} does not answer GET /health with JSON ({type(error).__name__}): "
                "start it, or correct --vimmerse-target",
                returncode=2,
            )
