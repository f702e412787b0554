"""What no log, journal or report may show, however it is written."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from typing import Any, Final
from urllib.parse import unquote

REDACTED: Final = "[redacted]"
"""What stands in place of a secret."""

_SECRET_ENDINGS: Final = ("key", "auth", "session", "sessionid", "pwd", "jwt", "bearer")
_SECRET_WORDS: Final = re.compile("apikey|token|authorization|secret|passw|credential|cookie")
_NO_SECRETS: Final = ("idempotencykey", "websocketkey")
_NO_LETTER: Final = re.compile("[^a-z0-9]+")
_USUAL_NAME: Final = 64
_LOGIN: Final = re.compile(
    r"""((?::|%3a)(?:/|\\/|%2f){2})
        (?: (?:(?!%2f|%3f|%23)[^\s/?#"'<>])*
          | [^\s/?#@:]*:(?!\d*[/?#\s]|\d*$)[^\s@"'<>]*  # a password with a slash
        )(?:@|%40)""",
    re.IGNORECASE | re.VERBOSE,
)
_PARAMETER: Final = re.compile(
    r"""(?P<start>(?:[?&;]|%3f|%26)(?P<name>[^=&;\s]{1,64}?)(?:=|%3d))
        (?:(?!%26|%23|%3f)[^&;\#\s"'<>])*""",
    re.IGNORECASE | re.VERBOSE,
)
_ESCAPE: Final = re.compile(
    r"""%(?:25)*[0-9a-f]{2} | \\u00[0-9a-f]{2} | \\x[0-9a-f]{2} | \\[\\/"'] | &\#?\w{1,8};""",
    re.IGNORECASE | re.VERBOSE,
)
_MOST_LAYERS: Final = 3
_LEAST_ENCODED: Final = 8
_LEAST_CUT: Final = 16
"""How long a secret has to be to be looked for in Base64, and in parts."""


def is_secret_name(name: str) -> bool:
    """Whether a header, a field or a parameter of this name holds what authorises somebody."""
    return _is_secret_name(name) if len(name) <= _USUAL_NAME else _is_secret_name.__wrapped__(name)


@lru_cache(4096)
def _is_secret_name(name: str) -> bool:
    plain = _NO_LETTER.sub("", name.lower())
    if plain.endswith(_NO_SECRETS):
        return False
    return plain.endswith(_SECRET_ENDINGS) or _SECRET_WORDS.search(plain) is not None


def without_credentials(text: str) -> str:
    """Return a URL, or a text with URLs, without logins and the values of secret parameters."""
    if "@" in text or "%40" in text:
        text = _LOGIN.sub(r"\1", text)
    if "%3" in text or ("=" in text and ("?" in text or "&" in text or ";" in text)):
        text = _PARAMETER.sub(_without_value, text)
    return text


def _without_value(parameter: re.Match[str]) -> str:
    name = parameter["name"]
    return f"{parameter['start']}{REDACTED}" if is_secret_name(unquote(name)) else parameter[0]


def credentials_in(authorization: str) -> tuple[str, ...]:
    """Return what is secret in the value of a header like `Authorization`."""
    scheme, _, value = authorization.rpartition(" ")
    if scheme.lower() != "basic":
        return (value,)
    try:
        login = b64decode(value).decode("utf-8", "replace")
    except (Base64Error, ValueError):
        return (value,)
    return value, login, login.partition(":")[2]


class Secrets:
    """Values to hide: whole or a third of one, percent-encoded, escaped, in Base64 or in hex.

    Parts and Base64 are looked for if a value is long enough not to be hit by chance.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._spellings = [each for value in {*values} - {""} for each in _spellings(value)]
        self._blocks = [block for each in self._spellings for _, block in each.blocks]

    def hide(self, text: str, stand_in: Callable[[str], str] = lambda _found: REDACTED) -> str:
        """Return a text with a stand-in for each place where one of them is written."""
        if not (_is_escaped(text) or self._is_in(text)):
            return text
        spans = {
            (begin, end) if places is None else (places[begin], places[end])
            for layer, places in _layers(text)
            if self._is_in(layer)
            for spelling in self._spellings
            for begin, end in spelling.spans(layer)
        }
        if not spans:
            return text
        shown, done = [], 0
        for begin, end in _joined(spans):
            shown += [text[done:begin], stand_in(text[begin:end])]
            done = end
        return "".join([*shown, text[done:]])

    def _is_in(self, text: str) -> bool:
        return any(map(text.__contains__, self._blocks))

    def hide_in(self, value: Any) -> Any:  # noqa: ANN401 - any JSON
        """Hide them in all texts of a JSON value, its keys included."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, list):
            return [self.hide_in(item) for item in value]
        if isinstance(value, dict):
            return {self.hide(name): self.hide_in(item) for name, item in value.items()}
        return value


@dataclass(frozen=True, slots=True, repr=False)
class _Spelling:
    """One way to write a secret; `least` is how much of it in a row is a part that is hidden.

    Each such part has one of the `blocks` in it, of which each has its place in the whole.
    """

    whole: str
    least: int
    blocks: tuple[tuple[int, str], ...]

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        for place, block in self.blocks:
            found = text.find(block)
            while found >= 0:
                begin, end = self._grown(text, found, place, len(block))
                is_part = end - begin >= self.least
                if is_part:
                    yield begin, end
                found = text.find(block, end if is_part else found + 1)

    def _grown(self, text: str, found: int, place: int, size: int) -> tuple[int, int]:
        """Return where the part begins and ends that has a block in it."""
        begin, end, shift = found, found + size, place - found
        while begin > 0 and begin + shift > 0 and text[begin - 1] == self.whole[begin - 1 + shift]:
            begin -= 1
        most = min(len(text), len(self.whole) - shift)
        while end < most and text[end] == self.whole[end + shift]:
            end += 1
        return begin, end


@lru_cache(1000)
def _spellings(secret: str) -> tuple[_Spelling, ...]:
    size = len(secret)
    least = max(_LEAST_ENCODED, size // 3) if size >= _LEAST_CUT else size
    step = (least + 1) // 2 if least < size else size
    blocks = tuple((at, secret[at : at + step]) for at in range(0, size - step + 1, step))
    raw = secret.encode("utf-8", "replace")
    encoded = {*_in_base64(raw), raw.hex(), raw.hex().upper()} if size >= _LEAST_ENCODED else set()
    others = (_Spelling(each, len(each), ((0, each),)) for each in sorted(encoded))
    return _Spelling(secret, least, blocks), *others


def _in_base64(raw: bytes) -> Iterator[str]:
    """Write a secret in Base64 as it stands in a longer text: what its neighbours do not change."""
    for before, changed in ((0, 0), (1, 2), (2, 3)):
        whole = (before + len(raw)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(bytes(before) + raw).decode()[changed:whole]


def _is_escaped(text: str) -> bool:
    return "%" in text or "\\" in text or "&" in text


def _layers(text: str) -> Iterator[tuple[str, list[int] | None]]:
    """Yield a text, and what it says once its escapes are undone, layer by layer.

    With each goes where its characters, and its end, stand in the text; None for the text itself.
    """
    yield text, None
    places: list[int] | None = None
    for _ in range(_MOST_LAYERS):
        if not _is_escaped(text):
            return
        pieces, kept, done = [], [], 0
        for escape in _ESCAPE.finditer(text):
            pieces += [text[done : escape.start()], (meant := _meant(escape[0]))]
            kept += [*range(done, escape.start()), *[escape.start()] * len(meant)]
            done = escape.end()
        if not done:
            return
        kept += range(done, len(text) + 1)
        text = "".join([*pieces, text[done:]])
        places = kept if places is None else [places[each] for each in kept]
        yield text, places


def _meant(escape: str) -> str:
    if escape[0] == "%":
        return unquote("%" + escape[-2:], "latin-1")
    if escape[0] == "&":
        return unescape(escape)
    return escape[1] if len(escape) == 2 else chr(int(escape[-2:], 16))


def _joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Join spans that overlap or touch."""
    last: tuple[int, int] | None = None
    for begin, end in sorted(spans):
        if last is not None and begin <= last[1]:
            last = last[0], max(last[1], end)
        else:
            if last is not None:
                yield last
            last = begin, end
    if last is not None:
        yield last
