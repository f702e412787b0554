"""Everything the client raises on purpose.

VimmerseError
  ConfigurationError (a ValueError too)  wrong arguments, found before anything is sent
  TransportError                         no answer: no connection, a timeout, a broken connection
  ApiError                               the API refused; carries its words
    BadRequest            400
    Unauthorized          401
    InsufficientCredit    402
    Forbidden             403
    NotFound              404
    MethodNotAllowed      405
    PayloadTooLarge       413
    ValidationFailed      422            `.problems` lists every wrong field
    RateLimited           429            `.retry_after` in seconds
    ServerError           5xx
  UnexpectedResponse                     an answer that is not what the contract says
  WaitTimeout                            the deadline of `wait` passed; carries the last batch
  BatchFailed                            `Batch.raise_for_status` on a batch that did not end well
  VideoNotReady                          a download of a batch that has no `video_url`
  InvalidWebhook                         `parse_webhook`: what came is no webhook of the contract
  UnconfirmedWebhook                     `confirm_webhook`: the API does not say what it says
    UnknownBatch                         no batch of this API key
    ForeignWebhook                       the batch belongs to another customer
    BatchNotDone                         the batch still processes
    StaleStatus                          the batch ended with another status
  InvalidSignature                       `verify_webhook`: not proved to be from the sender
    SignatureMissing                     a header is missing or malformed
    SignatureExpired                     too old, or from the future
    SignatureMismatch                    no secret made any of the signatures

An `ApiError` itself stands for every other 4xx. Each has `batch_id`, where the batch is known. No
message ever contains the API key.
"""
# ruff: noqa: N818 - the classes are called what HTTP calls the statuses, as callers expect

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from marshmallow import ValidationError

from vimmerse_contracts.schemas import ValidationErrorSchema

if TYPE_CHECKING:
    from vimmerse_client.models import Batch
    from vimmerse_client.webhooks import WebhookEvent

EXCERPT_CHARACTERS: Final = 300
"""How much of a foreign text an error message quotes at most."""


class VimmerseError(Exception):
    """The base class of every error of the client.

    `batch_id` is the batch that it is about, where one is known: it may have been paid for.
    """

    batch_id: str | None = None

    def _named(self) -> str:
        return "" if self.batch_id is None else f" (batch {excerpt(self.batch_id)})"


class ConfigurationError(VimmerseError, ValueError):
    """A setting or an argument can't be used. Nothing was sent."""


class TransportError(VimmerseError):
    """No answer came: the connection failed, broke or timed out.

    `may_have_arrived` is False if nothing of the request was sent: no connection, no trusted
    certificate, a proxy that refuses. If it is True, a creation or an update may have been carried
    out and paid for.
    """

    retry_after: ClassVar[None] = None

    def __init__(self, operation: str, reason: str, may_have_arrived: bool = True) -> None:  # noqa: FBT001, FBT002 - positional arguments are what makes an exception picklable
        super().__init__(operation, reason, may_have_arrived)
        self.operation = operation
        self.reason = reason
        self.may_have_arrived = may_have_arrived

    def __str__(self) -> str:
        return f"{self.operation}: {self.reason}{self._named()}"


class ApiError(VimmerseError):
    """The API answered with an error.

    `message` is that of the server, such as `NOT_FOUND`, or the beginning of an answer without
    one. `body` is the parsed JSON, or the beginning of a text that is not JSON.
    `operation` is the contract's name for the call. `why` is what a mock says of the reason; the
    real service says nothing. `retry_after` is what the server asked for, in
    seconds, or None.
    """

    advice: ClassVar[str] = "the API refused the request as it is"

    def __init__(
        self,
        status: int,
        message: str,
        body: Any,  # noqa: ANN401 - whatever JSON can hold
        operation: str,
        retry_after: float | None = None,
        why: str = "",
    ) -> None:
        super().__init__(status, message, body, operation, retry_after, why)
        self.status = status
        self.message = message
        self.body = body
        self.operation = operation
        self.retry_after = retry_after
        self.why = why

    def __str__(self) -> str:
        said = " ".join(filter(None, [str(self.status), excerpt(self.message)]))
        advice = excerpt(self.why) or self.advice
        return f"{self.operation} was answered with {said}: {advice}{self._named()}"


class BadRequest(ApiError):
    """400 (S): no images, an id that is no UUID, or a batch that is not ready for concat."""

    advice = (
        "creating needs images, an id must be a UUID, and concat needs a batch that is finished"
    )


class Unauthorized(ApiError):
    """401 (P26): the key is missing or unknown."""

    advice = "the service does not know the API key; check VIMMERSE_API_KEY and the base URL"


class InsufficientCredit(ApiError):
    """402 (S): the balance is too low."""

    advice = "the balance is too low; add credits, then send the request again"


class Forbidden(ApiError):
    """403 (P26): the key has no permission for the resource."""

    advice = "the API key has no permission for this; use a key that has"


class NotFound(ApiError):
    """404 (P26): there is no such batch, or it is somebody else's."""

    advice = "this API key has no such object; check the id, and whose key it is"


class MethodNotAllowed(ApiError):
    """405 (A): the path does not take this method."""

    advice = "the address does not take this method; check the base URL"


class PayloadTooLarge(ApiError):
    """413 (A): the upload is over the limit."""

    advice = "the upload is too large; send fewer or smaller images, or image URLs"


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One wrong field: where it is, such as `("body", "duration")`, and what is wrong with it."""

    loc: tuple[str | int, ...]
    msg: str
    type: str

    def __str__(self) -> str:
        place = ".".join(str(part) for part in self.loc)
        return f"{excerpt(place)}: {excerpt(self.msg)}"


class ValidationFailed(ApiError):
    """422 (S): fields are wrong; `problems` lists every one of them."""

    advice = "correct the request and send it again"

    @property
    def problems(self) -> tuple[FieldProblem, ...]:
        """Every wrong field, in the server's order; empty where it named none."""
        try:
            detail = ValidationErrorSchema().load(self.body)["detail"]
        except ValidationError:
            return ()
        return tuple(FieldProblem(tuple(p["loc"]), p["msg"], p["type"]) for p in detail)

    def __str__(self) -> str:
        if not self.problems:
            return super().__str__()
        listed = "; ".join(str(problem) for problem in self.problems)
        return f"{self.operation} was answered with 422, {listed} ({self.advice}){self._named()}"


class RateLimited(ApiError):
    """429 (P26): too many requests, or too many at once; `retry_after` says when to come back."""

    advice = "too many requests; wait before the next one"

    def __str__(self) -> str:
        asked = "" if self.retry_after is None else f" (at least {self.retry_after:g} s)"
        return f"{super().__str__()}{asked}"


class ServerError(ApiError):
    """5xx: the service failed."""

    advice = (
        "the service failed; only reads are retried, so check whether the request was carried out "
        "before you send it again"
    )


class UnexpectedResponse(VimmerseError):
    """An answer that is not as in the contract: not JSON, of another shape, a redirect.

    `expected` and `got` describe the difference; `got` is limited in length.
    """

    def __init__(self, operation: str, status: int, expected: str, got: str) -> None:
        super().__init__(operation, status, expected, got)
        self.operation = operation
        self.status = status
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        return (
            f"{self.operation} was answered with {self.status}, but not as expected: expected "
            f"{self.expected}, got {self.got}; check the base URL{self._named()}"
        )


class WaitTimeout(VimmerseError):
    """A batch was not done within `seconds`; `batch` is the last one read, or None."""

    def __init__(self, batch_id: str, seconds: float, batch: Batch | None) -> None:
        super().__init__(batch_id, seconds, batch)
        self.batch_id: str = batch_id
        self.seconds = seconds
        self.batch = batch

    def __str__(self) -> str:
        seen = "no reading of it succeeded"
        if self.batch is not None:
            seen = f"it is '{excerpt(self.batch.status)}' at {self.batch.progress_percentage} %"
        return (
            f"batch {excerpt(self.batch_id)} was not done within {self.seconds:g} s ({seen}); wait "
            "again, or longer: nothing is lost"
        )


class BatchFailed(VimmerseError):
    """A batch ended, but not well; `batch` says more in its `message` and `failed_medias`."""

    def __init__(self, batch: Batch) -> None:
        super().__init__(batch)
        self.batch = batch
        self.batch_id = batch.id

    def __str__(self) -> str:
        said = excerpt(self.batch.message) or "the service gave no reason"
        failed, total = len(self.batch.failed_medias), len(self.batch.medias)
        ended = (
            "failed" if self.batch.status == "fail" else f"ended in '{excerpt(self.batch.status)}'"
        )
        return f"batch {excerpt(self.batch.id)} {ended} ({failed} of {total} medias): {said}"


class VideoNotReady(VimmerseError):
    """A batch has no `video_url`, or an empty one: there is no composed video (yet)."""

    def __init__(self, batch: Batch) -> None:
        super().__init__(batch)
        self.batch = batch
        self.batch_id = batch.id

    def __str__(self) -> str:
        return (
            f"batch {excerpt(self.batch.id)} has no video_url (its status is "
            f"'{excerpt(self.batch.status)}'): wait until it is finished, call concat, and wait "
            "again"
        )


class InvalidWebhook(VimmerseError):
    """The body is not that of a webhook; `problem` says why."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return (
            f"this is no webhook of the service: {self.problem}; expected a JSON object with the "
            "texts customer_id, batch_id, and status 'success' or 'fail'"
        )


class UnconfirmedWebhook(VimmerseError):
    """The API does not confirm a webhook: forged, too early, or out of date.

    `event` is the webhook; `batch` is the batch as the API shows it, or None.
    """

    advice: ClassVar[str] = "ignore it"

    def __init__(self, event: WebhookEvent, batch: Batch | None = None) -> None:
        super().__init__(event, batch)
        self.event = event
        self.batch = batch
        self.batch_id = event.batch_id

    def __str__(self) -> str:
        said = (
            "unknown to this API key" if self.batch is None else f"'{excerpt(self.batch.status)}'"
        )
        return (
            f"a webhook says that batch {excerpt(self.event.batch_id)} is '{self.event.status}', "
            f"the API says that it is {said}: {self.advice}"
        )


class UnknownBatch(UnconfirmedWebhook):
    """The API key has no such batch: a forgery, or a webhook for somebody else."""

    advice = "it is forged or not for you; check VIMMERSE_API_KEY if it should be"


class ForeignWebhook(UnconfirmedWebhook):
    """The batch exists, but belongs to another customer than the webhook says."""

    advice = "but of another customer, so it is forged or mixed up; ignore it"


class BatchNotDone(UnconfirmedWebhook):
    """The batch is still processing: the webhook is early, or of a replaced submission."""

    advice = "answer with an error such as 503, so that it is sent again later"


class StaleStatus(UnconfirmedWebhook):
    """The batch ended with another status: the webhook is wrong, or of an earlier submission."""

    advice = "the batch's own state counts; its own webhook comes, or has come"


class InvalidSignature(VimmerseError):
    """The signature does not prove who sent a webhook; `reason` says why, without any secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the webhook's signature does not hold: {self.reason}"


class SignatureMissing(InvalidSignature):
    """One of the three Standard Webhooks headers is missing or malformed."""


class SignatureExpired(InvalidSignature):
    """The timestamp is further from now than the tolerance: a replay, or a clock that is wrong."""


class SignatureMismatch(InvalidSignature):
    """None of the signatures was made with any of the secrets over exactly this body."""


_BY_STATUS: Final[Mapping[int, type[ApiError]]] = {
    400: BadRequest,
    401: Unauthorized,
    402: InsufficientCredit,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    413: PayloadTooLarge,
    422: ValidationFailed,
    429: RateLimited,
}


def error_class(status: int) -> type[ApiError]:
    """Return the class for an HTTP status from 400 on."""
    fallback = ServerError if status >= 500 else ApiError
    return _BY_STATUS.get(status, fallback)


def excerpt(text: str, most: int = EXCERPT_CHARACTERS) -> str:
    """Shorten a foreign text to one printable line of so many characters at most."""
    shown = "".join(c if c.isprintable() else " " for c in text[: 2 * most])
    line = " ".join(shown.split())
    if len(line) <= most and len(text) <= 2 * most:
        return line
    return f"{line[: most - 1]}…"
