"""The table of operations: method, path, schemas, errors, and every rule with its source.

Flask routes, the OpenAPI document and the suite are made from this table; nothing else says which
operations there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from marshmallow import Schema

from vimmerse_contracts.provenance import Rule, Source, assumed, documented, observed
from vimmerse_contracts.schemas import (
    BatchAnswerSchema,
    CreateBatchSchema,
    HealthSchema,
    MessageErrorSchema,
    UpdateBatchSchema,
    ValidationErrorSchema,
)


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


_P25: Final = Source.PAGE_2025
_P26: Final = Source.OPENAPI_2026


def _documented_error(status: int, code: str, text: str) -> ApiError:
    return ApiError(status, code, documented(f"error.{status}", text, _P26))


def _assumed_error(status: int, code: str, text: str, because: str) -> ApiError:
    return ApiError(status, code, assumed(f"error.{status}", text, because=because))


BAD_REQUEST: Final = _documented_error(
    400, "BAD_REQUEST", "Without images, or for an id that is no UUID: 400"
)
UNAUTHORIZED: Final = _assumed_error(
    401,
    "UNAUTHORIZED",
    "A missing or unknown key: 401 {'message': 'UNAUTHORIZED'}",
    "P26 documents the status; no source shows the body",
)
INSUFFICIENT_CREDIT: Final = _documented_error(
    402, "INSUFFICIENT_CREDIT", "A balance that does not suffice: 402"
)
FORBIDDEN: Final = _assumed_error(
    403,
    "FORBIDDEN",
    "A key without permission for what it asks: 403 {'message': 'FORBIDDEN'}",
    "P26 and the guides of 2026 document the status; no source shows the body",
)
NOT_FOUND: Final = _documented_error(
    404, "NOT_FOUND", "An unknown batch, or somebody else's: 404, never 403"
)
METHOD_NOT_ALLOWED: Final = _assumed_error(
    405,
    "METHOD_NOT_ALLOWED",
    "A method that the path does not take, HEAD too: 405 with Allow",
    "HTTP requires it, and FastAPI adds no HEAD; the body is like those of the documented errors",
)
PAYLOAD_TOO_LARGE: Final = _assumed_error(
    413,
    "PAYLOAD_TOO_LARGE",
    "An upload over the limit: 413",
    "no limit is public; without one a mistake could fill a disk",
)
VALIDATION: Final = ApiError(
    422,
    "",
    documented("error.422", "Wrong fields: 422 that lists every one of them", _P26),
    ValidationErrorSchema,
)
RATE_LIMITED: Final = _assumed_error(
    429,
    "TOO_MANY_REQUESTS",
    "Too many requests, or batches at once: 429 {'message': 'TOO_MANY_REQUESTS'}, Retry-After",
    "P26 documents the status; no source shows the body or the header",
)
SERVER_ERROR: Final = _assumed_error(
    500,
    "INTERNAL_SERVER_ERROR",
    "An error of the service itself: 500, without a stack trace",
    "every HTTP service has it; the body follows the documented errors",
)
SERVICE_UNAVAILABLE: Final = _assumed_error(
    503,
    "SERVICE_UNAVAILABLE",
    "A service that is temporarily unavailable: 503 with Retry-After",
    "HTTP asks for it; the mock answers so while its store is unavailable",
)
INSUFFICIENT_STORAGE: Final = _assumed_error(
    507,
    "INSUFFICIENT_STORAGE",
    "A service whose storage is full: 507, and nothing is half-written",
    "only the mock answers so, when its store is full",
)
ERRORS: Final = (
    BAD_REQUEST,
    UNAUTHORIZED,
    INSUFFICIENT_CREDIT,
    FORBIDDEN,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    PAYLOAD_TOO_LARGE,
    VALIDATION,
    RATE_LIMITED,
    SERVER_ERROR,
    SERVICE_UNAVAILABLE,
    INSUFFICIENT_STORAGE,
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the public API.

    `path` has its parameters in braces, as OpenAPI writes them. `request` is the schema of the
    form, None for an empty body.
    """

    id: str
    method: str
    path: str
    summary: str
    answer: type[Schema]
    errors: tuple[ApiError, ...]
    rules: tuple[Rule, ...]
    request: type[Schema] | None = None
    needs_key: bool = True


_DOCUMENTED: Final = (BAD_REQUEST, INSUFFICIENT_CREDIT, VALIDATION)
"""What the reference names for every operation on batches (S)."""

_TRANSPORT: Final = (UNAUTHORIZED, FORBIDDEN, METHOD_NOT_ALLOWED, RATE_LIMITED)

