"""Signatures by the Standard Webhooks specification (https://www.standardwebhooks.com), v1.

The documented API signs nothing; this is what the mock does when it is given secrets, and what the
client checks. Pure: secrets, texts and bytes in, a text or a truth out.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from typing import Final

ID_HEADER: Final = "webhook-id"
"""Names the message; the same for each of its attempts."""

TIMESTAMP_HEADER: Final = "webhook-timestamp"
"""When the attempt was made, in whole seconds since 1970."""

SIGNATURE_HEADER: Final = "webhook-signature"
"""One signature for each secret in use, separated by spaces."""

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what secrets begin with, not one
_VERSION: Final = "v1"


def secret_key(secret: str) -> bytes:
    """Decode a secret, `whsec_` and Base64 (padded or not), into the key that it stands for.

    Raises:
        ValueError: it is no such secret; the message does not quote it.
    """
    text = secret.removeprefix(SECRET_PREFIX).rstrip("=")
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError(
            f"a signing secret is '{SECRET_PREFIX}' and Base64, such as "
            f"'{SECRET_PREFIX}MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'; this one of {len(secret)} "
            "characters is not"
        )
    return key


def sign(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """Sign one attempt of a message: `v1,` and the Base64 of HMAC-SHA256 over all three."""
    signed = b".".join([_octets(message_id), _octets(timestamp), body])
    return f"{_VERSION},{b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


def is_signed(
    signatures: str, keys: tuple[bytes, ...], message_id: str, timestamp: str, body: bytes
) -> bool:
    """Whether one of the signatures in a header is of one of the keys; in constant time."""
    expected = [sign(key, message_id, timestamp, body).encode() for key in keys]
    given = [_octets(signature) for signature in signatures.split()]
    return any([hmac.compare_digest(one, other) for one in expected for other in given])  # noqa: C419 - any() of a generator would stop early, and tell when


def _octets(text: str) -> bytes:
    """Encode what should be ASCII, whatever it is: a forged header must not raise."""
    return text.encode("utf-8", "replace")
