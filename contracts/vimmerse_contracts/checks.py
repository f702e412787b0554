"""Named checks on what the API said; a violation says what was expected and what was seen.

They know nothing of pytest: they take a `requests.Response` or a plain JSON value, and raise
`ContractViolation`. Those that read an answer return what they read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlsplit

from marshmallow import INCLUDE, Schema
from requests import Response

from vimmerse_contracts.fields import Loc, parse_timestamp
from vimmerse_contracts.operations import VALIDATION, ApiError
from vimmerse_contracts.schemas import (
    BatchSchema,
    MediaReferenceSchema,
    PosePresetSchema,
    SubmitParamsSchema,
    ValidationErrorSchema,
)
from vimmerse_contracts.suite.target import ReceivedWebhook
from vimmerse_contracts.vocabulary import BatchStatus

Batch = Mapping[str, Any]
"""A Batch object as it came: plain JSON."""

WEBHOOK: Final = "webhook"
"""What stands for the operation where a webhook is checked."""

_OBSERVED_LIMIT: Final = 300
_UUID4: Final = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_BOX_HEAD: Final = 8
_WEBHOOK_KEYS: Final = ("customer_id", "batch_id", "status")
_NESTED: Final[Mapping[str, type[Schema]]] = {
    "medias": MediaReferenceSchema,
    "finished_medias": MediaReferenceSchema,
    "failed_medias": MediaReferenceSchema,
    "pose_preset": PosePresetSchema,
    "submit_params": SubmitParamsSchema,
}


class ContractViolation(AssertionError):  # noqa: N818 - a violation is what it is; tests fail by it
    """Something is not as the contract says.

    `check` names the check, `operation` what was asked, `expected` and `observed` the two sides;
    what was observed is cut to a few hundred characters.
    """

    def __init__(self, check: str, operation: str, expected: str, observed: object) -> None:
        self.check = check
        self.operation = operation
        self.expected = expected
        text = observed if isinstance(observed, str) else repr(observed)
        cut = f"{text[:_OBSERVED_LIMIT]}... ({len(text)} characters)"
        self.observed = text if len(text) <= _OBSERVED_LIMIT else cut
        super().__init__(f"{operation}: {check}: expected {expected}; saw {self.observed}")


def check_status(response: Response, status: int) -> None:
    """Check the HTTP status of an answer (S, P26)."""
    if response.status_code != status:
        observed = f"{response.status_code} {response.text}"
        raise ContractViolation("status", asked(response), f"HTTP {status}", observed)


def check_json(response: Response) -> Any:  # noqa: ANN401 - any JSON
    """Check that an answer is JSON by its content type and its content; return it (S)."""
    _check_type("content type", asked(response), response.headers, "application/json")
    try:
        return response.json()
    except ValueError as error:
        raise ContractViolation("json", asked(response), "a JSON body", response.text) from error


def check_batch_answer(response: Response) -> Batch:
    """Check that an answer is 200 with `{"data": Batch}`; return the Batch (S)."""
    check_status(response, 200)
    body = check_json(response)
    if not isinstance(body, dict) or list(body) != ["data"]:
        raise ContractViolation("envelope", asked(response), 'the body {"data": Batch}', body)
    return check_batch(body["data"], asked(response))


def check_batch(value: object, operation: str) -> Batch:
    """Check that a value is a Batch by all that one reading can show; return it (S, O, A)."""
    batch = check_types(value, operation)
    check_key_order(batch, operation)
    check_ids(batch, operation)
    check_timestamps(batch, operation)
    check_medias(batch, operation)
    check_outcome(batch, operation)
    return batch


def check_types(value: object, operation: str) -> Batch:
    """Check the keys and types of a Batch; keys beyond the seed's are tolerated (S, P26)."""
    if not isinstance(value, dict):
        raise ContractViolation("batch types", operation, "a Batch object", value)
    problems = BatchSchema(unknown=INCLUDE).validate(value)
    if problems:
        expected = "the keys and types of the seed's example"
        raise ContractViolation("batch types", operation, expected, problems)
    return value


def check_key_order(batch: Batch, operation: str) -> None:
    """Check that a Batch, and the objects in it, have their keys in the seed's order (S)."""
    _check_order(batch, BatchSchema, "batch", operation)
    for name, schema in _NESTED.items():
        items = batch[name] if isinstance(batch[name], list) else [batch[name]]
        for item in items:
            _check_order(item, schema, name, operation)


def check_ids(batch: Batch, operation: str) -> None:
    """Check that the ids of a Batch and its medias are distinct UUIDs of version 4 (O)."""
    ids = [batch["id"], *(media["media_id"] for media in batch["medias"])]
    for each in ids:
        if not re.fullmatch(_UUID4, each):
            raise ContractViolation("ids", operation, "UUIDs of version 4", each)
    if len(set(ids)) != len(ids):
        raise ContractViolation("ids", operation, "an id of its own for each object", ids)


