"""The reference client of the Vimmerse batch API.

with Client() as client:  # VIMMERSE_API_KEY, VIMMERSE_BASE_URL
    batch = client.wait(client.create(["a.png", "b.png"], title="Two images").id)
    batch.raise_for_status()
    composed = client.wait(client.concat(batch.id).id)
    client.download(composed, "out.mp4")
"""

from vimmerse_client.client import Client
from vimmerse_client.errors import (
    ApiError,
    BadRequest,
    BatchFailed,
    ConfigurationError,
    FieldProblem,
    Forbidden,
    InsufficientCredit,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    ServerError,
    TransportError,
    Unauthorized,
    UnexpectedResponse,
    ValidationFailed,
    VideoNotReady,
    VimmerseError,
    WaitTimeout,
)
from vimmerse_client.images import ImageInput
from vimmerse_client.models import Batch, MediaReference, PosePreset, SubmitParams
from vimmerse_client.transport import RetryPolicy
from vimmerse_contracts.vocabulary import BatchStatus

__all__ = [
    "ApiError",
    "BadRequest",
    "Batch",
    "BatchFailed",
    "BatchStatus",
    "Client",
    "ConfigurationError",
    "FieldProblem",
    "Forbidden",
    "ImageInput",
    "InsufficientCredit",
    "MediaReference",
    "MethodNotAllowed",
    "NotFound",
    "PayloadTooLarge",
    "PosePreset",
    "RateLimited",
    "RetryPolicy",
    "ServerError",
    "SubmitParams",
    "TransportError",
    "Unauthorized",
    "UnexpectedResponse",
    "ValidationFailed",
    "VideoNotReady",
    "VimmerseError",
    "WaitTimeout",
]
