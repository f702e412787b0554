"""The errors that the API documents, and those of every HTTP service: status, body, source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from marshmallow import Schema

from vimmerse_contracts.provenance import Rule, Source, assumed, documented
from vimmerse_contracts.schemas import MessageErrorSchema, ValidationErrorSchema


@dataclass(frozen=True, slots=True)
class ApiError:
    """An error answer: its HTTP status, the code in its `message`, and the rule it follows.

    The body is `{"message": code}`; a 422 has no code, its body lists the wrong fields.
    """

    status: int
    code: str
    rule: Rule
    schema: type[Schema] = MessageErrorSchema

    @property
    def body(self) -> dict[str, str]:
        """The JSON body, as the API says it."""
        return {"message": self.code}


BAD_REQUEST: Final = ApiError(
    400,
    "BAD_REQUEST",
    documented(
        "error.400", "Without images, or for an id that is no UUID: 400", Source.OPENAPI_2026
    ),
)
UNAUTHORIZED: Final = ApiError(
    401,
    "UNAUTHORIZED",
    assumed(
        "error.401",
        "A missing or unknown key: 401 {'message': 'UNAUTHORIZED'}",
        because="P26 documents the status; no source shows the body",
    ),
)
INSUFFICIENT_CREDIT: Final = ApiError(
    402,
    "INSUFFICIENT_CREDIT",
    documented("error.402", "A balance that does not suffice: 402", Source.OPENAPI_2026),
)
NOT_FOUND: Final = ApiError(
    404,
    "NOT_FOUND",
    documented(
        "error.404", "An unknown batch, or somebody else's: 404, never 403", Source.OPENAPI_2026
    ),
)
METHOD_NOT_ALLOWED: Final = ApiError(
    405,
    "METHOD_NOT_ALLOWED",
    assumed(
        "error.405",
        "A method that the path does not take: 405 with Allow",
        because="HTTP asks for it; the body follows the manner of the documented errors",
    ),
)
PAYLOAD_TOO_LARGE: Final = ApiError(
    413,
    "PAYLOAD_TOO_LARGE",
    assumed(
        "error.413",
        "An upload over the limit: 413",
        because="no limit is public; without one a mistake could fill a disk",
    ),
)
VALIDATION: Final = ApiError(
    422,
    "",
    documented("error.422", "Wrong fields: 422 that lists every one of them", Source.OPENAPI_2026),
    ValidationErrorSchema,
)
RATE_LIMITED: Final = ApiError(
    429,
    "TOO_MANY_REQUESTS",
    assumed(
        "error.429",
        "Too many requests, or batches at once: 429 {'message': 'TOO_MANY_REQUESTS'}, Retry-After",
        because="P26 documents the status; no source shows the body or the header",
    ),
)
SERVER_ERROR: Final = ApiError(
    500,
    "INTERNAL_SERVER_ERROR",
    assumed(
        "error.500",
        "A mistake of the service itself: 500, without a stack trace",
        because="every HTTP service has it; the body follows the documented errors",
    ),
)
SERVICE_UNAVAILABLE: Final = ApiError(
    503,
    "SERVICE_UNAVAILABLE",
    assumed(
        "error.503",
        "A service that is out of reach for the moment: 503 with Retry-After",
        because="HTTP asks for it; the mock says so while its store is away",
    ),
)
INSUFFICIENT_STORAGE: Final = ApiError(
    507,
    "INSUFFICIENT_STORAGE",
    assumed(
        "error.507",
        "A service without room: 507, and nothing half-written",
        because="only the mock says so, when its store is full",
    ),
)
ERRORS: Final = (
    BAD_REQUEST,
    UNAUTHORIZED,
    INSUFFICIENT_CREDIT,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    PAYLOAD_TOO_LARGE,
    VALIDATION,
    RATE_LIMITED,
    SERVER_ERROR,
    SERVICE_UNAVAILABLE,
    INSUFFICIENT_STORAGE,
)
