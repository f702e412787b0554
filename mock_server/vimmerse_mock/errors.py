"""The exceptions of the mock, and how each is answered over HTTP.

    MockError                        500
    ├── RequestError                 a request of the public API is refused
    │   ├── NoImagesError            400 BAD_REQUEST
    │   ├── InvalidBatchIdError      400 BAD_REQUEST
    │   ├── NotConcatenableError     400 BAD_REQUEST
    │   ├── UnauthorizedError        401 UNAUTHORIZED
    │   ├── InsufficientCreditError  402 INSUFFICIENT_CREDIT
    │   ├── ForbiddenError           403 FORBIDDEN
    │   ├── BatchNotFoundError       404 NOT_FOUND
    │   ├── MarkerError              422, with the field that has the marker
    │   └── ThrottledError           429 TOO_MANY_REQUESTS
    ├── InvalidError                 400: a value is wrong; nothing was changed
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
    ├── StoreRefusedError            the store cannot be used; a command exits
    ├── ServeError                   the mock cannot start; a command exits
    └── ControlError                 the control plane failed or was not reached

The control plane answers with `status`, the name of the class and the message. The public API
answers with `answer`, an error of the contract.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from vimmerse_contracts import operations as contract
from vimmerse_contracts.operations import ApiError


class MockError(Exception):
    """The base class: the mock refused something. The message says what was expected."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    answer: ClassVar[ApiError] = contract.SERVER_ERROR
    rule: ClassVar[str] = ""
    """The id of the contract's rule that says so, where it is not the one of `answer`."""


class RequestError(MockError):
    """A request of the public API was refused. Nothing was changed."""

    status = HTTPStatus.BAD_REQUEST
    answer = contract.BAD_REQUEST


class NoImagesError(RequestError):
    """A batch was to be created without an image."""

    rule = "create.no_images"


class InvalidBatchIdError(RequestError):
    """The batch id is not a UUID."""

    rule = "read.bad_id"


class NotConcatenableError(RequestError):
    """The batch is still processing, or has no finished media."""

    rule = "concat.too_early"


class UnauthorizedError(RequestError):
    """The request has no API key, or an unknown one."""

    status = HTTPStatus.UNAUTHORIZED
    answer = contract.UNAUTHORIZED


class InsufficientCreditError(RequestError):
    """The balance is lower than the price; both `price` and `balance` are in credits."""

    status = HTTPStatus.PAYMENT_REQUIRED
    answer = contract.INSUFFICIENT_CREDIT

    def __init__(self, price: int, balance: int) -> None:
        super().__init__(f"it costs {price} credits, and there are {balance}")
        self.price = price
        self.balance = balance


class ForbiddenError(RequestError):
    """The key has no permission for that: it is revoked, or may only read."""

    status = HTTPStatus.FORBIDDEN
    answer = contract.FORBIDDEN


class BatchNotFoundError(RequestError):
    """The account has no batch with that id."""

    status = HTTPStatus.NOT_FOUND
    answer = contract.NOT_FOUND


class MarkerError(RequestError):
    """A magic marker is not valid; `place` is its place in the form."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    answer = contract.VALIDATION

    def __init__(self, place: tuple[str | int, ...], sentence: str) -> None:
        super().__init__(sentence)
        self.place = place


class ThrottledError(RequestError):
    """A rate limit was exceeded: too many requests, or too many batches at once.

    `retry_after` is how long to wait, in microseconds on the account's clock.
    """

    status = HTTPStatus.TOO_MANY_REQUESTS
    answer = contract.RATE_LIMITED

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class InvalidError(MockError, ValueError):
    """A value is wrong. The message says what was expected; nothing was changed."""

    status = HTTPStatus.BAD_REQUEST


class AllowlistError(InvalidError):
    """A host pattern of the allowlist is not valid."""


class ClockError(InvalidError):
    """A clock cannot do that, such as move backwards."""


class FaultError(InvalidError):
    """A fault is not valid."""


class InvalidLimitError(InvalidError):
    """A limit is lower than 1, so it would refuse everything."""


class InvalidRequestError(InvalidError):
    """A request of the control plane is not valid."""


class OpeningError(InvalidError):
    """An account cannot be opened with these values."""


class PlanError(InvalidError):
    """A delivery plan is not valid."""


class RetentionError(InvalidError):
    """A text is neither an age nor a number of batches."""


class ScenarioError(InvalidError):
    """A scenario is not valid."""


class UnknownScenarioError(ScenarioError):
    """No scenario has that name."""


class SnapshotError(InvalidError):
    """A snapshot file cannot be used; the message names the line and the field."""


class SpanError(InvalidError):
    """A text or number is not a span of time."""


class WebhookSettingsError(InvalidError):
    """Settings for retries or signatures of webhooks are not valid."""


class TokenMissingError(MockError):
    """The control plane needs its token."""

    status = HTTPStatus.UNAUTHORIZED


class ForeignOriginError(MockError):
    """Without a token, the request may be of a web page, a webhook, a proxy, another machine."""

    status = HTTPStatus.FORBIDDEN


class UnknownAccountError(MockError, LookupError):
    """No account has that customer id."""

    status = HTTPStatus.NOT_FOUND
    answer = contract.UNAUTHORIZED


class UnknownMessageError(MockError, LookupError):
    """No webhook of the account has that id."""

    status = HTTPStatus.NOT_FOUND


class NoSuchOperationError(MockError, LookupError):
    """The control plane has no such operation."""

    status = HTTPStatus.NOT_FOUND


class WrongMethodError(MockError):
    """The address exists, but not with this method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class DuplicateAccountError(MockError, ValueError):
    """Another account already has that customer id or API key."""

    status = HTTPStatus.CONFLICT


class StoreUnavailableError(MockError):
    """The store cannot be reached at the moment. Nothing was written."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    answer = contract.SERVICE_UNAVAILABLE


class StoreConflictError(StoreUnavailableError):
    """The transaction lost to another one. Nothing was written; try again."""


class StoreFullError(MockError):
    """The store is full. Nothing was written."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    answer = contract.INSUFFICIENT_STORAGE


class StoreRefusedError(MockError):
    """The store cannot be used. The message says why, and what to do."""


class ServeError(MockError):
    """The mock cannot be started with these settings. The message says what to do."""


class ControlError(MockError):
    """The control plane refused a call, or could not be reached. The message says why."""
