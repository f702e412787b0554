"""Forms as they were sent: the fields and files in the body of a prepared request."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from requests import PreparedRequest

Fields = list[tuple[str, str]]


def sent_form(request: PreparedRequest) -> tuple[Fields, Fields]:
    """Take the body apart: (field, text) of each text, (field, content type) of each file."""
    body, kind = request.body, str(request.headers.get("Content-Type", ""))
    if not isinstance(body, str | bytes):
        return [], []
    raw = body.encode() if isinstance(body, str) else body
    if kind.startswith("multipart/form-data"):
        return _multipart(raw, kind)
    return parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True), []


def _multipart(body: bytes, kind: str) -> tuple[Fields, Fields]:
    whole = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=HTTP)
    texts: Fields = []
    files: Fields = []
    for part in _parts(whole):
        name = str(part.get_param("name", "", "Content-Disposition"))
        if part.get_filename() is None:
            content: Any = part.get_payload(decode=True)
            texts.append((name, content.decode("utf-8", "replace")))
        else:
            files.append((name, part.get_content_type()))
    return texts, files


def _parts(whole: Message) -> Iterator[Message]:
    return (part for part in whole.walk() if not part.is_multipart())
