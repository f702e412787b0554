"""References: what stands in evidence in place of ids and keys, the same for the same value.

While a run writes, from several processes perhaps, a reference is a keyed digest that all of them
agree on: `<batch:~9f8a7b6c5d4e>`. The digest's key is never written, so the value cannot be found
by trying. When the run ends, references are numbered in the order of the file: `<batch:1>`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

ANY: Final = "id"
"""The kind of an id of which nothing but its looks is known."""

_LENGTH: Final = 12
_DIGEST: Final = re.compile(rf"<(\w+):~([0-9a-f]{{{_LENGTH}}})")


class Labels:
    """Makes references, by a secret that the processes of one run share."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def reference(self, kind: str, value: str, looks: str = "") -> str:
        """Make the reference of a value; `looks` says how it is written, if not as usual."""
        digest = hmac.new(self._secret, value.encode("utf-8", "replace"), hashlib.sha256)
        written = f" as {looks}" if looks else ""
        return f"<{kind}:~{digest.hexdigest()[:_LENGTH]}{written}>"


def number(texts: Iterable[str]) -> list[str]:
    """Number the references in these texts, in their order; each value has one kind throughout."""
    found = list(texts)
    kinds = _kinds(found)
    counts: Counter[str] = Counter()
    numbers: dict[str, int] = {}

    def numbered(match: re.Match[str]) -> str:
        digest = match[2]
        if digest not in numbers:
            counts[kinds[digest]] += 1
            numbers[digest] = counts[kinds[digest]]
        return f"<{kinds[digest]}:{numbers[digest]}"

    return [_DIGEST.sub(numbered, text) for text in found]


def _kinds(texts: Iterable[str]) -> dict[str, str]:
    """Give each digest its kind: the first that says more than that it is an id."""
    kinds: dict[str, str] = {}
    for text in texts:
        for kind, digest in _DIGEST.findall(text):
            if kinds.get(digest, ANY) == ANY:
                kinds[digest] = kind
    return kinds
