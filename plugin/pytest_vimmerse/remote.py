"""A service behind a URL: the options that name it, and what is found out before any test runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pytest
import requests

from vimmerse_contracts.network import is_loopback_url, is_production_url, without_login
from vimmerse_contracts.suite.api import session_for
from vimmerse_contracts.suite.target import Capability
from vimmerse_contracts.vocabulary import (
    API_KEY_HEADER,
    CONTROL_ROOT,
    POLL_SECONDS,
    PRODUCTION_URL,
    SAMPLE_API_KEY,
)

REAL: Final = "real"
_UNKNOWN_BATCH: Final = "/batch/00000000-0000-4000-8000-000000000000"
_TIMEOUT_SECONDS: Final = 30
_GUARDED: Final = frozenset({"TokenMissingError", "ForeignOriginError"})
_FAST_SECONDS: Final = 0.2


class TargetError(Exception):
    """The target cannot be used; the message is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a service is, who asks, how often, and where it may send webhooks.

    `relay` is a public URL that forwards to our listener; `poll` and `patience` are in seconds.
    """

    url: str = field(repr=False)
    key: str = field(repr=False)
    other_key: str = field(repr=False)
    broke_key: str = field(repr=False)
    relay: str
    poll: float
    patience: float
    is_mock: bool = False

    @property
    def name(self) -> str:
        """The URL for people: without the password that may stand in it."""
        return without_login(self.url)

    @property
    def is_production(self) -> bool:
        """Say whether the host is the company's."""
        return is_production_url(self.url)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can: all but what lacks a key, or needs a fake."""
        able = {
            Capability.WEBHOOKS: bool(self.relay) or is_loopback_url(self.url),
            Capability.OTHER_ACCOUNT: bool(self.other_key),
            Capability.BROKE_ACCOUNT: bool(self.broke_key),
            Capability.PLAY_MONEY: self.is_mock,
        }
        return frozenset(capability for capability, has in able.items() if has)


def read_remote(config: pytest.Config, *, is_mock: bool) -> Remote:
    """Read the options that name a service."""
    name: str = config.getoption("--vimmerse-target")
    poll: float | None = config.getoption("--vimmerse-poll")
    if poll is None:
        poll = _FAST_SECONDS if is_mock else POLL_SECONDS
    return Remote(
        url=(PRODUCTION_URL if name == REAL else name).rstrip("/"),
        key=config.getoption("--vimmerse-key") or os.environ.get("VIMMERSE_API_KEY") or "",
        other_key=config.getoption("--vimmerse-other-key") or "",
        broke_key=config.getoption("--vimmerse-broke-key") or "",
        relay=(config.getoption("--vimmerse-webhook-relay") or "").rstrip("/"),
        poll=poll,
        patience=config.getoption("--vimmerse-patience"),
        is_mock=is_mock,
    )


def is_mock(remote: Remote) -> bool:
    """Find out whether this project's mock is behind a URL, by its control plane.

    No key is sent. The company's own hosts are never taken for the mock, whatever they answer.

    Raises:
        TargetError: nothing answers.
    """
    if remote.is_production:
        return False
    body = _json(_get(remote, CONTROL_ROOT, ""))
    return isinstance(body, dict) and (_lists_control(body) or body.get("error") in _GUARDED)


def _lists_control(body: Mapping[str, object]) -> bool:
    """Say whether an answer lists the operations of a control plane."""
    listed = body.get("operations")
    operations = listed if isinstance(listed, list) else []
    paths = [each.get("path") for each in operations if isinstance(each, dict)]
    return any(str(path).startswith(CONTROL_ROOT) for path in paths)


def require_usable(remote: Remote) -> None:
    """Hold a service to answering each of our keys in JSON; nothing is spent.

    Raises:
        TargetError: it does not answer, answers with something else, or refuses a key.
    """
    keys = {
        "--vimmerse-key": remote.key,
        "--vimmerse-other-key": remote.other_key,
        "--vimmerse-broke-key": remote.broke_key,
    }
    if remote.is_production and not remote.key:
        raise TargetError(f"{remote.name} needs a key: --vimmerse-key, or VIMMERSE_API_KEY")
    for option, key in keys.items():
        if key or option == "--vimmerse-key":
            _require_key(remote, option, key or SAMPLE_API_KEY)


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