CREATE: Final = Operation(
    id="create_batch",
    method="POST",
    path="/batch",
    summary="Create a batch from images and start processing it",
    request=CreateBatchSchema,
    answer=BatchAnswerSchema,
    errors=(*_DOCUMENTED, PAYLOAD_TOO_LARGE, *_TRANSPORT),
    rules=(
        documented("create.object", "The answer is 200 with the new Batch in 'processing'"),
        documented("create.files", "Each uploaded image becomes one media"),
        documented("create.urls", "Each image URL becomes one media"),
        documented("create.files_win", "URLs are ignored where files are uploaded", _P25),
        documented("create.defaults", "Fields not given take their defaults", _P25),
        documented("create.aspect_ratio", "AspectRatio ends Params if given", _P26),
        documented("create.credit", "A balance that does not suffice is refused with 402"),
        documented("create.no_images", "Neither files nor URLs: 400 BAD_REQUEST", _P26),
        assumed(
            "create.refusal",
            "A refused creation takes no credit and leaves nothing behind",
            because="nobody would expect to pay for an error; no source says so",
        ),
        assumed(
            "create.unknown_fields",
            "Unknown fields are ignored",
            because="the service is FastAPI, which ignores unknown form fields",
        ),
        assumed(
            "create.unlisted_words",
            "A word that is not listed, such as another motion_type, is refused with 422",
            because="the 2025 page lists the words in prose only, and one observation suggests "
            "that an unknown motion_type became Auto; an early, precise refusal helps most",
        ),
        assumed(
            "create.empty_is_absent",
            "An empty text field counts as not given, also in a list of URLs; of a repeated one "
            "the last value counts",
            because="FastAPI reads fields like this, and an empty URL leads to no image",
        ),
        assumed(
            "create.image_content",
            "An upload that is no image, or empty, and a URL that is not http(s): 422",
            because="no source says what happens; an early, precise refusal helps most",
        ),
        assumed(
            "create.charge_at_submission",
            "Credits are taken when the batch is accepted",
            because="the reference says only that processing reduces credit, not when",
        ),
    ),
)
READ: Final = Operation(
    id="get_batch",
    method="GET",
    path="/batch/{batch_id}",
    summary="Retrieve a batch: its status, progress and, once finished, its video",
    answer=BatchAnswerSchema,
    errors=(*_DOCUMENTED, NOT_FOUND, *_TRANSPORT),
    rules=(
        documented("read.object", "The answer is 200 with the Batch"),
        documented("read.status", "'status' says how far the batch is"),
        documented("read.video", "'video_url' is there once a composed video is"),
        documented("read.unknown", "An unknown batch: 404 NOT_FOUND", _P26),
        documented("read.foreign", "Somebody else's batch: 404", _P26),
        documented("read.bad_id", "An id that is no UUID: 400", _P26),
        assumed(
            "read.progress",
            "'progress_percentage' rises within a submission and is 100 on success",
            because="the name says so; no source shows intermediate values",
        ),
        assumed(
            "read.medias",
            "finished_medias and failed_medias fill up one by one, shaped like medias",
            because="the names say so; every public sample shows them empty",
        ),
        assumed(
            "read.partial",
            "A batch with a finished media succeeds; if all fail it is 'fail', with a message",
            because="only the statuses are documented, not how media decide them",
        ),
        assumed(
            "read.queued",
            "A batch that waits in a queue is 'processing' at 0 %",
            because="the reference shows a new batch like this, and says nothing about a queue",
        ),
        assumed(
            "read.refused",
            "A refused image (NSFW) is a failed media from its turn on, and the message says so; "
            "the other media decide the status",
            because="no source says what happens to an image that the service refuses",
        ),
    ),
)
UPDATE: Final = Operation(
    id="update_batch",
    method="PUT",
    path="/batch/{batch_id}/edit",
    summary="Update a batch; the fields that resubmit process it again, and cost again",
    request=UpdateBatchSchema,
    answer=BatchAnswerSchema,
    errors=(*_DOCUMENTED, NOT_FOUND, PAYLOAD_TOO_LARGE, *_TRANSPORT),
    rules=(
        documented("update.object", "The answer is 200 with the updated Batch"),
        documented("update.metadata", "Metadata alone never processes again"),
        documented(
            "update.resubmits",
            "prompt, motion_type, quantity, duration, loop, aspect_ratio and sound_effects "
            "process again, and reduce credit again",
        ),
        documented("update.same_value", "The same value again counts too", _P26),
        assumed(
            "update.refusal",
            "A refused update leaves everything as it was",
            because="the fact sheet assumes it of 402; the other errors follow",
        ),
        assumed(
            "update.supersedes",
            "An update while the batch processes replaces the running submission: its webhook "
            "does not fire",
            because="one batch has one state, so the old run can have no end of its own",
        ),
        assumed(
            "update.no_video_meanwhile",
            "While the batch is processed again it has no video_url and no finished media",
            because="the object describes the current submission only",
        ),
    ),
)
CONCAT: Final = Operation(
    id="concat_batch",
    method="POST",
    path="/batch/{batch_id}/concat",
    summary="Concatenate all finished videos of a batch into one",
    answer=BatchAnswerSchema,
    errors=(*_DOCUMENTED, NOT_FOUND, *_TRANSPORT),
    rules=(
        documented("concat.video", "'video_url' is there after the videos are composed"),
        documented("concat.object", "The answer is 200 with the Batch", _P26),
        assumed(
            "concat.too_early",
            "A batch still processing, or with nothing finished: 400 BAD_REQUEST",
            because="there is nothing to concat; 400 is the documented error that fits",
        ),
        assumed(
            "concat.processing",
            "During a concat the batch is 'processing' from 0, with its finished media and without "
            "video_url; links to an older video end",
            because="a poller must be able to see when the composed video is there",
        ),
        assumed(
            "concat.webhook",
            "The webhook fires when a concat ends, too",
            because="it is a request that is done, which is when the webhook fires",
        ),
    ),
)
HEALTH: Final = Operation(
    id="health",
    method="GET",
    path="/health",
    summary="Say that the service is up",
    answer=HealthSchema,
    errors=(METHOD_NOT_ALLOWED,),
    rules=(
        documented("health.no_key", "No key is needed", _P26),
        assumed("health.body", "The body is {'status': 'ok'}", because="no source shows the body"),
    ),
    needs_key=False,
)
OPERATIONS: Final = (CREATE, READ, UPDATE, CONCAT, HEALTH)

