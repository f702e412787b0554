"""`verify_webhook`, held to the specification's own package."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_client import (
    ConfigurationError,
    InvalidSignature,
    SignatureExpired,
    SignatureMismatch,
    SignatureMissing,
    verify_webhook,
)
from vimmerse_contracts.signatures import secret_key, sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
NOW = 1_743_595_200.0
BODY = b'{"customer_id": "c", "batch_id": "b", "status": "success"}'

secrets = st.binary(min_size=1, max_size=64).map(lambda key: "whsec_" + b64encode(key).decode())
bodies = st.dictionaries(st.text(), st.text()).map(lambda data: json.dumps(data).encode())
ids = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1)


def theirs(secret: str, message_id: str, at: float, body: bytes) -> str:
    """What the specification's package signs."""
    moment = datetime.fromtimestamp(at, UTC)
    return standardwebhooks.Webhook(secret).sign(message_id, moment, body.decode())


def headers(signature: str, message_id: str = "msg_1", at: float = NOW) -> dict[str, str]:
    """The three headers."""
    return {
        "Webhook-Id": message_id,
        "Webhook-Timestamp": f"{at:.0f}",
        "Webhook-Signature": signature,
    }


@given(secrets, ids, st.integers(0, 2**32), bodies)
def test_we_verify_what_the_package_signs(secret: str, name: str, at: int, body: bytes) -> None:
    """Whatever the secret, the id, the instant and the body."""
    assert (
        verify_webhook(headers(theirs(secret, name, at, body), name, at), body, [secret], at)
        == name
    )


@given(secrets, ids, bodies)
def test_the_package_verifies_what_we_sign(secret: str, name: str, body: bytes) -> None:
    """It reads the present itself, so the timestamp is the present."""
    at = datetime.now(UTC).timestamp()  # noqa: TID251 - the package compares with real time
    signature = sign(secret_key(secret), name, f"{at:.0f}", body)
    signed = headers(signature, name, at)
    assert standardwebhooks.Webhook(secret).verify(body, signed) == json.loads(body)


def test_during_a_rotation_either_secret_will_do() -> None:
    """Two signatures in the header, or two secrets on our side."""
    old, new = theirs(SECRET, "msg_1", NOW, BODY), theirs(OTHER, "msg_1", NOW, BODY)
    assert verify_webhook(headers(f"{old} {new}"), BODY, [OTHER], NOW)
    assert verify_webhook(headers(f"v1a,else {new}"), BODY, [SECRET, OTHER], NOW)
    assert verify_webhook(headers(old), BODY, SECRET, NOW)


@pytest.mark.parametrize(
    ("message_id", "at", "body", "secret"),
    [
        ("msg_2", NOW, BODY, SECRET),
        ("msg_1", NOW + 1, BODY, SECRET),
        ("msg_1", NOW, BODY + b" ", SECRET),
        ("msg_1", NOW, BODY, OTHER),
    ],
    ids=["id", "timestamp", "body", "secret"],
)
def test_whatever_is_changed_is_noticed(
    message_id: str, at: float, body: bytes, secret: str
) -> None:
    """The signature holds id, timestamp and body together."""
    signature = theirs(SECRET, "msg_1", NOW, BODY)
    with pytest.raises(SignatureMismatch, match="exactly as it came"):
        verify_webhook(headers(signature, message_id, at), body, [secret], NOW)


@pytest.mark.parametrize("signature", ["v1,", "v1", ",", "v2,abc", "v1,é", "v1,\udcff"])
def test_a_strange_signature_is_a_mismatch(signature: str) -> None:
    """Nothing that stands in the header raises anything else."""
    with pytest.raises(SignatureMismatch):
        verify_webhook(headers(signature), BODY, [SECRET], NOW)


