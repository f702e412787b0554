"""What the suite needs of a target: a URL, a key, a way to wait, and optional capabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

T = TypeVar("T")


class Capability(StrEnum):
    """Something that a target may have beyond the API; a test declares what it needs."""

    WEBHOOKS = "webhooks"
    """The target can reach a listener of the suite."""
    OTHER_ACCOUNT = "other-account"
    """There is the key of a second customer."""
    BROKE_ACCOUNT = "broke-account"
    """There is the key of a customer without credit."""
    READ_ONLY_ACCOUNT = "read-only-account"
    """There is a key that may only read."""
    BALANCE = "balance"
    """The credit balance can be read."""
    FAILING_MEDIAS = "failing-medias"
    """The media of the next batch can be made to fail."""
    VIRTUAL_CLOCK = "virtual-clock"
    """Waiting moves the target's clock, and takes no time."""
    ACCOUNTS = "accounts"
    """Customers can be created as wanted."""
    PLAY_MONEY = "play-money"
    """Its credits are not real: spending them costs nothing."""


LACKS: Final[Mapping[Capability, str]] = MappingProxyType(
    {
        Capability.WEBHOOKS: "it cannot reach the suite's listener (--vimmerse-webhook-relay)",
        Capability.OTHER_ACCOUNT: "there is no second customer's key (--vimmerse-other-key)",
        Capability.BROKE_ACCOUNT: "there is no key without credit (--vimmerse-broke-key)",
        Capability.READ_ONLY_ACCOUNT: "there is no read-only key (--vimmerse-read-only-key)",
        Capability.BALANCE: "its credit balance cannot be read",
        Capability.FAILING_MEDIAS: "its media cannot be made to fail",
        Capability.VIRTUAL_CLOCK: "its clock cannot be moved",
        Capability.ACCOUNTS: "customers cannot be created",
        Capability.PLAY_MONEY: "its credits are real",
    }
)
"""Why a test is not run that needs what a target lacks."""


def not_run(needed: Iterable[Capability], capabilities: Iterable[Capability]) -> str:
    """Return why a test with these needs is not run on a target; empty if it is run."""
    lacking = sorted(set(needed) - set(capabilities))
    return f"not run, because {'; '.join(LACKS[each] for each in lacking)}" if lacking else ""


@dataclass(frozen=True, slots=True)
class ReceivedWebhook:
    """A webhook as it reached the suite's listener: headers and parsed JSON body."""

    headers: Mapping[str, str]
    body: Any


class Target(Protocol):
    """A service to run the contract suite against: a mock, a mock in process, or one behind a URL.

    `name` is for reports. `base_url` and `api_key` are those for a client. A member that belongs to
    a capability is used only if the target declares that capability.
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

    @property
    def read_only_api_key(self) -> str:
        """A key that may only read (READ_ONLY_ACCOUNT)."""

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

    def settle(self, url: str, expected: int) -> None:
        """Wait until so many webhooks have come to a URL, and then for any that should not.

        Gives up after a time of the target's choice; the test sees what came (WEBHOOKS).
        """

    def pause(self, seconds: float) -> None:
        """Wait that long, because the service asked for it (`Retry-After`)."""
