"""Fetching the images that a batch names by URL, where the mock was asked to."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

from vimmerse_contracts.unfrozen import monotonic
from vimmerse_mock.delivery.allowlist import Allowlist
from vimmerse_mock.delivery.outbound import requested

_AT_ONCE: Final = 8
_REDIRECTS: Final = 3
_ANSWERS_REDIRECTING: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final = (("User-Agent", "vimmerse-mock"), ("Accept", "image/*"))


@dataclass(frozen=True, slots=True)
class ImageFetcher:
    """Fetches images of at most `limit` bytes, those of one batch within `timeout` seconds.

    Each URL, and each that it redirects to, has to be on the allowlist.
    """

    allowlist: Allowlist
    limit: int
    timeout: float = 20.0

    def fetch(self, urls: Sequence[str]) -> list[bytes | None]:
        """Return what each URL leads to; None for one that cannot be had."""
        deadline = monotonic() + self.timeout
        with ThreadPoolExecutor(_AT_ONCE, "vimmerse-images") as pool:
            return list(pool.map(lambda url: self._fetch(url, deadline), urls))

    def _fetch(self, url: str, deadline: float) -> bytes | None:
        try:
            for _ in range(1 + _REDIRECTS):
                with requested(
                    "GET", url, _HEADERS, b"", allowlist=self.allowlist, deadline=deadline
                ) as response:
                    location = response.getheader("Location")
                    if response.status not in _ANSWERS_REDIRECTING or location is None:
                        return self._body(response)
                    url = urljoin(url, location)
        except (OSError, http.client.HTTPException, ValueError):
            return None
        return None

    def _body(self, response: http.client.HTTPResponse) -> bytes | None:
        body = response.read(self.limit + 1) if response.status == http.client.OK else b""
        is_whole = not response.length and len(body) <= self.limit
        return body if body and is_whole else None
