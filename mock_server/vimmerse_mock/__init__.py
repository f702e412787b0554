"""A mock server for the Vimmerse batch API: time travel, faults, webhooks, test isolation.

    from vimmerse_mock import MockServer

    with MockServer() as server:
        print(server.url, server.account.key)

Import everything from here; the modules below may move. A name is imported when it is first used,
so importing this package costs almost nothing.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as in `typing`, whose import would cost more than all the rest here
if TYPE_CHECKING:
    from vimmerse_mock.account.account import Account, RemoteMock
    from vimmerse_mock.app import Mock, create_mock
    from vimmerse_mock.errors import (
        AllowlistError,
        BatchNotFoundError,
        ClockError,
        ControlError,
        DuplicateAccountError,
        FaultError,
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
    from vimmerse_mock.model.scenarios import Scenario
    from vimmerse_mock.receiving.answers import Answer
    from vimmerse_mock.receiving.inbox import Inbox, Listener
    from vimmerse_mock.server import MockServer

_HOMES = {
    "Account": "account.account",
    "Answer": "receiving.answers",
    "Inbox": "receiving.inbox",
    "Listener": "receiving.inbox",
    "Mock": "app",
    "MockServer": "server",
    "Opening": "model.account",
    "RemoteMock": "account.account",
    "Scenario": "model.scenarios",
    "create_mock": "app",
    "intercept": "interception",
}
"""Where a name is defined; every other is an error."""

__all__ = [
    "Account",
    "AllowlistError",
    "Answer",
    "BatchNotFoundError",
    "ClockError",
    "ControlError",
    "DuplicateAccountError",
    "FaultError",
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


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'vimmerse_mock' has no attribute {name!r}")
    value: object = getattr(import_module(f"vimmerse_mock.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
