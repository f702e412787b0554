"""The reference client of the Vimmerse batch API, and of its webhooks.

with Client() as client:  # VIMMERSE_API_KEY, VIMMERSE_BASE_URL
    batch = client.wait(client.create(["a.png", "b.png"], title="Two images").id)
    batch.raise_for_status()
    composed = client.wait(client.concat(batch.id).id)
    client.download(composed, "out.mp4")
"""

from vimmerse_client.client import Client
from vimmerse_client.deadline import DeadlineAdapter
from vimmerse_client.errors import (
    ApiError,
    BadRequest,
    BatchFailed,
    BatchNotDone,
    ConfigurationError,
    FieldProblem,
    Forbidden,
    ForeignWebhook,
    InsufficientCredit,
    InvalidSignature,
    InvalidWebhook,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    ServerError,
    SignatureExpired,
    SignatureMismatch,
    SignatureMissing,
    StaleStatus,
    TransportError,
    Unauthorized,
    UnconfirmedWebhook,
    UnexpectedResponse,
    UnknownBatch,
    ValidationFailed,
    VideoNotReady,
    VimmerseError,
    WaitTimeout,
)
from vimmerse_client.images import ImageInput
from vimmerse_client.models import Batch, MediaReference, PosePreset, SubmitParams
from vimmerse_client.reading import UnknownStatus
from vimmerse_client.transport import RetryPolicy
from vimmerse_client.webhooks import (
    BatchReader,
    MemorySeen,
    Receipt,
    Receiver,
    SeenStore,
    WebhookEvent,
    confirm_webhook,
    parse_webhook,
    submission_key,
    verify_webhook,
)
from vimmerse_contracts.vocabulary import BatchStatus

__all__ = [
    "ApiError",
    "BadRequest",
    "Batch",
    "BatchFailed",
    "BatchNotDone",
    "BatchReader",
    "BatchStatus",
    "Client",
    "ConfigurationError",
    "DeadlineAdapter",
    "FieldProblem",
    "Forbidden",
    "ForeignWebhook",
    "ImageInput",
    "InsufficientCredit",
    "InvalidSignature",
    "InvalidWebhook",
    "MediaReference",
    "MemorySeen",
    "MethodNotAllowed",
    "NotFound",
    "PayloadTooLarge",
    "PosePreset",
    "RateLimited",
    "Receipt",
    "Receiver",
    "RetryPolicy",
    "SeenStore",
    "ServerError",
    "SignatureExpired",
    "SignatureMismatch",
    "SignatureMissing",
    "StaleStatus",
    "SubmitParams",
    "TransportError",
    "Unauthorized",
    "UnconfirmedWebhook",
    "UnexpectedResponse",
    "UnknownBatch",
    "UnknownStatus",
    "ValidationFailed",
    "VideoNotReady",
    "VimmerseError",
    "WaitTimeout",
    "WebhookEvent",
    "confirm_webhook",
    "parse_webhook",
    "submission_key",
    "verify_webhook",
]
