"""Redaction: what may be written down of a request or an answer, and what stands for the rest.

Keys, ids, emails, instants, file names and URLs become references. Of a key that the contract does
not know, only the kind of text is kept, since nobody knows what it says. Numbers and truth values
stay. What the suite itself sends as text (titles, prompts) stays too, as it is the suite's own.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from vimmerse_contracts.fields import parse_timestamp
from vimmerse_contracts.schemas import (
    BatchAnswerSchema,
    HealthSchema,
    MessageErrorSchema,
    ValidationErrorSchema,
    WebhookSchema,
    fields_within,
)
from vimmerse_contracts.secrecy import Secrets

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
    kinds: dict[str, str] = {}
    for kind, digest in _DIGEST.findall("".join(found)):
        if kinds.get(digest, ANY) == ANY:
            kinds[digest] = kind
    counts: Counter[str] = Counter()
    numbers: dict[str, int] = {}

    def numbered(match: re.Match[str]) -> str:
        digest = match[2]
        if digest not in numbers:
            counts[kinds[digest]] += 1
            numbers[digest] = counts[kinds[digest]]
        return f"<{kinds[digest]}:{numbers[digest]}"

    return [_DIGEST.sub(numbered, text) for text in found]


IDENTIFIERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "id": "batch",
        "batch_id": "batch",
        "media_id": "media",
        "customer_id": "customer",
        "user_id": "customer",
        "manager_id": "manager",
        "item": "item",
        "email": "email",
        "filenames": "file",
        "files": "file",
    }
)
"""Names whose values become references, and of what kind."""

WITHHELD: Final = "<text>"
"""What stands for a text under a key that the contract does not know."""

_TEXT_LIMIT: Final = 2_000
_LEARNED: Final = frozenset({"batch", "media", "customer", "manager", "email"})
_SHORTEST_IN_TEXT: Final = 4
"""An id that is shorter is found in its own key and in paths, but not in the midst of a text."""
_UUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_BARE_UUID: Final = r"[0-9a-fA-F]{32}"
"""How ids stand in paths, too; elsewhere it may be anything."""
_URL: Final = r"https?://[^\s\"'<>|\\]+"
_EMAIL: Final = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_INSTANT: Final = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"
_PATH_WORDS: Final = frozenset(
    {"batch", "concat", "edit", "files", "health", "image", "media", "url", "video"}
)
"""What may stand in the path of a URL as it is; any other word may be a name."""
_EXTENSION: Final = re.compile(r"[^.]+(\.[a-z0-9]{1,4})")
_REFERENCE: Final = re.compile(r"<[a-z]+(?::[^<>]*(?:<[^<>]*>[^<>]*)*)?>")


_KNOWN: Final = frozenset(
    path.rpartition(".")[2]
    for schema in (
        BatchAnswerSchema,
        HealthSchema,
        MessageErrorSchema,
        ValidationErrorSchema,
        WebhookSchema,
    )
    for path, _ in fields_within(schema)
)
"""Every key of every answer of the contract."""


class Redactor:
    """Takes out of texts and JSON values what must not be written down.

    `began` is the instant that instants are relative to, where nothing nearer is.
    """

    def __init__(self, labels: Labels, began: datetime) -> None:
        self._labels = labels
        self._began = began
        self._keys: frozenset[str] = frozenset()
        self._secrets = Secrets(())
        self._learned: dict[str, str] = {}
        self._pattern = self._compiled()

    def keep_secret(self, keys: Iterable[str]) -> None:
        """Never let these keys through."""
        self._keys |= {key for key in keys if key}
        self._secrets = Secrets(self._keys)
        self._pattern = self._compiled()

    def key(self, key: str) -> str:
        """Make the reference of a key, known or not."""
        return self._labels.reference("key", key)

    def identifier(self, kind: str, value: str) -> str:
        """Make the reference of an id, and remember it for wherever else it turns up."""
        if kind in _LEARNED and value not in self._learned:
            self._learned[value] = kind
            if not re.fullmatch(_UUID, value):
                self._pattern = self._compiled()
        return self._labels.reference(kind, value, _looks(kind, value))

    def text(self, text: str) -> str:
        """Take everything out of a text that gives something away, and cut it to a sane length."""
        return _cut(self._shown(text, self._began))

    def json(self, value: Any) -> Any:  # noqa: ANN401 - any JSON
        """Take everything out of a JSON value that gives something away; its shape stays."""
        self._learn(value)
        return self._value(value, "data", self._began)

    def _learn(self, value: Any, name: str = "") -> None:  # noqa: ANN401 - any JSON
        if isinstance(value, dict):
            for key, item in value.items():
                self._learn(item, key)
        elif isinstance(value, list):
            for item in value:
                self._learn(item, name)
        elif isinstance(value, str) and value and IDENTIFIERS.get(name) in _LEARNED:
            self.identifier(IDENTIFIERS[name], value)

    def _value(self, value: Any, name: str, since: datetime) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(value, dict):
            nearer = _instant(value.get("created_at")) or since
            return {self.text(key): self._value(item, key, nearer) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, name, since) for item in value]
        if isinstance(value, str):
            return self._string(value, name, since)
        if isinstance(value, float) and not math.isfinite(value):
            return "<number>"
        if name in IDENTIFIERS and isinstance(value, int | float) and not isinstance(value, bool):
            return 0
        return value

    def _string(self, value: str, name: str, since: datetime) -> str:
        if not value:
            return value
        if name in IDENTIFIERS:
            return self.identifier(IDENTIFIERS[name], value)
        shown = self._shown(value, since)
        if name not in _KNOWN and not _REFERENCE.fullmatch(shown):
            return WITHHELD
        return _cut(shown)

    def _shown(self, text: str, since: datetime) -> str:
        clean = text.encode("utf-8", "replace").decode()
        shown = self._pattern.sub(lambda match: self._stand_in(match, since), clean)
        return self._secrets.hide(shown, self.key)

    def _compiled(self) -> re.Pattern[str]:
        known = [
            value
            for value in self._learned
            if len(value) >= _SHORTEST_IN_TEXT and not re.fullmatch(_UUID, value)
        ]
        literal = {
            "secret": _alternatives(self._keys),
            "url": _URL,
            "email": _EMAIL,
            "uuid": _UUID,
            "instant": _INSTANT,
            "learned": _alternatives(known),
        }
        parts = (f"(?P<{name}>{pattern})" for name, pattern in literal.items() if pattern)
        return re.compile("|".join(parts))

    def _stand_in(self, match: re.Match[str], since: datetime) -> str:
        found = match[0]
        if match.lastgroup == "secret":
            return self.key(found)
        if match.lastgroup == "url":
            return self._url(found)
        if match.lastgroup == "email":
            return self._labels.reference("email", found)
        if match.lastgroup == "instant":
            return _relative(found, since)
        kind = self._learned.get(found, ANY)
        return self._labels.reference(kind, found, _looks(kind, found))

    def _url(self, url: str) -> str:
        try:
            parts = urlsplit(url)
        except ValueError:
            return "<url:*>"
        path = "/".join(self._segment(segment) for segment in parts.path.split("/"))
        pairs = [pair.partition("=") for pair in parts.query.split("&") if pair]
        query = "&".join(f"{name}=*" if equals else "*" for name, equals, _ in pairs)
        return f"<url:{path or '/'}{'?' if query else ''}{self.text(query)}>"

    def _segment(self, segment: str) -> str:
        if segment in self._keys:
            return self.key(segment)
        if segment in self._learned or re.fullmatch(f"{_UUID}|{_BARE_UUID}", segment):
            kind = self._learned.get(segment, ANY)
            return self._labels.reference(kind, segment, _looks(kind, segment))
        if not segment or segment in _PATH_WORDS:
            return segment
        extension = _EXTENSION.fullmatch(segment)
        return f"*{extension[1]}" if extension else "*"


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}..."


def _alternatives(values: Iterable[str]) -> str:
    return "|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))


def _looks(kind: str, value: str) -> str:
    """Say how an id is written where the contract wants a UUID of version 4, and it is none."""
    if kind not in {"batch", "media"}:
        return ""
    try:
        parsed = UUID(value)
    except ValueError:
        return "text"
    return "" if str(parsed) == value and parsed.version == 4 else f"uuid{parsed.version or ''}"


def _instant(value: object) -> datetime | None:
    """Read an instant in any usual format, or None where it is none."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _relative(text: str, since: datetime) -> str:
    """Write an instant as seconds since another; a format not the contract's is shown by zeros."""
    moment = _instant(text)
    seconds = f"{(moment - since).total_seconds():+.1f}".removesuffix(".0") if moment else "?"
    try:
        parse_timestamp(text)
    except ValueError:
        return f"<instant:{seconds}s as {re.sub(r'[0-9]', '0', text)}>"
    return f"<instant:{seconds}s>"
