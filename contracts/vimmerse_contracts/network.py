"""Facts of HTTP and of addresses that client, mock and suite share."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from vimmerse_contracts.vocabulary import PRODUCTION_DOMAIN

_LONGEST_SECONDS: Final = 9
"""Digits of the longest pause that `Retry-After` can ask for: thirty years."""


def is_loopback(host: str) -> bool:
    """Whether a host, given by address or name, is this machine and no other."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_loopback_url(url: str) -> bool:
    """Whether a URL leads to this machine; False for one that cannot be read."""
    return is_loopback(_host(url))


def is_production_url(url: str) -> bool:
    """Whether a URL leads to the real service, where requests cost credits."""
    host = _host(url).rstrip(".")
    return host == PRODUCTION_DOMAIN or host.endswith(f".{PRODUCTION_DOMAIN}")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After` asks to wait; None where it is missing or unreadable.

    A date counts from the answer's own `Date`, so that no clock here has to be right.
    """
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked) if len(asked) <= _LONGEST_SECONDS else None
    try:
        until, sent = parsedate_to_datetime(asked), parsedate_to_datetime(headers.get("Date", ""))
        return max((until - sent).total_seconds(), 0.0)
    except (TypeError, ValueError, OverflowError):  # OverflowError: a zone of many digits
        return None
