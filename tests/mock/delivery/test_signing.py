from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_mock.delivery import new_secret
from vimmerse_mock.delivery.sending import post_of
from vimmerse_mock.errors import WebhookSettingsError
from vimmerse_mock.model.clock import wall_clock
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.model.webhook_settings import WebhookSettings

MESSAGE = Message("msg_1", "c", "b", 1, "http://127.0.0.1:9/", "success", 0)


def verified(secret: str, headers: dict[str, str], body: bytes) -> Any:
    """Verify by the package of Standard Webhooks."""
    return standardwebhooks.Webhook(secret).verify(body.decode(), headers)


def test_the_standard_package_verifies_a_signature() -> None:
    """A signed webhook passes, and its payload is the documented body."""
    secret = new_secret()
    post = post_of(MESSAGE, (secret,), wall_clock())
    assert verified(secret, dict(post.headers), post.body) == MESSAGE.body


def test_another_secret_and_a_changed_body_do_not_pass() -> None:
    """The signature is of this body, by this secret."""
    secret = new_secret()
    post = post_of(MESSAGE, (secret,), wall_clock())
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verified(new_secret(), dict(post.headers), post.body)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verified(secret, dict(post.headers), post.body.replace(b"success", b"failure"))


def test_during_rotation_both_secrets_verify() -> None:
    """Each signs, the newer first, separated by a space."""
    new, old = new_secret(), new_secret()
    post = post_of(MESSAGE, (new, old), wall_clock())
    headers = dict(post.headers)
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (new, old):
        assert verified(secret, headers, post.body) == MESSAGE.body


def test_without_a_secret_nothing_is_signed() -> None:
    """The documented API signs nothing, and so does the mock by default."""
    names = {name for name, _ in post_of(MESSAGE, (), wall_clock()).headers}
    assert not any(name.startswith("webhook-") for name in names)


@given(st.binary(min_size=24, max_size=64))
def test_every_secret_of_the_allowed_length_verifies(key: bytes) -> None:
    """From 24 to 64 bytes, whatever they are."""
    secret = "whsec_" + b64encode(key).decode()
    assert WebhookSettings(secrets=(secret,)).secrets == (secret,)
    post = post_of(MESSAGE, (secret,), wall_clock())
    assert verified(secret, dict(post.headers), post.body) == json.loads(post.body)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_%%%",
        "whsec_" + b64encode(b"x" * 23).decode(),
        "whsec_" + b64encode(b"x" * 65).decode(),
        b64encode(b"x" * 24).decode(),
    ],
)
def test_what_is_no_secret_is_refused_without_repeating_it(secret: str) -> None:
    """The sentence says what a secret is."""
    with pytest.raises(WebhookSettingsError, match="Base64 of 24 to 64 bytes") as refusal:
        WebhookSettings(secrets=(secret,))
    assert not secret or secret not in str(refusal.value).replace("whsec_ followed", "")


def test_at_most_two_secrets_sign() -> None:
    """The present one and the one before it."""
    with pytest.raises(WebhookSettingsError, match="at most 2 secrets"):
        WebhookSettings(secrets=tuple(new_secret() for _ in range(3)))


def test_secrets_are_not_shown() -> None:
    """Neither the settings nor the account show them."""
    secret = new_secret()
    assert secret not in repr(WebhookSettings(secrets=(secret,)))


def test_a_new_secret_goes_beside_the_present_one() -> None:
    """Rotating twice leaves the last two, the newest first."""
    first, second, third = (new_secret() for _ in range(3))
    settings = WebhookSettings().rotated(first)
    assert settings.secrets == (first,)
    assert settings.rotated(second).rotated(third).secrets == (third, second)
