"""The body of an answer, read in pieces and within a bound."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

import requests

_PIECE_BYTES: Final = 64 * 1024
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS


class BodyTooLarge(Exception):  # noqa: N818 - internal: the transport turns it into an error of the client
    """A body has more bytes than somebody is ready to read."""


class UnreadableBody(Exception):  # noqa: N818 - as above
    """A body is encoded in a way that was not asked for, or not as it says."""


def read_pieces(response: requests.Response, most: int) -> Iterator[bytes]:
    """Yield a body in pieces of at most 64 KiB, decompressed, `most` bytes in all.

    Raises:
        BodyTooLarge: it has more, as it came or decompressed.
        UnreadableBody: it is compressed otherwise than with gzip or deflate.
        ConnectionError: it ended too early.
        OSError, urllib3.exceptions.HTTPError: whatever went wrong on the way.
    """
    if getattr(response, "_content_consumed", False):  # by a hook of the caller's session
        yield from _bounded([response.content], most)
        return
    pieces = _bounded(_received(response.raw), most)
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in {"gzip", "x-gzip", "deflate"}:
        pieces = _bounded(_inflated(pieces), most)
    elif encoding not in {"identity", ""}:
        raise UnreadableBody(f"a body that is encoded as {encoding}")
    yield from pieces


def _received(raw: Any) -> Iterator[bytes]:  # noqa: ANN401 - urllib3's response, which requests leaves untyped
    # read1 returns what is there; urllib3 1.26 has only read, which waits for all that was asked.
    read = getattr(raw, "read1", raw.read)
    while piece := read(_PIECE_BYTES, decode_content=False):
        yield piece
    # urllib3 1.26 takes a transfer that ends too early for a whole one.
    if missing := getattr(raw, "length_remaining", None):
        raise ConnectionError(f"the answer ended {missing} bytes too early")


def _bounded(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    for piece in pieces:
        most -= len(piece)
        if most < 0:
            raise BodyTooLarge
        yield piece


def _inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
    came = False
    for piece in pieces:
        came, rest = True, piece
        while not inflate.eof:
            try:
                decompressed = inflate.decompress(rest, _PIECE_BYTES)
            except zlib.error as error:
                raise UnreadableBody(f"a body that cannot be decompressed ({error})") from None
            if decompressed:
                yield decompressed
            rest = inflate.unconsumed_tail
            if not rest and len(decompressed) < _PIECE_BYTES:
                break
    if came and not inflate.eof:
        raise ConnectionError("the answer ended before its compressed body did")
