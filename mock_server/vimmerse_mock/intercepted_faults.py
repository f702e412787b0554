"""Faults without a socket: the exception that `requests` raises of each over a real one."""

from __future__ import annotations

from http.client import IncompleteRead
from typing import TYPE_CHECKING, Any, Final

from requests import ConnectionError as NoAnswerError
from requests import ReadTimeout, RequestException
from requests.exceptions import ChunkedEncodingError

from vimmerse_mock.model.faults import FaultKind

if TYPE_CHECKING:
    from requests import PreparedRequest

_RESET: Final = ConnectionResetError(104, "Connection reset by peer")


def failure_of(happened: object, request: PreparedRequest) -> RequestException | None:
    """Tell what `requests` raises of a broken connection, or of so many seconds of waiting.

    Nobody waits: seconds within the request's timeout pass at once.
    """
    if isinstance(happened, float):
        late = happened > _patience(getattr(request, "req_kwargs", {}).get("timeout"))
        return ReadTimeout(f"no answer within {happened} s", request=request) if late else None
    match happened:
        case FaultKind.RESET | FaultKind.LOST:
            return NoAnswerError("Connection aborted.", _RESET, request=request)
        case FaultKind.RESET_MIDWAY:
            return ChunkedEncodingError("Connection broken", _RESET, request=request)
        case FaultKind.TRUNCATE:
            cut = IncompleteRead(b"")
            return ChunkedEncodingError(f"Connection broken: {cut!r}", cut, request=request)
    return None


def _patience(timeout: Any) -> float:  # noqa: ANN401 - requests takes None, a number or a pair
    """Tell how long the request waits for an answer, in seconds."""
    read = timeout[1] if isinstance(timeout, tuple) else timeout
    return float("inf") if read is None else float(read)
