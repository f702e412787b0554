"""What the mock comes to know of one request, kept beside it until it stands in the journal."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.faults import Break, Fault
from vimmerse_mock.service import BatchView

RECORD: Final = "vimmerse.record"
"""Its key in the WSGI environ, which no client can set: what it sends is under `HTTP_...`."""


@dataclass(slots=True)
class RequestRecord:
    """The record of one request.

    `began` is the real instant at which an operation began; `account` is whose request it is;
    `view` the batch that was answered about; `why` says why it was refused, or what of it was
    ignored; `fault` the fault that was met, and `broken` how the
    connection ended if the answer did not arrive whole.

    Who serves the request carries out what happens to the answer: `pauses` are the seconds to wait
    before it, or between its pieces, and `errands` what is to be done first. Both are None under a
    server that knows nothing of them.
    """

    began: Instant | None = None
    account: AccountState | None = None
    view: BatchView | None = None
    why: str = ""
    fault: Fault | None = None
    broken: Break | None = None
    pauses: list[float] | None = None
    errands: list[Callable[[], object]] | None = None


def record_of(environ: MutableMapping[str, Any]) -> RequestRecord:
    """Return the record of a request; it has one from the first use on."""
    record = environ.get(RECORD)
    if not isinstance(record, RequestRecord):
        record = environ[RECORD] = RequestRecord()
    return record