@pytest.mark.parametrize(("moved", "word"), [(301.0, "old"), (-301.0, "ahead")])
def test_what_is_too_old_or_from_the_future_is_refused(moved: float, word: str) -> None:
    """Beyond the tolerance, although the signature is right."""
    signed = headers(theirs(SECRET, "msg_1", NOW, BODY))
    with pytest.raises(SignatureExpired, match=f"301 s {word}, and 300 s are tolerated"):
        verify_webhook(signed, BODY, [SECRET], NOW + moved)
    assert verify_webhook(signed, BODY, [SECRET], NOW + moved, tolerance=301)


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_a_header_that_is_not_there_is_named(name: str) -> None:
    """Each of the three is needed."""
    signed = headers(theirs(SECRET, "msg_1", NOW, BODY))
    with pytest.raises(SignatureMissing, match=name.lower()):
        verify_webhook({**signed, name: ""}, BODY, [SECRET], NOW)
    with pytest.raises(SignatureMissing, match="does the sender sign"):
        verify_webhook({}, BODY, [SECRET], NOW)


@pytest.mark.parametrize("timestamp", ["1e9", "-1", "nan", "٣", "1" * 30, "1743595200.5"])
def test_a_timestamp_that_is_no_whole_number_is_refused(timestamp: str) -> None:
    """What it should be is said."""
    signed = headers("v1,x") | {"Webhook-Timestamp": timestamp}
    with pytest.raises(SignatureMissing, match="whole seconds since 1970"):
        verify_webhook(signed, BODY, [SECRET], NOW)


@pytest.mark.parametrize("wrong", ["", "whsec_", "whsec_not base64!", "geheim-ä"])
def test_a_wrong_secret_is_a_mistake_of_ours_and_is_not_quoted(wrong: str) -> None:
    """It is found before anything is compared, and no log gets to see it."""
    with pytest.raises(ConfigurationError, match="a signing secret is") as refused:
        verify_webhook(headers("v1,x"), BODY, [SECRET, wrong], NOW)
    assert not wrong.removeprefix("whsec_") or wrong not in str(refused.value)
    with pytest.raises(ConfigurationError, match="at least one secret"):
        verify_webhook(headers("v1,x"), BODY, [], NOW)


def test_no_refusal_shows_a_secret() -> None:
    """Neither the message nor the traceback's cause."""
    with pytest.raises(InvalidSignature) as refused:
        verify_webhook(headers("v1,x"), BODY, [SECRET], NOW)
    assert SECRET.removeprefix("whsec_") not in repr(refused.value) + str(refused.value)


def test_headers_come_in_many_shapes() -> None:
    """A mapping, AWS Lambda's lists of values, an ASGI scope's pairs; and a body that is text."""
    signature = sign(secret_key(SECRET), "msg_1", f"{NOW:.0f}", BODY)
    given = headers(signature)
    shapes: list[Any] = [
        given,
        {name: [value] for name, value in given.items()},
        list(given.items()),
        [(name.lower().encode(), value.encode()) for name, value in given.items()],
    ]
    for shape in shapes:
        assert verify_webhook(shape, BODY.decode(), [SECRET], NOW) == "msg_1"
    two = {
        **{name: [value] for name, value in given.items()},
        "Webhook-Signature": ["v1,x", signature],
    }
    assert verify_webhook(two, BODY, [SECRET], NOW) == "msg_1"


@pytest.mark.parametrize("odd", [None, 5, "text", ["text"], [()], {"Webhook-Id": None}, {1: 2}])
def test_what_are_no_headers_are_missing_ones(odd: Any) -> None:
    """Whatever was handed over, the error is one of ours."""
    with pytest.raises(SignatureMissing):
        verify_webhook(odd, BODY, [SECRET], NOW)


@pytest.mark.parametrize("body", [None, {"customer_id": "c"}, 5])
def test_a_parsed_body_is_refused(body: Any) -> None:
    """A signature is over the bytes as they came."""
    with pytest.raises(ConfigurationError, match="expected the bytes as they came"):
        verify_webhook(headers("v1,x"), body, [SECRET], NOW)


@pytest.mark.parametrize("secrets", [None, [], [None], [b"whsec_c2VjcmV0"]])
def test_a_secret_is_needed(secrets: Any) -> None:
    """One that is not set is no secret, and no traceback of Python's own."""
    with pytest.raises(ConfigurationError, match="verify_webhook: expected"):
        verify_webhook(headers("v1,x"), BODY, secrets, NOW)
