from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Final

import pytest
import requests

from vimmerse_contracts import checks
from vimmerse_contracts.checks import ContractViolation
from vimmerse_contracts.examples import BATCHES
from vimmerse_contracts.operations import NOT_FOUND
from vimmerse_contracts.suite.target import ReceivedWebhook

Json = dict[str, Any]
PROCESSING: Final[Json] = dict(BATCHES["processing"].value)
SUCCESS: Final[Json] = dict(BATCHES["success"].value)
FAIL: Final[Json] = dict(BATCHES["fail"].value)
MEDIAS: Final = PROCESSING["medias"]
BODY: Final = {"customer_id": "c", "batch_id": "b", "status": "success"}


def response(
    status: int = 200,
    body: object = None,
    kind: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> requests.Response:
    """Make the answer to a `GET /batch/7`."""
    answer = requests.Response()
    answer.status_code = status
    answer._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer.headers.update({"Content-Type": kind, **(headers or {})})
    answer.request = requests.Request("GET", "http://localhost/batch/7").prepare()
    return answer


def changed(batch: Json, **changes: object) -> Json:
    """Copy a batch with some keys changed."""
    return {**deepcopy(batch), **changes}


def without(batch: Json, key: str) -> Json:
    """Copy a batch without a key."""
    return {name: value for name, value in batch.items() if name != key}


def moved_last(batch: Json, key: str) -> Json:
    """Copy a batch with a key moved to the end."""
    return {**without(batch, key), key: batch[key]}


def violation(check: Callable[[], object]) -> ContractViolation:
    """Run a check that must fail, and return what it says."""
    with pytest.raises(ContractViolation) as caught:
        check()
    return caught.value


@pytest.mark.parametrize(
    "batch", [PROCESSING, SUCCESS, FAIL], ids=["processing", "success", "fail"]
)
def test_a_sound_batch_passes(batch: Json) -> None:
    """The seed's example passes in each of its states, and with keys that are not known."""
    assert checks.check_batch(batch, "get_batch") is batch
    checks.check_batch({**batch, "used_credits": 176}, "get_batch")


@pytest.mark.parametrize(
    ("batch", "check", "seen"),
    [
        (None, "batch types", "None"),
        (without(PROCESSING, "note"), "batch types", "note"),
        (changed(PROCESSING, progress_percentage="0"), "batch types", "progress_percentage"),
        (changed(PROCESSING, progress_percentage=True), "batch types", "progress_percentage"),
        (changed(PROCESSING, progress_percentage=101), "batch types", "progress_percentage"),
        (changed(PROCESSING, is_transition=False), "batch types", "is_transition"),
        (changed(PROCESSING, version=2), "batch types", "version"),
        (changed(PROCESSING, status="done"), "batch types", "status"),
        (changed(PROCESSING, medias=[{"media_id": "1"}]), "batch types", "item"),
        (changed(PROCESSING, created_at="2025-04-02T16:21:42Z"), "batch types", "created_at"),
        (changed(PROCESSING, video_url=7), "batch types", "video_url"),
        (moved_last(PROCESSING, "id"), "key order", "'email' of"),
        (
            changed(PROCESSING, submit_params=moved_last(PROCESSING["submit_params"], "file_size")),
            "key order",
            "'sound_effects' of",
        ),
        (changed(PROCESSING, id="7"), "ids", "7"),
        (changed(PROCESSING, id="6f1f0f5c-0b1c-1c43-9f0e-0a3a3f1f2b00"), "ids", "-1c43-"),
        (changed(PROCESSING, medias=[MEDIAS[0], MEDIAS[0]]), "ids", MEDIAS[0]["media_id"]),
        (
            changed(PROCESSING, updated_at="2025-04-02 16:21:42.465258+00:00"),
            "timestamps",
            "465258",
        ),
        (changed(PROCESSING, failed_medias=[{"media_id": "x", "item": "y"}]), "medias", "'x'"),
        (
            changed(PROCESSING, failed_medias=MEDIAS[:1], finished_medias=MEDIAS[:1]),
            "medias",
            MEDIAS[0]["media_id"],
        ),
        (
            changed(PROCESSING, video_url="https://media.vimmerse.net/1.mp4"),
            "outcome",
            "video_url 'https:",
        ),
        (changed(SUCCESS, progress_percentage=99), "outcome", "99 %"),
        (changed(SUCCESS, finished_medias=MEDIAS[:1]), "outcome", "'finished_medias': 1"),
        (
            changed(SUCCESS, finished_medias=[], failed_medias=MEDIAS),
            "outcome",
            "'finished_medias': 0",
        ),
        (without(SUCCESS, "video_url"), "outcome", "no video_url"),
        (changed(FAIL, message=""), "outcome", "message ''"),
        (changed(FAIL, failed_medias=MEDIAS[:1]), "outcome", "'failed_medias': 1"),
        (
            changed(FAIL, video_url="https://media.vimmerse.net/1.mp4"),
            "outcome",
            "video_url 'https:",
        ),
    ],
)
def test_a_wrong_batch_is_told_by_the_right_check(batch: object, check: str, seen: str) -> None:
    """A Batch with one thing wrong fails by the check that knows it, which shows what it saw."""
    found = violation(lambda: checks.check_batch(batch, "get_batch"))
    assert (found.check, found.operation) == (check, "get_batch")
    assert seen in found.observed
    assert found.expected


def test_a_batch_answer_is_unwrapped() -> None:
    """An answer of 200 with the Batch in 'data' passes, and gives the Batch."""
    assert checks.check_batch_answer(response(200, {"data": PROCESSING})) == PROCESSING


@pytest.mark.parametrize(
    ("answer", "check"),
    [
        (response(201, {"data": PROCESSING}), "status"),
        (response(200, PROCESSING), "envelope"),
        (response(200, {}), "envelope"),
        (response(200, {"data": PROCESSING, "more": 1}), "envelope"),
        (response(200, {"data": PROCESSING}, kind="text/html"), "content type"),
        (response(200, b"{"), "json"),
    ],
)
def test_a_wrong_answer_is_told_with_its_request(answer: requests.Response, check: str) -> None:
    """An answer that is not 200 with JSON in its envelope fails, and names the request."""
    found = violation(lambda: checks.check_batch_answer(answer))
    assert (found.check, found.operation) == (check, "GET /batch/7")


def test_a_documented_error_passes() -> None:
    """An error with its status and its body passes."""
    checks.check_error(response(404, {"message": "NOT_FOUND"}), NOT_FOUND)


@pytest.mark.parametrize(
    ("answer", "check"),
    [
        (response(403, {"message": "NOT_FOUND"}), "status"),
        (response(404, {"message": "Not found"}), "error body"),
        (response(404, {"message": "NOT_FOUND", "trace": "..."}), "error body"),
        (response(404, {"message": "NOT_FOUND"}, kind="text/plain"), "content type"),
    ],
)
def test_a_wrong_error_is_told(answer: requests.Response, check: str) -> None:
    """An error with another status, type or body fails, and says what was expected."""
    found = violation(lambda: checks.check_error(answer, NOT_FOUND))
    assert found.check == check
    assert str(found) == f"GET /batch/7: {check}: expected {found.expected}; saw {found.observed}"


@pytest.mark.parametrize("allow", ["GET", "HEAD, GET", "GET,PUT"])
def test_allow_that_names_the_method_passes(allow: str) -> None:
    """An Allow with the path's method among others passes."""
    checks.check_allow(response(405, headers={"Allow": allow}), "GET")


@pytest.mark.parametrize("headers", [{}, {"Allow": ""}, {"Allow": "POST, TARGET"}])
def test_allow_without_the_method_is_told(headers: Mapping[str, str]) -> None:
    """No Allow, or one without the path's method, fails."""
    assert (
        violation(lambda: checks.check_allow(response(405, headers=headers), "GET")).check
        == "allow"
    )


def _problem(field: str, kind: str = "int_parsing", msg: str = "Input should be ...") -> Json:
    return {"loc": ["body", field], "msg": msg, "type": kind}


def test_a_complete_422_passes_in_any_order() -> None:
    """A 422 that lists every problem passes, whatever their order."""
    answer = response(422, {"detail": [_problem("loop"), _problem("duration")]})
    expected = [(("body", "duration"), "int_parsing"), (("body", "loop"), "int_parsing")]
    checks.check_validation(answer, expected)


@pytest.mark.parametrize(
    ("answer", "check"),
    [
        (response(400, {"detail": [_problem("loop")]}), "status"),
        (response(422, {"message": "VALIDATION"}), "validation body"),
        (response(422, {"detail": [without(_problem("loop"), "msg")]}), "validation body"),
        (response(422, {"detail": [_problem("loop", msg="")]}), "validation body"),
        (response(422, {"detail": []}), "validation items"),
        (response(422, {"detail": [_problem("loop"), _problem("loop")]}), "validation items"),
        (response(422, {"detail": [_problem("loop", "missing")]}), "validation items"),
        (response(422, {"detail": [_problem("loops")]}), "validation items"),
    ],
)
def test_a_wrong_422_is_told(answer: requests.Response, check: str) -> None:
    """A 422 of another shape, or with a problem missing, repeated or misnamed, fails."""
    expected = [(("body", "loop"), "int_parsing")]
    assert violation(lambda: checks.check_validation(answer, expected)).check == check


HALFWAY: Final = changed(
    PROCESSING,
    progress_percentage=50,
    finished_medias=MEDIAS[:1],
    updated_at="2025-04-02 16:21:43.000000+00:00",
)
DONE: Final = changed(SUCCESS, updated_at="2025-04-02 16:21:44.000000+00:00")


@pytest.mark.parametrize(
    "readings",
    [
        [PROCESSING],
        [PROCESSING, PROCESSING, HALFWAY, HALFWAY, DONE, DONE],
        [PROCESSING, DONE],
        [DONE, DONE],
        [PROCESSING, HALFWAY],
    ],
)
def test_readings_that_move_forward_pass(readings: list[Json]) -> None:
    """Readings pass that stand still or move on, however many there are."""
    checks.check_progress(readings, "get_batch")


@pytest.mark.parametrize(
    ("readings", "check"),
    [
        ([HALFWAY, changed(HALFWAY, progress_percentage=49)], "progress"),
        ([HALFWAY, changed(HALFWAY, finished_medias=[])], "finished medias"),
        ([HALFWAY, changed(HALFWAY, finished_medias=MEDIAS[1:])], "finished medias"),
        ([FAIL, changed(FAIL, failed_medias=MEDIAS[1:])], "failed medias"),
        ([DONE, changed(DONE, status="processing")], "status"),
        ([DONE, changed(DONE, updated_at=HALFWAY["updated_at"])], "updated_at"),
        ([PROCESSING, changed(PROCESSING, medias=MEDIAS[:1])], "fixed keys"),
        ([PROCESSING, changed(DONE, progress_percentage=0)], "progress rises"),
    ],
)
def test_readings_that_go_back_are_told(readings: list[Json], check: str) -> None:
    """Readings fail where anything falls, shrinks, reopens, or never rises at all."""
    found = violation(lambda: checks.check_progress(readings, "get_batch"))
    assert found.check == check
    assert ", then " in found.observed


def test_an_unchanged_batch_passes() -> None:
    """Two equal objects are unchanged."""
    checks.check_unchanged(PROCESSING, deepcopy(PROCESSING), "update_batch")


@pytest.mark.parametrize(
    ("after", "name"),
    [
        (changed(PROCESSING, title="New"), "title"),
        (changed(PROCESSING, video_url="1.mp4"), "video_url"),
    ],
)
def test_a_change_is_told_by_its_key(after: Json, name: str) -> None:
    """An object that differs fails, and the keys that differ are shown with both values."""
    found = violation(lambda: checks.check_unchanged(PROCESSING, after, "update_batch"))
    assert f"'{name}': (" in found.observed


def _webhook(body: object, kind: str = "application/json") -> ReceivedWebhook:
    return ReceivedWebhook({"Content-Type": kind}, body)


def _check_webhook(received: ReceivedWebhook) -> None:
    checks.check_webhook(received, customer_id="c", batch_id="b", end="success")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"])
def test_the_documented_webhook_passes(kind: str) -> None:
    """The seed's body, sent as JSON, passes."""
    _check_webhook(_webhook(BODY, kind))


@pytest.mark.parametrize(
    ("received", "check"),
    [
        (_webhook(BODY, "text/plain"), "webhook type"),
        (ReceivedWebhook({}, BODY), "webhook type"),
        (_webhook({**BODY, "status": "fail"}), "webhook body"),
        (_webhook({**BODY, "extra": 1}), "webhook body"),
        (_webhook(moved_last(dict(BODY), "batch_id")), "webhook body"),
        (_webhook("text"), "webhook body"),
    ],
)
def test_a_wrong_webhook_is_told(received: ReceivedWebhook, check: str) -> None:
    """A webhook of another type, or with other keys, values or order, fails."""
    found = violation(lambda: _check_webhook(received))
    assert (found.check, found.operation) == (check, "webhook")


def test_webhooks_are_counted() -> None:
    """As many webhooks as expected pass, one more fails and is shown."""
    checks.check_webhook_count([_webhook(BODY)], 1)
    found = violation(lambda: checks.check_webhook_count([_webhook(BODY)] * 2, 1))
    assert (found.expected, found.observed[:3]) == ("1 webhooks", "2: ")


def _box(kind: bytes, data: bytes = b"", size: int | None = None) -> bytes:
    return (len(data) + 8 if size is None else size).to_bytes(4, "big") + kind + data


FTYP: Final = _box(b"ftyp", b"isom")
LONG_MDAT: Final = _box(b"mdat", (24).to_bytes(8, "big") + b"\x00" * 8, size=1)


@pytest.mark.parametrize(
    "content",
    [
        FTYP + _box(b"moov", b"..") + _box(b"mdat", b"...."),
        FTYP + _box(b"mdat") + _box(b"free") + _box(b"moov"),
        FTYP + LONG_MDAT + _box(b"moov"),
        FTYP + _box(b"moov") + _box(b"mdat", b"to the end", size=0),
    ],
    ids=["short", "moov last", "long size", "open end"],
)
def test_an_mp4_file_passes(content: bytes) -> None:
    """A file of whole boxes passes, with sizes written in any of the three ways."""
    checks.check_video(response(200, content, kind="video/mp4"))


@pytest.mark.parametrize(
    ("answer", "check"),
    [
        (response(404, b"", kind="video/mp4"), "status"),
        (response(200, FTYP, kind="application/json"), "video type"),
        (response(200, b"<html></html>", kind="video/mp4"), "video bytes"),
        (response(200, b"", kind="video/mp4"), "video bytes"),
        (response(200, FTYP + _box(b"moov"), kind="video/mp4"), "video boxes"),
        (
            response(200, FTYP + _box(b"moov") + _box(b"mdat", b"..", size=99), kind="video/mp4"),
            "video boxes",
        ),
        (
            response(200, FTYP + _box(b"free", b"", size=4) + _box(b"moov"), kind="video/mp4"),
            "video boxes",
        ),
    ],
)
def test_a_wrong_video_is_told(answer: requests.Response, check: str) -> None:
    """A download that is no MP4 file, or is cut short, fails."""
    assert violation(lambda: checks.check_video(answer)).check == check


def test_what_was_seen_is_bounded() -> None:
    """However large the answer, a violation shows a few hundred characters and the whole length."""
    found = violation(lambda: checks.check_status(response(500, b"x" * 10_000), 200))
    assert len(found.observed) < 400
    assert found.observed.endswith("... (10004 characters)")


def test_a_violation_is_an_assertion_error() -> None:
    """A violation fails a test as an assertion does."""
    assert issubclass(ContractViolation, AssertionError)
