"""What the suite asks of a target: an address, a key, time that passes, and what else it can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Capability(StrEnum):
    """Something a target may be able to do beyond the API; a test names what it needs."""

    WEBHOOKS = "webhooks"
    """The target can reach a listener of the suite."""
    OTHER_ACCOUNT = "other-account"
    """There is the key of a second customer."""
    BROKE_ACCOUNT = "broke-account"
    """There is the key of a customer without credit."""
    BALANCE = "balance"
    """The credit balance can be read."""
    FAILING_MEDIAS = "failing-medias"
    """The media of the next batch can be made to fail."""


@dataclass(frozen=True, slots=True)
class ReceivedWebhook:
    """A webhook as it reached the suite's listener: headers and parsed JSON body."""

    headers: Mapping[str, str]
    body: Any


class Target(Protocol):
    """A service to hold to the contract: the mock, the mock in process, or one behind a URL.

    `name` is for reports. `base_url` and `api_key` are what a client would use; the members behind
    a capability are only asked for where the target declares it.
    """

    name: str
    base_url: str
    api_key: str
    capabilities: frozenset[Capability]

    @property
    def other_api_key(self) -> str:
        """The key of a second customer (OTHER_ACCOUNT)."""

    @property
    def broke_api_key(self) -> str:
        """The key of a customer without credit (BROKE_ACCOUNT)."""

    def balance(self) -> int:
        """Return the credits left to `api_key`'s customer (BALANCE)."""

    def fail_medias(self, indices: Sequence[int]) -> None:
        """Make the media at these places of every later batch fail; `()` heals (FAILING_MEDIAS)."""

    def webhook_url(self) -> str:
        """Return a fresh URL that nothing has been delivered to yet (WEBHOOKS)."""

    def webhooks(self, url: str) -> Sequence[ReceivedWebhook]:
        """Return what has been delivered to that URL so far, oldest first (WEBHOOKS)."""

    def observe(self, read: Callable[[], T], until: Callable[[T], bool]) -> list[T]:
        """Read again and again, letting time pass between, until a reading satisfies.

        How time passes is the target's affair: the mock skips it, a live service is polled. Returns
        every reading, the satisfying one last. Raises AssertionError, with the last reading, when
        the target's patience ends.
        """

    def settle(self) -> None:
        """Let time pass for long enough that anything still to come would have come."""
