"""What every sender takes and returns: a signed POST, and what came of it."""

from __future__ import annotations

import json
import secrets as randomness
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from vimmerse_contracts.secrecy import (
    REDACTED,
    Secrets,
    credentials_in,
    is_secret_name,
    without_credentials,
)
from vimmerse_contracts.signatures import (
    ID_HEADER,
    SECRET_PREFIX,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    sign,
)
from vimmerse_mock.model.clock import SECOND, Instant
from vimmerse_mock.model.outbox import Headers, Message
from vimmerse_mock.model.webhook_settings import secret_key

KEPT_BODY: Final = 4096
"""How many bytes of an answer are read and kept."""
_KEPT_HEADERS: Final = 8192
_KEPT_ERROR: Final = 500
_LEAST_SECRET: Final = 4
"""A password of fewer characters would be found in any text."""
_FRESH_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class Post:
    """One webhook as it goes out; `headers` are all that matter to a receiver."""

    url: str
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a POST: the receiver's status, or None and what went wrong.

    `body` is as much of the answer as was read: at most `KEPT_BODY` bytes.
    """

    status: int | None
    error: str = ""
    headers: Headers = ()
    body: bytes = b""


class Sender(Protocol):
    """Posts one webhook."""

    def send(self, post: Post) -> Reply:
        """POST; never raises, since a failure is a reply too."""


def post_of(message: Message, secrets: Iterable[str], real: Instant) -> Post:
    """Return what goes out for a message at a real instant, signed by each secret."""
    url, body = urlsplit(message.url), json.dumps(message.body).encode()
    headers = {
        "Host": url.netloc.rpartition("@")[2] if url.netloc.isascii() else ascii_host(url),
        "User-Agent": "vimmerse-mock",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    if url.username is not None:
        login = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        headers["Authorization"] = f"Basic {b64encode(login).decode()}"
    headers |= signature_headers(secrets, message.event_id, real, body)
    return Post(message.url, tuple(headers.items()), body)


def signature_headers(
    secrets: Iterable[str], event_id: str, real: Instant, body: bytes
) -> Mapping[str, str]:
    """Return the headers that sign a body at a real instant, with each secret; none without any."""
    keys = [secret_key(secret) for secret in secrets]
    if not keys:
        return {}
    timestamp = str(real // SECOND)
    return {
        ID_HEADER: event_id,
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: " ".join(sign(key, event_id, timestamp, body) for key in keys),
    }


def ascii_host(url: SplitResult) -> str:
    """Return the host of a URL as DNS and HTTP write it.

    Raises:
        UnicodeError: it cannot be written so.
    """
    host = url.hostname or ""
    return host if host.isascii() else host.encode("idna").decode()


def explain(error: Exception) -> str:
    """Return what went wrong, in a line."""
    return f"{type(error).__name__}: {error}"[:_KEPT_ERROR]


def secrets_of(post: Post) -> Secrets:
    """Return what a receiver may echo that no log may show: the credentials in its URL."""
    login = credentials_in(dict(post.headers).get("Authorization", ""))
    query = parse_qsl(urlsplit(post.url).query)
    found = [*login, *(value for name, value in query if is_secret_name(name))]
    return Secrets(each for each in found if len(each) >= _LEAST_SECRET)


def for_the_log(headers: Headers, secrets: Secrets) -> Headers:
    """Leave out what is secret, and what is too much."""
    kept, size = [], 0
    for name, value in headers:
        size += len(name) + len(value)
        if size > _KEPT_HEADERS:
            break
        shown = secrets.hide(without_credentials(value))
        kept.append((name, REDACTED if is_secret_name(name) else shown))
    return tuple(kept)


def new_secret() -> str:
    """Return a new secret to sign with, at random."""
    return SECRET_PREFIX + b64encode(randomness.token_bytes(_FRESH_BYTES)).decode()
