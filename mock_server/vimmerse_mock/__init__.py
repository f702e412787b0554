"""A mock server for the Vimmerse batch API: time travel, faults, webhooks, test isolation.

    from vimmerse_mock import MockServer

    with MockServer() as server:
        print(server.url, server.account.key)

Import everything from here; the modules below may move. A name is imported when it is first used,
so importing this package costs almost nothing.
"""

from __future__ import annotations

from vimmerse_contracts.lazy import lazy_names

TYPE_CHECKING = False  # as in `typing`, whose import would cost more than all the rest here
if TYPE_CHECKING:
    from vimmerse_mock.account.account import Account, RemoteMock
    from vimmerse_mock.app import Mock, create_mock
    from vimmerse_mock.delivery.allowlist import Allowlist
    from vimmerse_mock.errors import (
        AllowlistError,
        BatchNotFoundError,
        ClockError,
        ControlError,
        DuplicateAccountError,
        FaultError,
        ForbiddenError,
        ForeignOriginError,
        InsufficientCreditError,
        InvalidBatchIdError,
        InvalidError,
        InvalidLimitError,
        InvalidRequestError,
        MarkerError,
        MockError,
        NoImagesError,
        NoSuchOperationError,
        NotConcatenableError,
        OpeningError,
        PlanError,
        RequestError,
        RetentionError,
        ScenarioError,
        ServeError,
        SnapshotError,
        SpanError,
        StoreConflictError,
        StoreFullError,
        StoreRefusedError,
        StoreUnavailableError,
        ThrottledError,
        TokenMissingError,
        UnauthorizedError,
        UnknownAccountError,
        UnknownMessageError,
        UnknownScenarioError,
        WebhookSettingsError,
        WrongMethodError,
    )
    from vimmerse_mock.interception import intercept
    from vimmerse_mock.model.account import Opening
    from vimmerse_mock.model.credits import PriceList
    from vimmerse_mock.model.scenarios import Scenario
    from vimmerse_mock.receiving.answers import Answer
    from vimmerse_mock.receiving.inbox import Inbox, Listener
    from vimmerse_mock.server import MockServer

__all__ = [
    "Account",
    "Allowlist",
    "AllowlistError",
    "Answer",
    "BatchNotFoundError",
    "ClockError",
    "ControlError",
    "DuplicateAccountError",
    "FaultError",
    "ForbiddenError",
    "ForeignOriginError",
    "Inbox",
    "InsufficientCreditError",
    "InvalidBatchIdError",
    "InvalidError",
    "InvalidLimitError",
    "InvalidRequestError",
    "Listener",
    "MarkerError",
    "Mock",
    "MockError",
    "MockServer",
    "NoImagesError",
    "NoSuchOperationError",
    "NotConcatenableError",
    "Opening",
    "OpeningError",
    "PlanError",
    "PriceList",
    "RemoteMock",
    "RequestError",
    "RetentionError",
    "Scenario",
    "ScenarioError",
    "ServeError",
    "SnapshotError",
    "SpanError",
    "StoreConflictError",
    "StoreFullError",
    "StoreRefusedError",
    "StoreUnavailableError",
    "ThrottledError",
    "TokenMissingError",
    "UnauthorizedError",
    "UnknownAccountError",
    "UnknownMessageError",
    "UnknownScenarioError",
    "WebhookSettingsError",
    "WrongMethodError",
    "create_mock",
    "intercept",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    __all__,
    (
        *("errors", "model.scenarios", "model.credits", "model.account", "account.account"),
        *(
            "receiving.answers",
            "receiving.inbox",
            "delivery.allowlist",
            "app",
            "server",
            "interception",
        ),
    ),
)
