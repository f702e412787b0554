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
from urllib.parse import SplitResult, unquote

from vimmerse_contracts.vocabulary import CONTROL_ROOT
from vimmerse_mock.errors import AllowlistError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_LOCAL: Final = ("127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
"""Loopback and the private ranges. Link-local is none: cloud machines have their secrets there."""
_METADATA: Final = tuple(
    map(
        ip_network,
        (
            "169.254.0.0/16",  # AWS, Google, Azure and most others, at 169.254.169.254
            "fe80::/10",
            "fd00:ec2::/112",  # AWS
            "fd20:ce::254",  # Google
            "fd00:c1::a9fe:a9fe",  # Oracle
            "fd00:42::42",  # Scaleway
            "100.100.100.200",  # Alibaba
            "168.63.129.16",  # Azure
            "192.0.0.192",  # Oracle
        ),
    )
)
_METADATA_NAMES: Final = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "metadata.azure.internal",
        "metadata.tencentyun.com",
        "instance-data",
        "instance-data.ec2.internal",
    }
)
"""Where the machines of clouds have their secrets: no pattern covers these by the way."""
_NAT64: Final = ip_network("64:ff9b::/96")
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
    Metadata services of clouds are called only where a pattern names just that address, or name.
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
        if _is_metadata(name, address):
            return any(_names_it(pattern, name, address) for pattern in self.patterns)
        for pattern in (*_LOCAL, *self.patterns) if self.local else self.patterns:
            network = _network(pattern)
            if fnmatchcase(name, pattern.lower()) if network is None else address in network:
                return True
        return False

    def _refusal(self, host: str, found: Sequence[str]) -> str:
        where = ", ".join(text for text in found if text != host)
        what = f"{host} ({where})" if where else host
        if any(_is_metadata(host.lower().rstrip("."), _plain(text)) for text in found):
            return (
                f"{what} is not called: clouds keep the secrets of their machines there; if it is "
                "meant, start the mock with its address as --webhook-allow"
            )
        others = "receivers on loopback and in private networks, and " if self.local else ""
        return (
            f"{what} is not called: this mock calls {others}"
            f"{', '.join(self.patterns) if self.patterns else 'what --webhook-allow names'}; "
            f"to allow it, start the mock with --webhook-allow {host}"
        )


def require_no_control_plane(url: SplitResult) -> None:
    """Refuse a URL that may lead to the control plane of a mock, whatever host it names.

    A name, a proxy or another port may lead to this mock: so the path decides, in any spelling.

    Raises:
        RefusedReceiver: it does.
    """
    path, before = url.path, ""
    while path != before:
        path, before = unquote(path), path
    segments = (each.partition(";")[0].strip() for each in re.split(r"[/\\]", path.lower()))
    if CONTROL_ROOT.strip("/") in segments:
        raise RefusedReceiver(
            f"a path with {CONTROL_ROOT} is not called: it is where mocks are controlled, which "
            "takes more than an API key"
        )


def _is_metadata(name: str, address: Address) -> bool:
    """Whether a host is a cloud's metadata service, also by way of a translated address."""
    meant: list[Address] = [address]
    if isinstance(address, IPv6Address):
        meant += [a for a in (address.sixtofour, address.teredo and address.teredo[1]) if a]
        if address in _NAT64:
            meant.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return name in _METADATA_NAMES or any(a in network for a in meant for network in _METADATA)


def _names_it(pattern: str, name: str, address: Address) -> bool:
    network = _network(pattern)
    if network is None:
        return name in _METADATA_NAMES and name == pattern.lower()
    return network.num_addresses == 1 and address in network


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