def check_timestamps(batch: Batch, operation: str) -> None:
    """Check that created_at is not after updated_at; `check_types` has their format (S)."""
    if parse_timestamp(batch["created_at"]) > parse_timestamp(batch["updated_at"]):
        observed = f"{batch['created_at']} and {batch['updated_at']}"
        raise ContractViolation(
            "timestamps", operation, "created_at not after updated_at", observed
        )


def check_medias(batch: Batch, operation: str) -> None:
    """Check that finished and failed medias are medias of the batch, none in both (A)."""
    ended = [media["media_id"] for media in _ended(batch)]
    if len(set(ended)) != len(ended):
        expected = "no media twice in finished_medias and failed_medias"
        raise ContractViolation("medias", operation, expected, ended)
    foreign = [media for media in _ended(batch) if media not in batch["medias"]]
    if foreign:
        expected = "finished_medias and failed_medias to be taken from medias"
        raise ContractViolation("medias", operation, expected, foreign)


def check_outcome(batch: Batch, operation: str) -> None:
    """Check that progress, medias, message and video_url go with the status (S, A)."""
    status = BatchStatus(batch["status"])
    for when, expected, holds in _OUTCOME_RULES:
        if status is when and not holds(batch):
            video = f"video_url {batch['video_url']!r}" if "video_url" in batch else "no video_url"
            observed = f"{_moment(batch)}, message {batch['message']!r}, {video}"
            raise ContractViolation("outcome", operation, f"{expected} in '{status}'", observed)


def check_error(response: Response, error: ApiError) -> None:
    """Check that an answer is a documented error: its status, and exactly its body (P26, A)."""
    check_status(response, error.status)
    body = check_json(response)
    if body != error.body:
        raise ContractViolation("error body", asked(response), f"the body {error.body}", body)


def check_allow(response: Response, method: str) -> None:
    """Check that a 405 names, in Allow, the method that the path takes (A: HTTP asks for it)."""
    allow = response.headers.get("Allow", "")
    if method not in [name.strip() for name in allow.split(",")]:
        raise ContractViolation("allow", asked(response), f"{method} in the header Allow", allow)


def check_validation(response: Response, expected: Iterable[tuple[Loc, str]]) -> None:
    """Check that a 422 lists these problems, by place and type, and no others (P26).

    Every item has `loc`, `msg` and `type` (P26); the types are pydantic's words (A).
    """
    check_status(response, VALIDATION.status)
    body = check_json(response)
    problems = ValidationErrorSchema(unknown=INCLUDE).validate(body)
    if problems or not all(item["msg"] for item in body["detail"]):
        wanted = 'the body {"detail": [{"loc", "msg", "type"}, ...]}, every msg a sentence'
        raise ContractViolation("validation body", asked(response), wanted, problems or body)
    wanted_items = sorted(_item(loc, kind) for loc, kind in expected)
    observed = sorted(_item(item["loc"], item["type"]) for item in body["detail"])
    if observed != wanted_items:
        wanted = f"every wrong field, and no other: {', '.join(wanted_items)}"
        raise ContractViolation("validation items", asked(response), wanted, ", ".join(observed))


def check_progress(readings: Sequence[Batch], operation: str) -> None:
    """Check that the readings of one submission, in order, move forward only (A).

    Progress never falls, and rises on the way to success; finished and failed medias are only
    added to; a final status stays; updated_at does not go back; and the rest stays as it was.
    """
    for before, after in pairwise(readings):
        for name, moved in _MOTION_RULES:
            if not moved(before, after):
                observed = f"{_moment(before)}, then {_moment(after)}"
                raise ContractViolation(
                    name, operation, "readings that move forward only", observed
                )
    first, last = readings[0], readings[-1]
    succeeded = first["status"] == BatchStatus.PROCESSING and last["status"] == BatchStatus.SUCCESS
    if succeeded and last["progress_percentage"] <= first["progress_percentage"]:
        observed = f"{_moment(first)}, then {_moment(last)}"
        raise ContractViolation("progress rises", operation, "progress that rises", observed)


def check_unchanged(before: Batch, after: Batch, operation: str) -> None:
    """Check that a Batch is exactly what it was, key for key (A)."""
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if changed:
        observed = {name: (before.get(name), after.get(name)) for name in changed}
        raise ContractViolation("unchanged", operation, "the batch as it was", observed)


def check_webhook(received: ReceivedWebhook, *, customer_id: str, batch_id: str, end: str) -> None:
    """Check that a webhook has the documented body, its keys in order, sent as JSON (S)."""
    _check_type("webhook type", WEBHOOK, received.headers, "application/json")
    wanted = dict(zip(_WEBHOOK_KEYS, (customer_id, batch_id, end), strict=True))
    if received.body != wanted or list(received.body) != list(_WEBHOOK_KEYS):
        raise ContractViolation("webhook body", WEBHOOK, f"the body {wanted}", received.body)


