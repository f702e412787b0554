"""The targets of the contract suite: the mock in a thread, in process, or anything behind a URL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Final, TypeVar
from urllib.parse import urlsplit

import pytest
import requests

from pytest_vimmerse.options import setting_of
from vimmerse_contracts import (
    API_KEY_HEADER,
    CONTROL_ROOT,
    POLL_SECONDS,
    PRODUCTION_URL,
    SAMPLE_API_KEY,
    Capability,
    ReceivedWebhook,
    Target,
    is_loopback_url,
    is_production_url,
    monotonic,
    without_credentials,
)
from vimmerse_contracts.suite import session_for
from vimmerse_mock import Account, Inbox, Listener, MockServer, Opening, Scenario, intercept

T = TypeVar("T")

IN_PROCESS: Final = ("mock", "intercept")
_REAL: Final = "real"
_UNKNOWN_BATCH: Final = "/batch/00000000-0000-4000-8000-000000000000"
_TIMEOUT_SECONDS: Final = 30
_GUARDED: Final = frozenset({"TokenMissingError", "ForeignOriginError"})
"""What a control plane answers that does not let us in."""
_STEP_SECONDS: Final = 0.2
_SETTLE_SECONDS: Final = 3600.0
_REMOTE_SETTLE_SECONDS: Final = 2.0
_WEBHOOK_PATIENCE_SECONDS: Final = 60.0
"""How long after a batch is done its webhook may take to come."""
_PATIENCE_SECONDS: Final = 1800.0
"""How long a batch may take before a test fails: generation takes 5 to 15 minutes (P26)."""
_LAST_CREDIT: Final = 1
"""What the cheapest batch costs: the broke account can have one, and then no more."""


class TargetError(Exception):
    """The target cannot be used; the message is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A service behind a URL: who asks, how often, and where it may send webhooks.

    `relay` is a public URL that forwards to our listener; `poll` and `patience` are in seconds.
    """

    url: str = field(repr=False)
    key: str = field(repr=False)
    other_key: str = field(repr=False)
    broke_key: str = field(repr=False)
    read_only_key: str = field(repr=False)
    relay: str
    poll: float
    patience: float
    is_mock: bool = False

    @property
    def name(self) -> str:
        """The URL for people: without the password that may stand in it."""
        return without_credentials(self.url)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can: all but what lacks a key, or needs a fake."""
        able = {
            Capability.WEBHOOKS: bool(self.relay) or is_loopback_url(self.url),
            Capability.OTHER_ACCOUNT: bool(self.other_key),
            Capability.BROKE_ACCOUNT: bool(self.broke_key),
            Capability.READ_ONLY_ACCOUNT: bool(self.read_only_key),
            Capability.PLAY_MONEY: self.is_mock,
        }
        return frozenset(capability for capability, has in able.items() if has)


def read_remote(config: pytest.Config, *, is_mock: bool) -> Remote:
    """Read the options that name a service."""
    name: str = setting_of(config, "target")
    poll: float | None = setting_of(config, "poll")
    if poll is None:
        poll = _STEP_SECONDS if is_mock else POLL_SECONDS
    return Remote(
        url=(PRODUCTION_URL if name == _REAL else name).rstrip("/"),
        key=setting_of(config, "key") or "",
        other_key=setting_of(config, "other-key") or "",
        broke_key=setting_of(config, "broke-key") or "",
        read_only_key=setting_of(config, "read-only-key") or "",
        relay=(setting_of(config, "webhook-relay") or "").rstrip("/"),
        poll=poll,
        patience=setting_of(config, "patience"),
        is_mock=is_mock,
    )


def find_remote(config: pytest.Config) -> Remote | None:
    """Find out what is behind the URL that `--vimmerse-target` names; None if it names none.

    Raises:
        pytest.UsageError: it is no target at all.
        TargetError: nothing answers.
    """
    name: str = setting_of(config, "target")
    if name in IN_PROCESS:
        return None
    if name != _REAL and not name.startswith(("http://", "https://")):
        raise pytest.UsageError(
            f"--vimmerse-target is mock, intercept, real or a URL, not {name!r}"
        )
    return read_remote(config, is_mock=is_mock(read_remote(config, is_mock=False)))


def is_mock(remote: Remote) -> bool:
    """Whether this project's mock is behind a URL, by its control plane.

    No key is sent. The company's own hosts are never taken for the mock, whatever they answer.

    Raises:
        TargetError: nothing answers.
    """
    if is_production_url(remote.url):
        return False
    body = _json(_get(remote, CONTROL_ROOT, ""))
    if not isinstance(body, Mapping):
        return False
    listed = body.get("operations")
    paths = [
        str(each.get("path"))
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, Mapping)
    ]
    return body.get("error") in _GUARDED or any(path.startswith(CONTROL_ROOT) for path in paths)


