"""The body of a form, taken apart as FastAPI does it: by its library, within its limits."""

from __future__ import annotations

from typing import IO, Final
from urllib.parse import parse_qsl

from werkzeug.datastructures import FileStorage, Headers, MultiDict
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.formparser import FormDataParser, default_stream_factory

MOST_PARTS: Final = 1_000
"""How many text fields a form has at most, and how many files."""
MOST_TEXT: Final = 1024 * 1024
"""How many bytes a text field has at most."""
_CHUNK: Final = 256 * 1024

Texts = MultiDict[str, str]
Files = MultiDict[str, FileStorage]


class FormBodyParser(FormDataParser):
    """Reads a form whole, or refuses it with what is wrong.

    Raises:
        BadRequest: it is no form, or has too many fields, or too large ones.
        RequestEntityTooLarge: it goes on after the limit, which a chunked one may.
    """

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> tuple[IO[bytes], Texts, Files]:
        """Parse a body by its content type; another type than a form's has no fields."""
        texts, files = Texts(), Files()
        if mimetype == "multipart/form-data":
            texts, files = _multipart(stream, options or {})
        elif mimetype == "application/x-www-form-urlencoded":
            texts = _urlencoded(stream.read())
        if content_length is None:
            stream.read(1)
        return stream, texts, files


def _urlencoded(body: bytes) -> Texts:
    """Read pairs; bytes beyond ASCII that are not quoted are Latin-1, as FastAPI has it."""
    if any(len(pair) > MOST_TEXT for pair in body.split(b"&")):
        raise BadRequest(_too_large("Field"))
    pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, errors="replace")
    if len(pairs) > MOST_PARTS:
        raise BadRequest(_too_many("fields"))
    return Texts(pairs)


def _multipart(stream: IO[bytes], options: dict[str, str]) -> tuple[Texts, Files]:
    from python_multipart import MultipartParser  # noqa: PLC0415 - only the first upload pays for it
    from python_multipart.exceptions import FormParserError  # noqa: PLC0415 - as above

    boundary = options.get("boundary", "")
    if not boundary:
        raise BadRequest("Missing boundary in multipart.")
    parts = _Parts(options.get("charset", "utf-8"))
    try:
        parser = MultipartParser(boundary.encode("latin-1"), parts.callbacks())  # type: ignore[arg-type] # a dict of them
        while chunk := stream.read(_CHUNK):
            parser.write(chunk)
        parser.finalize()
        parts.close_unfinished()
    except (FormParserError, UnicodeError) as error:
        parts.close()
        raise BadRequest("Invalid multipart data.") from error
    except HTTPException:
        parts.close()
        raise
    return parts.texts, parts.files


class _Parts:
    """Collects the parts of a multipart form, as the parser comes upon them."""

    def __init__(self, charset: str) -> None:
        self.texts, self.files = Texts(), Files()
        self._charset = charset
        self._text_count = self._file_count = 0
        self._header: tuple[bytes, bytes] = (b"", b"")
        self._headers: list[tuple[str, str]] = []
        self._name = ""
        self._text = bytearray()
        self._file: FileStorage | None = None
        self._opened: list[FileStorage] = []

    def close(self) -> None:
        """Close the files of a form that is refused."""
        for file in self._opened:
            file.close()

    def close_unfinished(self) -> None:
        """Close the file of a part whose end never came; FastAPI leaves it out, too."""
        if self._file is not None:
            self._file.close()

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self.begin,
            "on_header_field": self.header_name,
            "on_header_value": self.header_value,
            "on_header_end": self.header_end,
            "on_headers_finished": self.headers_finished,
            "on_part_data": self.data,
            "on_part_end": self.end,
        }

    def begin(self) -> None:
        self._headers, self._text, self._file = [], bytearray(), None

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header = self._header[0] + data[start:end], self._header[1]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = self._header[0], self._header[1] + data[start:end]

    def header_end(self) -> None:
        name, value = self._header
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))
        self._header = (b"", b"")

    def headers_finished(self) -> None:
        from python_multipart.multipart import parse_options_header  # noqa: PLC0415 - loaded by then

        headers = Headers(self._headers)
        _, options = parse_options_header(headers.get("Content-Disposition"))
        if b"name" not in options:
            raise BadRequest('The Content-Disposition header field "name" must be provided.')
        self._name = self._decoded(options[b"name"])
        if b"filename" in options:
            self._file_count += 1
            name = self._decoded(options[b"filename"])
            stream = default_stream_factory(None, None, name)
            self._file = FileStorage(stream, name, self._name, headers=headers)
            self._opened.append(self._file)
        else:
            self._text_count += 1
        if self._text_count > MOST_PARTS:
            raise BadRequest(_too_many("fields"))
        if self._file_count > MOST_PARTS:
            raise BadRequest(_too_many("files"))

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.stream.write(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > MOST_TEXT:
            raise BadRequest(_too_large("Part"))

    def end(self) -> None:
        if self._file is None:
            self.texts.add(self._name, self._decoded(self._text))
            return
        self._file.stream.seek(0)
        self.files.add(self._name, self._file)
        self._file = None

    def _decoded(self, data: bytes | bytearray) -> str:
        try:
            return data.decode(self._charset)
        except (UnicodeDecodeError, LookupError):
            return data.decode("latin-1")


def _too_many(what: str) -> str:
    return f"Too many {what}. Maximum number of {what} is {MOST_PARTS}."


def _too_large(what: str) -> str:
    return f"{what} exceeded maximum size of {MOST_TEXT // 1024}KB."