def check_webhook_count(received: Sequence[ReceivedWebhook], count: int) -> None:
    """Check that a URL was sent as many webhooks as submissions ended, and no more (S, A)."""
    if len(received) != count:
        observed = f"{len(received)}: {[each.body for each in received]}"
        raise ContractViolation("webhook count", WEBHOOK, f"{count} webhooks", observed)


def check_video(response: Response) -> None:
    """Check that a download is an MP4 file that players open: type, ftyp, whole boxes (S, A).

    What the video shows is not looked at.
    """
    check_status(response, 200)
    _check_type("video type", asked(response), response.headers, "video/mp4")
    if response.content[4:8] != b"ftyp":
        head = response.content[:16]
        raise ContractViolation("video bytes", asked(response), "'ftyp' at offset 4", head)
    boxes = list(_boxes(response.content))
    if not {"moov", "mdat"} <= set(boxes):
        expected = "whole MP4 boxes, among them moov and mdat"
        raise ContractViolation("video boxes", asked(response), expected, boxes)


def asked(response: Response) -> str:
    """Name the request behind an answer: `PUT /batch/.../edit`."""
    request = response.request
    return f"{request.method} {urlsplit(request.url or '').path}"


def _check_type(check: str, operation: str, headers: Mapping[str, str], wanted: str) -> None:
    given = {name.lower(): value for name, value in headers.items()}.get("content-type", "")
    if given.partition(";")[0].strip() != wanted:
        raise ContractViolation(check, operation, f"Content-Type {wanted}", given)


def _check_order(value: Batch, schema: type[Schema], name: str, operation: str) -> None:
    known = list(schema().fields)
    wanted = [key for key in known if key in value]
    observed = [key for key in value if key in known]
    for place, (key, expected) in enumerate(zip(observed, wanted, strict=True), start=1):
        if key != expected:
            there = f"{expected!r} as key {place} of {name}, as in the seed's example"
            raise ContractViolation("key order", operation, there, f"{key!r} of {observed}")


def _ended(batch: Batch) -> list[Any]:
    return [*batch["finished_medias"], *batch["failed_medias"]]


_OUTCOME_RULES: Final[Sequence[tuple[BatchStatus, str, Callable[[Batch], bool]]]] = (
    (BatchStatus.PROCESSING, "no video_url", lambda batch: "video_url" not in batch),
    (BatchStatus.SUCCESS, "progress 100", lambda batch: batch["progress_percentage"] == 100),
    (BatchStatus.SUCCESS, "a video_url", lambda batch: bool(batch.get("video_url"))),
    (BatchStatus.SUCCESS, "a finished media", lambda batch: bool(batch["finished_medias"])),
    (
        BatchStatus.SUCCESS,
        "every media finished or failed",
        lambda batch: len(_ended(batch)) == len(batch["medias"]),
    ),
    (BatchStatus.FAIL, "no video_url", lambda batch: "video_url" not in batch),
    (BatchStatus.FAIL, "a message", lambda batch: bool(batch["message"])),
    (BatchStatus.FAIL, "every media failed", lambda b: len(b["failed_medias"]) == len(b["medias"])),
)
"""What goes with a status: the status, what is expected, and whether it is so."""

_FIXED: Final = ("id", "customer_id", "created_at", "medias", "pose_preset", "submit_params")


def _grows(name: str) -> Callable[[Batch, Batch], bool]:
    return lambda before, after: all(media in after[name] for media in before[name])


_MOTION_RULES: Final[Sequence[tuple[str, Callable[[Batch, Batch], bool]]]] = (
    (
        "progress",
        lambda before, after: before["progress_percentage"] <= after["progress_percentage"],
    ),
    ("finished medias", _grows("finished_medias")),
    ("failed medias", _grows("failed_medias")),
    ("status", lambda b, a: not BatchStatus(b["status"]).is_final or b["status"] == a["status"]),
    (
        "updated_at",
        lambda before, after: (
            parse_timestamp(before["updated_at"]) <= parse_timestamp(after["updated_at"])
        ),
    ),
    ("fixed keys", lambda before, after: all(before[key] == after[key] for key in _FIXED)),
)
"""What may not go back from one reading to the next."""


def _moment(batch: Batch) -> str:
    ended = {name: len(batch[name]) for name in ("finished_medias", "failed_medias")}
    return f"{batch['status']} {batch['progress_percentage']} % {ended} at {batch['updated_at']}"


def _item(loc: Iterable[object], kind: str) -> str:
    return f"{'.'.join(map(str, loc))}: {kind}"


def _boxes(content: bytes) -> Iterator[str]:
    """Name the top-level boxes of an MP4 file, as far as they are whole."""
    place = 0
    while place + _BOX_HEAD <= len(content):
        size = int.from_bytes(content[place : place + 4], "big")
        if size == 1:  # a long size stands behind the head
            size = int.from_bytes(content[place + 8 : place + 16], "big")
        elif size == 0:  # the rest of the file
            size = len(content) - place
        if size < _BOX_HEAD or place + size > len(content):
            return
        yield content[place + 4 : place + 8].decode("latin-1")
        place += size
