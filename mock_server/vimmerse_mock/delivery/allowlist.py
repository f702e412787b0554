"""Which receivers may be called: a shared mock must not become a way into a network."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from vimmerse_mock.errors import AllowlistError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_LOCAL: Final = ("127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
"""Loopback and the private ranges. Link-local is none: cloud machines have their secrets there."""
_NAME: Final = re.compile(r"[a-z0-9*?_.-]{1,253}", re.ASCII)


class RefusedReceiver(OSError):  # noqa: N818 - its name stands in the log of attempts
    """A receiver that this mock does not call."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a socket can connect to, without resolving anything: as `getaddrinfo` has it."""

    family: int
    address: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]

    @property
    def text(self) -> str:
        """The address in numbers."""
        return str(self.address[0])


@dataclass(frozen=True, slots=True)
class Allowlist:
    """Which hosts are called: those that a pattern names and, where `local`, those nearby.

    A pattern is a host name, in which `*` stands for anything, or an address or network in numbers.
    A mock that others can reach should not be `local`.
    """

    patterns: tuple[str, ...] = ()
    local: bool = True

    def __post_init__(self) -> None:
        """Refuse patterns that could never match."""
        for pattern in self.patterns:
            if _network(pattern) is None and not _NAME.fullmatch(pattern.lower()):
                raise AllowlistError(
                    f"{pattern!r} is not a host pattern: write a name like hooks.example.com or "
                    "*.example.com, an address, or a network like 10.0.0.0/8; no scheme, port or "
                    "path"
                )

    def endpoints(self, host: str, port: int) -> list[Endpoint]:
        """Resolve a host once, and return where it may be called.

        Raises:
            OSError: it has no address, or none that may be called.
        """
        resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found = dict.fromkeys(Endpoint(family, address) for family, _, _, _, address in resolved)
        allowed = [one for one in found if self._allows(host, one.text)]
        if not allowed:
            raise RefusedReceiver(self._refusal(host, [one.text for one in found]))
        return allowed

    def _allows(self, host: str, text: str) -> bool:
        name, address = host.lower().rstrip("."), _plain(text)
        for pattern in (*_LOCAL, *self.patterns) if self.local else self.patterns:
            network = _network(pattern)
            if fnmatchcase(name, pattern.lower()) if network is None else address in network:
                return True
        return False

    def _refusal(self, host: str, found: Sequence[str]) -> str:
        where = ", ".join(text for text in found if text != host)
        what = f"{host} ({where})" if where else host
        others = "receivers on loopback and in private networks, and " if self.local else ""
        return (
            f"{what} is not called: this mock calls {others}"
            f"{', '.join(self.patterns) if self.patterns else 'what --webhook-allow names'}; "
            f"to allow it, start the mock with --webhook-allow {host}"
        )


@lru_cache(100)
def _network(pattern: str) -> Network | None:
    text = pattern.strip("[]")
    try:
        return ip_network(text if "/" in text else _plain(text), strict=False)
    except ValueError:
        return None


def _plain(text: str) -> Address:
    """Read an address; an IPv4 one that is written as IPv6 is taken for what it is."""
    address = ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped
