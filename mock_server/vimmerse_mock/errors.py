"""Everything that the mock refuses, on one page.

    MockError                        500
    ├── RequestError                 a request of the public API is refused
    │   ├── NoImagesError            400 BAD_REQUEST
    │   ├── InvalidBatchIdError      400 BAD_REQUEST
    │   ├── NotConcatenableError     400 BAD_REQUEST
    │   ├── UnauthorizedError        401 UNAUTHORIZED
    │   ├── InsufficientCreditError  402 INSUFFICIENT_CREDIT
    │   ├── BatchNotFoundError       404 NOT_FOUND
    │   ├── MarkerError              422, the field that the marker stands in
    │   └── ThrottledError           429 TOO_MANY_REQUESTS
    ├── InvalidError                 400: something makes no sense; nothing was changed
    │   ├── AllowlistError, ClockError, FaultError, InvalidLimitError,
    │   ├── InvalidRequestError, OpeningError, PlanError, RetentionError,
    │   ├── ScenarioError
    │   │   └── UnknownScenarioError
    │   └── SnapshotError, SpanError, WebhookSettingsError
    ├── TokenMissingError            401
    ├── ForeignOriginError           403
    ├── UnknownAccountError          404, and 401 UNAUTHORIZED on the public API
    ├── UnknownMessageError          404
    ├── NoSuchOperationError         404
    ├── WrongMethodError             405
    ├── DuplicateAccountError        409
    ├── StoreUnavailableError        503 SERVICE_UNAVAILABLE
    │   └── StoreConflictError
    ├── StoreFullError               507 INSUFFICIENT_STORAGE
    ├── StoreRefusedError            the store cannot be used: a command ends
    ├── ServeError                   the mock cannot be served so: a command ends
    └── ControlError                 a call of the control plane failed

`status` is what the control plane answers with, beside the class's name and the sentence;
`answer` is what the public API says, in its own words.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from vimmerse_contracts import operations as contract
from vimmerse_contracts.operations import ApiError


class MockError(Exception):
    """Something that the mock refuses; the sentence says what was wrong, and what is expected."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    answer: ClassVar[ApiError] = contract.SERVER_ERROR


class RequestError(MockError):
    """A request of the public API is refused, and changes nothing."""

    status = HTTPStatus.BAD_REQUEST
    answer = contract.BAD_REQUEST


class NoImagesError(RequestError):
    """A batch needs at least one image."""


class InvalidBatchIdError(RequestError):
    """A batch id is a UUID; this is none."""


class NotConcatenableError(RequestError):
    """The batch still processes, or has no finished media."""


class UnauthorizedError(RequestError):
    """The request carries no key, or one that nobody has."""

    status = HTTPStatus.UNAUTHORIZED
    answer = contract.UNAUTHORIZED


class InsufficientCreditError(RequestError):
    """The balance does not suffice; `price` and `balance` are in credits."""

    status = HTTPStatus.PAYMENT_REQUIRED
    answer = contract.INSUFFICIENT_CREDIT

    def __init__(self, price: int, balance: int) -> None:
        super().__init__(f"it costs {price} credits, and there are {balance}")
        self.price = price
        self.balance = balance


class BatchNotFoundError(RequestError):
    """The account has no such batch."""

    status = HTTPStatus.NOT_FOUND
    answer = contract.NOT_FOUND


class MarkerError(RequestError):
    """A magic marker says nothing that is known; `place` is where it stands in the form."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    answer = contract.VALIDATION

    def __init__(self, place: tuple[str | int, ...], sentence: str) -> None:
        super().__init__(sentence)
        self.place = place


class ThrottledError(RequestError):
    """Too many requests, or too many batches at once.

    `retry_after` is when to come back, in microseconds on the account's clock.
    """

    status = HTTPStatus.TOO_MANY_REQUESTS
    answer = contract.RATE_LIMITED

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class InvalidError(MockError, ValueError):
    """Something makes no sense; the sentence says what was expected, and nothing was changed."""

    status = HTTPStatus.BAD_REQUEST


class AllowlistError(InvalidError):
    """A text is no pattern of hosts."""


class ClockError(InvalidError):
    """A clock was asked to do what no clock does, such as to run backwards."""


class FaultError(InvalidError):
    """A fault makes no sense."""


class InvalidLimitError(InvalidError):
    """A limit would let nothing through."""


class InvalidRequestError(InvalidError):
    """The control plane was asked for something that makes no sense."""


class OpeningError(InvalidError):
    """No account begins so."""


class PlanError(InvalidError):
    """A delivery plan makes no sense."""


class RetentionError(InvalidError):
    """A text says neither an age nor a number."""


class ScenarioError(InvalidError):
    """Something is no scenario."""


class UnknownScenarioError(ScenarioError):
    """No scenario has that name."""


class SnapshotError(InvalidError):
    """A file is no snapshot that can be used; the sentence names line and field."""


class SpanError(InvalidError):
    """Something is no span of time."""


class WebhookSettingsError(InvalidError):
    """Webhooks cannot be delivered so."""


class TokenMissingError(MockError):
    """The control plane asks for its token."""

    status = HTTPStatus.UNAUTHORIZED


class ForeignOriginError(MockError):
    """The request came by way of a web page, or by another name than the loopback's."""

    status = HTTPStatus.FORBIDDEN


class UnknownAccountError(MockError, LookupError):
    """No account has that customer id."""

    status = HTTPStatus.NOT_FOUND
    answer = contract.UNAUTHORIZED


class UnknownMessageError(MockError, LookupError):
    """No message of the account has that id."""

    status = HTTPStatus.NOT_FOUND


class NoSuchOperationError(MockError, LookupError):
    """The control plane has no such operation."""

    status = HTTPStatus.NOT_FOUND


class WrongMethodError(MockError):
    """The address is another method's."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class DuplicateAccountError(MockError, ValueError):
    """An account has that customer id, or that API key, already."""

    status = HTTPStatus.CONFLICT


class StoreUnavailableError(MockError):
    """The store is out of reach for the moment; nothing was written."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    answer = contract.SERVICE_UNAVAILABLE


class StoreConflictError(StoreUnavailableError):
    """Another transaction was in the way; nothing was written, trying again may help."""


class StoreFullError(MockError):
    """The store has no room; nothing was written."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    answer = contract.INSUFFICIENT_STORAGE


class StoreRefusedError(MockError):
    """The store cannot be used at all; the sentence says why, and what to do."""


class ServeError(MockError):
    """The mock cannot be served as it was asked for; the sentence says why and what to do."""


class ControlError(MockError):
    """The control plane refused, or could not be reached; the sentence says why."""
