"""Signatures as Standard Webhooks has them (standardwebhooks.com); off by default."""

from __future__ import annotations

import secrets as randomness
from base64 import b64encode
from collections.abc import Iterable, Mapping

from vimmerse_contracts.signatures import (
    ID_HEADER,
    SECRET_PREFIX,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    sign,
)
from vimmerse_mock.model.clock import SECOND, Instant
from vimmerse_mock.model.webhooks import secret_key

_FRESH_BYTES = 24


def new_secret() -> str:
    """Make up a secret."""
    return SECRET_PREFIX + b64encode(randomness.token_bytes(_FRESH_BYTES)).decode()


def signature_headers(
    secrets: Iterable[str], event_id: str, real: Instant, body: bytes
) -> Mapping[str, str]:
    """Sign a body at a real instant, once with each secret; without any there is nothing to add."""
    keys = [secret_key(secret) for secret in secrets]
    if not keys:
        return {}
    timestamp = str(real // SECOND)
    return {
        ID_HEADER: event_id,
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: " ".join(sign(key, event_id, timestamp, body) for key in keys),
    }
