"""Secrets are found however they are written, and nothing else is."""

from __future__ import annotations

import html
import json
import string
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_contracts.secrecy import REDACTED, Secrets, is_secret_name, without_credentials

KEY = "sk+live/9f8e7d6c5b4a=="
VISIBLE = "".join(map(chr, range(ord("!"), ord("~") + 1)))
SPELLINGS: list[Callable[[str], str]] = [
    str,
    lambda key: quote(key, safe=""),
    lambda key: quote(quote(key, safe=""), safe=""),
    lambda key: "".join(f"%{ord(each):02x}" for each in key),
    lambda key: json.dumps(key).replace("/", "\\/"),
    lambda key: "".join(f"\\u{ord(each):04X}" for each in key),
    lambda key: json.dumps(json.dumps(f'"{key}"')),
    repr,
    html.escape,
    lambda key: "".join(f"&#{ord(each)};" for each in key),
    lambda key: b64encode(key.encode()).decode(),
    lambda key: b64encode(f"user:{key}".encode()).decode(),
    lambda key: b64encode(f"a:{key}".encode()).decode(),
    lambda key: quote(urlsafe_b64encode(f"me:{key}".encode())),
    lambda key: key.encode().hex(),
]


@pytest.mark.parametrize("spell", SPELLINGS)
def test_a_secret_is_hidden_however_it_is_written(spell: Callable[[str], str]) -> None:
    """Of the text around it nothing is lost; of the secret nothing is left."""
    shown = Secrets([KEY]).hide(f"before {spell(KEY)} after")
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert REDACTED in shown
    assert not any(spell(KEY)[at : at + 10] in shown for at in range(len(spell(KEY)) - 9))


@given(
    secret=st.text(
        string.ascii_letters + string.digits + "-_+/=%&\\\"'~", min_size=16, max_size=64
    ),
    before=st.text(max_size=8),
    after=st.text(max_size=8),
    data=st.data(),
)
def test_half_of_a_secret_is_hidden_too(
    secret: str, before: str, after: str, data: st.DataObject
) -> None:
    """Of any half, written as it is or percent-encoded, less than a third in a row is left."""
    begin = data.draw(st.integers(0, len(secret) // 2))
    half = secret[begin : begin + (len(secret) + 1) // 2]
    least = max(8, len(secret) // 3)
    for written in (quote(half, safe=""), half):
        shown = Secrets([secret]).hide(before + written + after)
        rest = shown.replace(REDACTED, "\0")
        assert not any(half[at : at + least] in rest for at in range(len(half) - least + 1))


@given(st.text(), st.text(string.ascii_lowercase, min_size=16, max_size=30))
def test_a_text_without_the_secret_is_left_as_it_is(text: str, secret: str) -> None:
    """Also with escapes in it, whole or broken."""
    if secret[:8] not in text:
        assert Secrets([secret, ""]).hide(f"{text}%4g&amp;\\u00") == f"{text}%4g&amp;\\u00"


def test_short_secrets_are_hidden_whole_only() -> None:
    """A part, or Base64, of a short one would be hit by chance."""
    assert Secrets(["YOUR_API_KEY"]).hide("VIMMERSE_API_KEY YOUR_API_KEY") == (
        f"VIMMERSE_API_KEY {REDACTED}"
    )
    assert Secrets(["ab"]).hide("cab YWI=") == f"c{REDACTED} YWI="


def test_secrets_are_hidden_in_all_of_a_json_value() -> None:
    """In keys and in values, and what is no text stays."""
    assert Secrets([KEY]).hide_in({KEY: [KEY, 1, None, {"a": quote(KEY, safe="")}]}) == {
        REDACTED: [REDACTED, 1, None, {"a": REDACTED}]
    }


def test_no_representation_shows_a_secret() -> None:
    """Whatever prints the variables of a frame does not see it."""
    secrets = Secrets([KEY])
    assert KEY not in f"{secrets!r} {vars(secrets).values()!r}".replace(repr(secrets._blocks), "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://bob:hunter2@host/hook", "http://host/hook"),
        ("http://bob@host", "http://host"),
        ("http://b@c:p@host", "http://host"),
        ("http://bob:hun/ter2@host/hook", "http://host/hook"),
        ("?u=http%3A%2F%2Fbob%3Ahunter2%40host%2F&n=a%40b", "?u=http%3A%2F%2Fhost%2F&n=a%40b"),
        (r'"http:\/\/bob:hunter2@host\/"', r'"http:\/\/host\/"'),
        ("http://host/hook?token=abc&x=1#t", f"http://host/hook?token={REDACTED}&x=1#t"),
        ("/x?a=1;X-Api-Key=2", f"/x?a=1;X-Api-Key={REDACTED}"),
        (
            "?u=http%3A%2F%2Fh%3Ftoken%3Dabc%26b%3D2",
            f"?u=http%3A%2F%2Fh%3Ftoken%3D{REDACTED}%26b%3D2",
        ),
        *(
            (plain, plain)
            for plain in (
                "see http://host/ and mail me@host",
                "https://cdn.example/@scope/x.png",
                "http://host:8080/@x",
                "http://[::1]:80/x?a=b",
                "a title with key=value",
                "http://host/x?page=2",
            )
        ),
    ],
)
def test_urls_are_shown_without_what_authorises(text: str, shown: str) -> None:
    """Logins and the values of secret parameters go, everything else stays."""
    assert without_credentials(text) == shown


@pytest.mark.parametrize(
    ("names", "secret"),
    [
        ("X-Api-Key api_key apiKey Api-Key X-Auth-Token Authorization Proxy-Authorization", True),
        ("Cookie Set-Cookie access_token X-Amz-Security-Token key password client_secret", True),
        ("X-Request-Id Idempotency-Key Sec-WebSocket-Key WWW-Authenticate Host Date", False),
        ("title image_urls webhook_url motion_type webhook-signature author keys_page", False),
    ],
)
def test_secret_names(names: str, *, secret: bool) -> None:
    """Headers, fields and parameters that authorise are known by their names."""
    assert {name: is_secret_name(name) for name in names.split()} == dict.fromkeys(
        names.split(), secret
    )
