"""Calling a target: one method for each operation, answers as they come; and forms to send."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Final, Self

import requests

from vimmerse_contracts.checks import Batch, check_batch_answer
from vimmerse_contracts.network import is_loopback_url, retry_after
from vimmerse_contracts.operations import CONCAT, CREATE, HEALTH, READ, UPDATE, Operation
from vimmerse_contracts.runs.evidence.recorder import record
from vimmerse_contracts.runs.exchanges import Answer
from vimmerse_contracts.runs.prices import Form
from vimmerse_contracts.runs.spending import Budget, Hold
from vimmerse_contracts.suite.target import Target
from vimmerse_contracts.vocabulary import API_KEY_HEADER, POLL_SECONDS, BatchStatus

File = tuple[str, tuple[str | None, bytes | str, str]]
"""A part of a multipart form: field, and (file name, content, content type)."""

IMAGE_URL: Final = "https://media.vimmerse.net/image/url/1.jpg"
"""An image of the reference's sample (S)."""

TINY: Final[Form] = MappingProxyType({"image_urls": [IMAGE_URL], "duration": 1})
"""The cheapest batch there is: one image, one second."""

LONG: Final[Form] = MappingProxyType({"image_urls": [IMAGE_URL], "duration": 10, "quantity": 2})
"""A batch that is not done by the time of the next request, on a mock that runs fast."""

_TIMEOUT_SECONDS: Final = 60
_MOST_SECONDS: Final = 600.0


class Api:
    """The operations of a target, called with one key, or with none.

    With a key that pays, `budget` is asked before anything is sent that may cost; `has_credit` says
    that the customer should be able to pay.
    """

    def __init__(
        self,
        target: Target,
        key: str | None,
        budget: Budget | None = None,
        *,
        has_credit: bool = True,
    ) -> None:
        self.target = target
        self._budget = budget
        self._has_credit = has_credit
        self._session = session_for(target.base_url)
        if key is not None:
            self._session.headers[API_KEY_HEADER] = key

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._session.close()

    def send(
        self,
        operation: Operation,
        batch_id: str = "",
        form: Form | None = None,
        files: Sequence[File] = (),
        method: str = "",
    ) -> requests.Response:
        """Send any request of the table; `method` sends another than the documented one.

        Raises:
            NotAffordableError: it might cost more than may be spent, and was not sent.
        """
        hold = self._hold(operation, batch_id, form or {}, files)
        send = partial(
            self._session.request,
            method or operation.method,
            self.target.base_url + operation.path.format(batch_id=batch_id),
            data=form,
            files=files or None,
            timeout=_TIMEOUT_SECONDS,
            allow_redirects=False,
        )
        response = sent_until_ready(send, self.target.pause)
        if self._budget is not None:
            answer = Answer(response.status_code, response.headers, _json(response))
            if hold is not None:
                self._budget.settle(hold, answer, solvent=self._has_credit)
            self._budget.observe(answer)
        return response

    def _hold(
        self, operation: Operation, batch_id: str, form: Form, files: Sequence[File]
    ) -> Hold | None:
        if self._budget is None:
            return None
        if operation is CREATE:
            fields = {**form, **{n: str(v) for n, (name, v, _) in files if name is None}}
            return self._budget.create(fields, sum(1 for n, _ in files if n == "image_files"))
        if operation is UPDATE:
            return self._budget.update(batch_id, form)
        return self._budget.concat(batch_id) if operation is CONCAT else None

    def create(self, form: Form, files: Sequence[File] = ()) -> requests.Response:
        """`POST /batch`."""
        return self.send(CREATE, form=form, files=files)

    def read(self, batch_id: str) -> requests.Response:
        """`GET /batch/{batch_id}`."""
        return self.send(READ, batch_id)

    def update(self, batch_id: str, form: Form) -> requests.Response:
        """`PUT /batch/{batch_id}/edit`."""
        return self.send(UPDATE, batch_id, form)

    def concat(self, batch_id: str) -> requests.Response:
        """`POST /batch/{batch_id}/concat`."""
        return self.send(CONCAT, batch_id)

    def health(self) -> requests.Response:
        """`GET /health`."""
        return self.send(HEALTH)

    def created(self, form: Form, files: Sequence[File] = ()) -> Batch:
        """Create a batch that must be accepted."""
        return check_batch_answer(self.create(form, files))

    def seen(self, batch_id: str) -> Batch:
        """Read a batch that must be there."""
        return check_batch_answer(self.read(batch_id))

    def updated(self, batch_id: str, form: Form) -> Batch:
        """Update a batch by what must be accepted."""
        return check_batch_answer(self.update(batch_id, form))

    def concatenated(self, batch_id: str) -> Batch:
        """Ask for a concat that must be accepted."""
        return check_batch_answer(self.concat(batch_id))

    def watch(self, batch_id: str) -> list[Batch]:
        """Read a batch until it is done, and return every reading."""
        return self.target.observe(lambda: self.seen(batch_id), is_done)

    def course(self, form: Form) -> list[Batch]:
        """Create a batch, read it until it is done, and return what was answered each time."""
        created = self.created(form)
        return [created, *self.watch(created["id"])]


def sent_until_ready(
    send: Callable[[], requests.Response], pause: Callable[[float], None]
) -> requests.Response:
    """Send again where the service asks to come back later, for ten minutes at most.

    429 is a refusal, so anything is sent again; 503 with `Retry-After` is not, so only what reads
    is. Without `Retry-After` the pause is as long as the reference tells its users to wait.
    """
    waited = 0.0
    while True:
        response = send()
        asked = retry_after(response.headers)
        seconds = POLL_SECONDS if asked is None else asked
        reads = response.request.method == "GET" and "Retry-After" in response.headers
        again = response.status_code == 429 or (response.status_code == 503 and reads)
        if not again or waited + seconds > _MOST_SECONDS:
            return response
        pause(seconds)
        waited += seconds


def _json(response: requests.Response) -> object:
    try:
        return response.json()
    except ValueError:
        return None


def is_done(batch: Batch) -> bool:
    """Whether nothing more will happen to a batch by itself."""
    return BatchStatus(batch["status"]).is_final


def session_for(url: str) -> requests.Session:
    """Open a session, seen by the recorder of evidence; on the loopback it ignores proxies."""
    session = requests.Session()
    session.trust_env = not is_loopback_url(url)
    record(session)
    return session


def download(url: str) -> requests.Response:
    """Fetch a file by its link alone."""
    with session_for(url) as session:
        return session.get(url, timeout=_TIMEOUT_SECONDS)


def upload(name: str, content: bytes, kind: str = "image/png") -> File:
    """Make the part of a form that uploads an image."""
    return "image_files", (name, content, kind)


def text_part(field: str, text: str) -> File:
    """Make a text field of a multipart form."""
    return field, (None, text, "text/plain")


def png(side: int = 64) -> bytes:
    """Draw a grey square as a PNG file."""
    rows = (b"\x00" + b"\x80" * side) * side
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n"
    for chunk in (b"IHDR" + head, b"IDAT" + zlib.compress(rows), b"IEND"):
        png += struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return png


def params(batch: Batch) -> dict[str, str]:
    """Return the `Params` of a batch, which are `Name=value` joined by `|` (S)."""
    pairs = (part.partition("=") for part in batch["pose_preset"][0]["Params"].split("|"))
    return {name: value for name, _, value in pairs}