WEBHOOK_RULES: Final = (
    documented("webhook.body", "customer_id, batch_id and status are sent as JSON"),
    documented("webhook.when", "A webhook is sent when the request is done"),
    documented("webhook.fail", "The status may be 'fail'", _P26),
    documented("webhook.timeout", "The receiver has 10 seconds", _P26),
    assumed(
        "webhook.retries",
        "Anything but 2xx is retried after 10 s, 1 min, 5 min and 30 min, then given up",
        because="P26 says only that it may be retried",
    ),
    assumed(
        "webhook.gone",
        "410 Gone is the last attempt",
        because="a receiver has no other way to say that it wants no more; many services do so",
    ),
    assumed(
        "webhook.redirects",
        "A redirect is not followed, and counts as a failure",
        because="only 2xx counts (P26), and following would let a receiver choose which host is "
        "called",
    ),
    assumed(
        "webhook.order",
        "First attempts to one URL are sent in the order in which they fall due; a retry delays "
        "none of them",
        because="no source promises an order, and receivers are easier to test against one",
    ),
)
GENERAL_RULES: Final = (
    documented("auth.header", "The key goes in the header X-Api-Key"),
    documented("object.keys", "The Batch has the keys, order and types of the seed's example"),
    observed("object.ids", "Identifiers are UUID version 4", on=date(2025, 4, 2)),
    documented("object.timestamps", "Timestamps are like 2025-04-02 16:21:42.465259+00:00"),
    assumed(
        "object.motion",
        "MotionAmount is motion_range and MotionLength is duration",
        because="their defaults are the same numbers",
    ),
    assumed(
        "video.length",
        "A media's video lasts duration times loop seconds; the composed one is those of the "
        "finished media in their order",
        because="no source says it of a batch, nor what becomes of the failed ones",
    ),
    assumed(
        "video.size",
        "A video has 1280x720, 960x720, 720x720, 720x960 or 720x1280 pixels by its aspect_ratio; "
        "without one it is 16:9",
        because="the ratios are documented (P25), sizes are not",
    ),
    assumed(
        "video.sound",
        "With sound_effects there is a sound track, without them none",
        because="the name says so; no source shows a file",
    ),
    assumed(
        "video.transition",
        "With is_transition the composed video has one video for each pair of neighbours",
        because="P25 says that there are transition videos between images, "
        "not that the others are left out",
    ),
    assumed(
        "text.length",
        "A title or is_highlights of more than 1,000 characters, a description or prompt of more "
        "than 10,000, a webhook_url of more than 2,083 and an image URL of more than 8,192: 422",
        because="no bound is public; without one, one caller's text could fill a store",
    ),
    assumed(
        "errors.order",
        "401 comes before 422, 422 before 400, 400 before 404, 404 before 402",
        because="FastAPI checks the key, then the form, and then runs the handler",
    ),
    assumed(
        "errors.input",
        "Each entry of a 422 has the 'input' that it is about (of a file its name and size), and "
        "in 'ctx' the bound that it breaks",
        because="pydantic adds them to the three keys that P26 requires",
    ),
    assumed(
        "form.reading",
        "Forms are read as FastAPI reads them, with at most 1,000 text fields and 1,000 files, "
        "and a text of at most 1 MiB; one that cannot be read so is 400 BAD_REQUEST",
        because="the service is FastAPI; that it has kept those limits, and the body of its other "
        "errors, is likely",
    ),
    assumed(
        "form.empty_file",
        "A file input that was left empty (no name, no bytes) counts as not given",
        because="FastAPI reads forms like this",
    ),
    assumed(
        "path.slash",
        "A path with a slash at its end: 307 to the path without it",
        because="FastAPI redirects like this unless it is told not to",
    ),
)


def all_rules() -> Iterator[Rule]:
    """Yield every rule of the contract, once."""
    yield from GENERAL_RULES
    for operation in OPERATIONS:
        yield from operation.rules
    yield from WEBHOOK_RULES
    for error in ERRORS:
        yield error.rule
