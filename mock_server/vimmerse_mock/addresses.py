"""Names and numbers of addresses."""

from __future__ import annotations

import ipaddress
import socket


def resolved(host: str) -> str:
    """Return one numeric address of a host, an IPv4 one where there is any.

    Raises:
        OSError: the host has no address, or no name.
    """
    if not host:
        raise OSError("no host is given")
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    family, _, _, _, address = min(found, key=lambda each: each[0] is not socket.AF_INET)
    return str(address[0]) if family in (socket.AF_INET, socket.AF_INET6) else host


def url_of(host: str, port: int) -> str:
    """Write the URL of an address; a numeric IPv6 address goes into brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Say whether a host, by number or by the name that stands for it, is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
