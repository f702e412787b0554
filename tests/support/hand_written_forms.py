"""Forms as no library writes them, and as many do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

PNG: Final = b"\x89PNG\r\n\x1a\n"
MULTIPART: Final = "multipart/form-data; boundary=x"
URLENCODED: Final = "application/x-www-form-urlencoded"

FormBody = tuple[str, bytes]
"""Content type and body."""


def part(head: str, content: bytes, end: str = "\r\n") -> bytes:
    """Write a part by its whole head."""
    return f"--x{end}{head}{end}{end}".encode() + content + end.encode()


def field(name: str, content: bytes, more: str = "", end: str = "\r\n") -> bytes:
    """Write a part of a name; `more` is what follows the name."""
    return part(f'Content-Disposition: form-data; name="{name}"{more}', content, end)


def file(disposition: str, content: bytes = PNG) -> bytes:
    """Write an image; `disposition` is what follows the name."""
    return field("image_files", content, f"; {disposition}")


URL: Final = field("image_urls", b"http://a/1.png")
END: Final = b"--x--\r\n"
LATIN_1: Final = field("title", b"\xe9")
QUOTED_URL: Final = b"image_urls=http%3A%2F%2Fa%2F1.png"

_MULTIPART_BODIES: Final = {
    "plain": URL + END,
    "lines that end in LF": field("image_urls", b"http://a/1.png", end="\n") + b"--x--\n",
    "a preamble": b"This is a form\r\n" + URL + END,
    "an empty line before": b"\r\n" + URL + END,
    "an epilogue": URL + END + b"That was a form",
    "no final boundary": URL,
    "cut before the line ends": URL[:-2],
    "cut in a header": b'--x\r\nContent-Disposition: form-data; name="',
    "a final boundary without a line end": URL + b"--x--",
    "nothing but the end": END,
    "nothing": b"",
    "garbage": b"\xff\xfe\x00",
    "a part without a name": part("Content-Disposition: form-data", b"?") + URL + END,
    "a part with an empty name": field("", b"?") + URL + END,
    "a part without a disposition": part("Content-Type: text/plain", b"?") + URL + END,
    "an unquoted name": part("Content-Disposition: form-data; name=title", b"a") + URL + END,
    "no spaces": part('Content-Disposition:form-data;name="title"', b"a") + URL + END,
    "a header in small letters": part('content-disposition: form-data; name="title"', b"a") + END,
    "an attachment": part('Content-Disposition: attachment; name="title"', b"a") + URL + END,
    "a folded header": part('Content-Disposition: form-data;\r\n name="title"', b"a") + END,
    "a long header": part(f'Content-Disposition: form-data; name="a"\r\nX: {"y" * 9_000}', b"")
    + END,
    "spaces behind a boundary": URL.replace(b"--x", b"--x  ", 1) + END,
    "only filename*": file("filename*=UTF-8''a%20b.png") + END,
    "both kinds of filename": file("filename=\"c.png\"; filename*=UTF-8''a%20b.png") + END,
    "a filename in UTF-8": file('filename="ä.png"') + END,
    "a filename in Latin-1": file('filename="ä.png"').replace("ä".encode(), b"\xe4") + END,
    "a filename with a quote": file('filename="a\\"b.png"') + END,
    "a filename with a percent sign": file('filename="a%22b.png"') + END,
    "a filename with a path": file('filename="C:\\x\\b.png"') + END,
    "a file input left empty": file('filename=""', b"") + URL + END,
    "nothing but a file input left empty": file('filename=""', b"") + END,
    "a file without a name": file('filename=""') + END,
    "one file input of two left empty": file('filename=""', b"") + file('filename="a.png"') + END,
    "text for a file": field("image_files", b"a.png") + END,
    "empty text for a file": field("image_files", b"") + URL + END,
    "a file for text": field("title", PNG, '; filename="a.png"') + URL + END,
    "an empty file for text": field("title", b"", '; filename=""') + URL + END,
    "a file for a number": field("duration", PNG, '; filename="a.png"') + URL + END,
    "a file for a truth value": field("is_transition", PNG, '; filename="a.png"') + URL + END,
    "a file for a URL": field("image_urls", PNG, '; filename="a.png"') + END,
    "1,000 URLs": URL * 1_000 + END,
    "1,001 URLs": URL * 1_001 + END,
    "1,001 files": file('filename="a.png"') * 1_001 + END,
    "text in Latin-1": field("title", b"caf\xe9") + URL + END,
    "text with a charset": part(
        'Content-Disposition: form-data; name="title"\r\nContent-Type: text/plain; charset=latin-1',
        b"caf\xe9",
    )
    + URL
    + END,
    "text in base64": part(
        'Content-Disposition: form-data; name="title"\r\nContent-Transfer-Encoding: base64', b"YQ=="
    )
    + URL
    + END,
    "a text of 2 MB": field("other", b"a" * 2_000_000) + URL + END,
}
_URLENCODED_BODIES: Final = {
    "1,000 URLs": b"&".join([QUOTED_URL] * 1_000),
    "1,001 URLs": b"&".join([QUOTED_URL] * 1_001),
    "quoted Latin-1": b"title=caf%E9&" + QUOTED_URL,
    "raw Latin-1": b"title=caf\xe9&" + QUOTED_URL,
    "raw UTF-8": "title=café&".encode() + QUOTED_URL,
    "semicolons": b"title=a;" + QUOTED_URL,
    "plus signs": b"title=a+b%2Bc&" + QUOTED_URL,
    "no value": b"title&" + QUOTED_URL,
    "empty pairs": b"&&title=a&&" + QUOTED_URL + b"&",
    "brackets": b"image_urls[]=http://a/1.png",
    "broken quoting": b"title=%zz%&" + QUOTED_URL,
    "an equals sign in a value": b"title=a=b&" + QUOTED_URL,
    "a repeated text": b"title=a&title=b&" + QUOTED_URL,
    "a repeated text, empty at last": b"title=a&title=&" + QUOTED_URL,
    "a repeated number, empty at last": b"duration=3&duration=&" + QUOTED_URL,
    "a text of 2 MB": b"other=" + b"a" * 2_000_000 + b"&" + QUOTED_URL,
}
_OTHER_TYPES: Final = {
    "a quoted boundary": ('multipart/form-data; boundary="x"', URL + END),
    "no boundary": ("multipart/form-data", URL + END),
    "another boundary": ("multipart/form-data; boundary=y", URL + END),
    "a type in other letters": ("Multipart/Form-Data; Boundary=x", URL + END),
    "a charset of all parts": (
        f"{MULTIPART}; charset=latin-1",
        field("title", b"\xe9") + URL + END,
    ),
    "an unknown charset": (f"{MULTIPART}; charset=none", LATIN_1 + URL + END),
    "multipart/mixed": ("multipart/mixed; boundary=x", URL + END),
    "JSON": ("application/json", b'{"image_urls": ["http://a/1.png"]}'),
    "plain text": ("text/plain", QUOTED_URL),
    "a charset": (f"{URLENCODED}; charset=utf-8", QUOTED_URL),
    "capitals": (URLENCODED.upper(), QUOTED_URL),
}
_NUMBERS: Final = (
    *("5", " 5 ", "5.0", "5.", "5.5", "+5", "-0", "05", "5.00", "1_0", "1_0.0", "1_000", "_5"),
    *(
        "5_",
        "5__0",
        "+ 5",
        ".5",
        "-5",
        "\u0665",
        "\uff10",
        "0x5",
        "1e1",
        "",
        "\t5\n",
        "5\xa0",
        "\x0b5",
    ),
    *("9" * 31, "9" * 4_300, "9" * 5_000, "--5", "True", "5 0", "NaN", "five"),
)
_TRUTHS: Final = ("true", "TRUE", "T", "y", "Yes", "on", "1", "0", "oFF", "2", "ja", " true", "1.0")


def hand_written_forms() -> Iterator[tuple[str, FormBody]]:
    """Yield each form with what is special about it."""
    yield from ((name, (MULTIPART, body)) for name, body in _MULTIPART_BODIES.items())
    yield from ((f"{name}, quoted", (URLENCODED, b)) for name, b in _URLENCODED_BODIES.items())
    yield from _OTHER_TYPES.items()
    for name, values in (("duration", _NUMBERS), ("is_transition", _TRUTHS)):
        for value in values:
            body = field(name, value.encode()) + URL + END
            yield f"{name}={value[:20]!r} of {len(value)}", (MULTIPART, body)