def require_usable(remote: Remote) -> None:
    """Require that a service answers each of our keys in JSON; nothing is spent.

    Raises:
        TargetError: it does not answer, answers with something else, or refuses a key.
    """
    if is_production_url(remote.url) and not remote.key:
        raise TargetError(f"{remote.name} needs a key: --vimmerse-key, or VIMMERSE_API_KEY")
    keys = {
        "--vimmerse-key": remote.key or SAMPLE_API_KEY,
        "--vimmerse-other-key": remote.other_key,
        "--vimmerse-broke-key": remote.broke_key,
        "--vimmerse-read-only-key": remote.read_only_key,
    }
    for option, key in keys.items():
        if key:
            _require_key(remote, option, key)


def _require_key(remote: Remote, option: str, key: str) -> None:
    answer = _get(remote, _UNKNOWN_BATCH, key)
    if _json(answer) is None:
        kind = answer.headers.get("Content-Type", "no Content-Type").partition(";")[0]
        raise TargetError(
            f"{remote.name} answers {answer.status_code} with {kind} where the API answers with "
            "JSON: is it the base URL of the API?"
        )
    if answer.status_code in {401, 403}:
        raise TargetError(
            f"{remote.name} refuses the key of {option} with {answer.status_code}: correct {option}"
            + (" or VIMMERSE_API_KEY" if option == "--vimmerse-key" else "")
        )


def _get(remote: Remote, path: str, key: str) -> requests.Response:
    try:
        with session_for(remote.url) as session:
            headers = {API_KEY_HEADER: key} if key else {}
            return session.get(
                remote.url + path, headers=headers, timeout=_TIMEOUT_SECONDS, allow_redirects=False
            )
    except (requests.RequestException, ValueError) as error:
        raise TargetError(
            f"{remote.name} does not answer ({type(error).__name__}): start it, or correct "
            "--vimmerse-target"
        ) from error


def _json(answer: requests.Response) -> object:
    try:
        return answer.json()
    except ValueError:
        return None


class _Inboxes:
    """The webhook half of a target: inboxes of the run's listener.

    A relay is given each inbox by its path, behind the relay's own URL.
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
        read_only = open_account(Opening(clock="manual", permission="read_only"))
        self._accounts = (self._account, other, broke, read_only)
        self.base_url = self._account.url
        self.api_key, self.other_api_key, self.broke_api_key, self.read_only_api_key = (
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
        return _observe(read, until, self.pause, _STEP_SECONDS, _PATIENCE_SECONDS)

    def settle(self, url: str, expected: int) -> None:
        """Move the clocks past every retry: whatever comes has then come."""
        del url, expected
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
        self.read_only_api_key = remote.read_only_key
        self.capabilities = remote.capabilities
        self._remote = remote

    def balance(self) -> int:
        """Fail: the API does not show the balance."""
        raise NotImplementedError("the public API does not show the balance")

    def fail_medias(self, indices: Sequence[int]) -> None:
        """Fail: the API has no such switch."""
        raise NotImplementedError(f"the public API cannot make media {indices} fail")

    def observe(self, read: Callable[[], T], until: Callable[[T], bool]) -> list[T]:
        """Read, and let real time pass between readings."""
        return _observe(read, until, self.pause, self._remote.poll, self._remote.patience)

    def settle(self, url: str, expected: int) -> None:
        """Wait in real time; for what should not come, ten polls and two seconds at most."""
        poll = self._remote.poll
        deadline = monotonic() + max(_WEBHOOK_PATIENCE_SECONDS, poll)
        while len(self.webhooks(url)) < expected and monotonic() < deadline:
            self.pause(min(poll, _STEP_SECONDS))
        self.pause(max(poll, min(_REMOTE_SETTLE_SECONDS, 10 * poll)))

    def pause(self, seconds: float) -> None:
        """Wait in real time."""
        Event().wait(seconds)


def _observe(
    read: Callable[[], T],
    until: Callable[[T], bool],
    pause: Callable[[float], None],
    step: float,
    patience: float,
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
    if remote is not None:
        yield RemoteTarget(remote, listener)
    elif setting_of(config, "target") == "intercept":
        with intercept() as intercepted:
            yield MockTarget("intercept", intercepted.open_account, listener)
    else:
        with MockServer() as server:
            yield MockTarget("mock", server.open_account, listener)
