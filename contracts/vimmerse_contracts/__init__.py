"""The contract of the Vimmerse batch API, as data: operations, rules, schemas, checks, documents.

    from vimmerse_contracts import check_batch_answer

    batch = check_batch_answer(requests.get(url, headers={"X-Api-Key": key}))

Import everything from here; the modules below may move. A name is imported when it is first used,
so importing this package costs almost nothing.
"""

from __future__ import annotations

from vimmerse_contracts.lazy import lazy_names

TYPE_CHECKING = False  # as in `typing`, whose import would cost more than all the rest here
if TYPE_CHECKING:
    from vimmerse_contracts.checks import (
        ContractViolation,
        check_batch,
        check_batch_answer,
        check_error,
        check_progress,
        check_unchanged,
        check_validation,
        check_video,
        check_webhook,
    )
    from vimmerse_contracts.markers import Marker, find_markers
    from vimmerse_contracts.network import is_loopback_url, is_production_url
    from vimmerse_contracts.openapi import json_schemas, openapi_document
    from vimmerse_contracts.operations import ERRORS, OPERATIONS, ApiError, Operation, all_rules
    from vimmerse_contracts.provenance import Rule, Source
    from vimmerse_contracts.schemas import (
        BatchAnswerSchema,
        BatchSchema,
        CreateBatchSchema,
        MessageErrorSchema,
        UpdateBatchSchema,
        ValidationErrorSchema,
        WebhookSchema,
    )
    from vimmerse_contracts.secrecy import without_credentials
    from vimmerse_contracts.suite.target import Capability, ReceivedWebhook, Target
    from vimmerse_contracts.unfrozen import monotonic
    from vimmerse_contracts.vocabulary import (
        API_KEY_HEADER,
        CONTROL_ROOT,
        POLL_SECONDS,
        PRODUCTION_URL,
        SAMPLE_API_KEY,
        SAMPLE_CUSTOMER_ID,
        BatchStatus,
    )

__all__ = [
    "API_KEY_HEADER",
    "CONTROL_ROOT",
    "ERRORS",
    "OPERATIONS",
    "POLL_SECONDS",
    "PRODUCTION_URL",
    "SAMPLE_API_KEY",
    "SAMPLE_CUSTOMER_ID",
    "ApiError",
    "BatchAnswerSchema",
    "BatchSchema",
    "BatchStatus",
    "Capability",
    "ContractViolation",
    "CreateBatchSchema",
    "Marker",
    "MessageErrorSchema",
    "Operation",
    "ReceivedWebhook",
    "Rule",
    "Source",
    "Target",
    "UpdateBatchSchema",
    "ValidationErrorSchema",
    "WebhookSchema",
    "all_rules",
    "check_batch",
    "check_batch_answer",
    "check_error",
    "check_progress",
    "check_unchanged",
    "check_validation",
    "check_video",
    "check_webhook",
    "find_markers",
    "is_loopback_url",
    "is_production_url",
    "json_schemas",
    "monotonic",
    "openapi_document",
    "without_credentials",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    __all__,
    (
        *("vocabulary", "network", "secrecy", "unfrozen", "provenance", "markers", "schemas"),
        *("operations", "suite.target", "checks", "openapi"),
    ),
)
