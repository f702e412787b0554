"""Mocks that each break one rule of the contract, and the test of the suite that must notice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import flask
import pytest
import requests

from vimmerse_contracts.schemas import CreateBatchSchema
from vimmerse_contracts.vocabulary import CONTROL_ROOT, RESUBMITTING_FIELDS
from vimmerse_mock import service
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.delivery import HttpSender, Post, Reply, Sender
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch, Image
from vimmerse_mock.model.clock import SECOND
from vimmerse_mock.model.ledger import InsufficientCreditError, Reason
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.model.scenarios import Pace
from vimmerse_mock.service import BatchService, BatchView, NotComposableError
from vimmerse_mock.stores import Transaction
from vimmerse_mock.stores.memory import MemoryStore
from vimmerse_mock.web.api import Call, PublicApi

Build = Callable[[pytest.MonkeyPatch], Mock]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BrokenMock:
    """A mock with one fault.

    `caught_by` is the test of the suite that must fail, and `saying` a part of what it then says.
    """

    name: str
    build: Build
    caught_by: str
    saying: str


def changed_batches(change: Callable[[Json], object]) -> Build:
    """Make a mock whose every Batch is changed on its way out."""

    def edit(answer: flask.Response) -> flask.Response:
        body = answer.get_json(silent=True)
        if isinstance(body, dict) and "data" in body:
            change(body["data"])
            answer.set_data(json.dumps(body))
        return answer

    return changed_answers(edit)


def changed_answers(change: Callable[[flask.Response], flask.Response]) -> Build:
    """Make a mock whose every answer of the public API is changed on its way out."""

    def change_public(answer: flask.Response) -> flask.Response:
        return answer if flask.request.path.startswith(CONTROL_ROOT) else change(answer)

    def build(_patch: pytest.MonkeyPatch) -> Mock:
        mock = create_mock()
        mock.app.after_request(change_public)
        return mock

    return build


def patched(target: str, replacement: object) -> Build:
    """Make a mock with one of its parts replaced."""

    def build(patch: pytest.MonkeyPatch) -> Mock:
        patch.setattr(target, replacement)
        return create_mock()

    return build


def sending(sender: Sender) -> Build:
    """Make a mock that sends webhooks its own way."""
    return lambda _patch: create_mock(sender=sender)


def serving(variant: type[BatchService]) -> Build:
    """Make a mock with other use cases."""
    return patched("vimmerse_mock.app.BatchService", variant)


# What an object looks like


def _progress_as_text(batch: Json) -> None:
    batch["progress_percentage"] = str(batch["progress_percentage"])


def _id_last(batch: Json) -> None:
    batch["id"] = batch.pop("id")


def _numbered_medias(batch: Json) -> None:
    for name in ("medias", "finished_medias", "failed_medias"):
        for media in batch[name]:
            media["media_id"] = f"media-{media['media_id']}"


def _iso_timestamps(batch: Json) -> None:
    batch["created_at"] = batch["created_at"].replace(" ", "T")


def _slow_by_default(batch: Json) -> None:
    preset = batch["pose_preset"][0]
    preset["Params"] = preset["Params"].replace("MotionLength=5", "MotionLength=6")


def _ratio_first(batch: Json) -> None:
    preset = batch["pose_preset"][0]
    *others, last = preset["Params"].split("|")
    preset["Params"] = "|".join([last, *others])


# How it moves in time


def _falling_progress(batch: Json) -> None:
    if batch["status"] == "processing":
        batch["progress_percentage"] = 99 - batch["progress_percentage"]


def _never_at_100(batch: Json) -> None:
    batch["progress_percentage"] = min(99, batch["progress_percentage"])


def _all_at_once(batch: Json) -> None:
    if batch["status"] == "processing":
        batch["finished_medias"] = []


def _forgotten_medias(batch: Json) -> None:
    batch["finished_medias"] = batch["finished_medias"][-1:]


def _failed_without_a_word(batch: Json) -> None:
    batch["message"] = ""


def _partial_is_failure(batch: Json) -> None:
    if batch["failed_medias"]:
        batch.update(status="fail", message="Some failed.")


def _broken_link(batch: Json) -> None:
    if "video_url" in batch:
        batch["video_url"] += ".html"


def _video_all_along(batch: Json) -> None:
    batch["video_url"] = f"https://media.vimmerse.net/{batch['id']}.mp4"


def _lied_about_type(answer: flask.Response) -> flask.Response:
    if answer.mimetype == "video/mp4":
        answer.direct_passthrough = False
        answer.set_data(b"<html>Not found</html>")
    return answer


# How it refuses


def _only_the_first_problem(answer: flask.Response) -> flask.Response:
    if answer.status_code == 422:
        answer.set_data(json.dumps({"detail": answer.get_json()["detail"][:1]}))
    return answer


def _place_without_body(answer: flask.Response) -> flask.Response:
    if answer.status_code == 422:
        problems = [{**item, "loc": item["loc"][1:]} for item in answer.get_json()["detail"]]
        answer.set_data(json.dumps({"detail": problems}))
    return answer


def _error_page(answer: flask.Response) -> flask.Response:
    if answer.status_code == 404:
        answer.set_data("<h1>Not Found</h1>")
        answer.mimetype = "text/html"
    return answer


def _forbidden(answer: flask.Response) -> flask.Response:
    if answer.status_code == 404:
        answer.status_code = 403
    return answer


def _bad_id_not_found(answer: flask.Response) -> flask.Response:
    if answer.status_code == 400:
        answer.status_code = 404
        answer.set_data(json.dumps({"message": "NOT_FOUND"}))
    return answer


def _no_allow(answer: flask.Response) -> flask.Response:
    answer.headers.pop("Allow", None)
    return answer


def _created_201(answer: flask.Response) -> flask.Response:
    if flask.request.method == "POST" and answer.status_code == 200:
        answer.status_code = 201
    return answer


def _bare_batch(answer: flask.Response) -> flask.Response:
    if answer.status_code == 200 and flask.request.path != "/health":
        answer.set_data(json.dumps(answer.get_json()["data"]))
    return answer


def _strict_about_fields(patch: pytest.MonkeyPatch) -> Mock:
    del patch
    mock = create_mock()

    def refuse() -> None:
        if "colour" in flask.request.form:
            flask.abort(422)

    mock.app.before_request(refuse)
    return mock


def _guarded_health(patch: pytest.MonkeyPatch) -> Mock:
    del patch
    mock = create_mock()

    def refuse() -> None:
        if flask.request.path == "/health" and "X-Api-Key" not in flask.request.headers:
            flask.abort(401)

    mock.app.before_request(refuse)
    return mock


def _anybody(api: PublicApi) -> AccountState:
    shelves = api._service.store._shelves.values()  # type: ignore[attr-defined] # the memory store's
    account: AccountState = next(iter(shelves)).account
    return account


class _LeakyStore(MemoryStore):
    """Shows everybody's batches to everybody."""

    def batch(self, customer_id: str, batch_id: str) -> Batch | None:
        del customer_id
        found = (shelf.batches.get(batch_id) for shelf in self._shelves.values())
        return next(filter(None, found), None)


# What it takes, and what it does again


class _CarelessStore(MemoryStore):
    """Keeps what a refused request wrote."""

    @contextmanager
    def transaction(self, customer_id: str) -> Iterator[Any]:
        refusal: InsufficientCreditError | None = None
        with super().transaction(customer_id) as tx:
            try:
                yield tx
            except InsufficientCreditError as error:
                refusal = error
        if refusal is not None:
            raise refusal


class _PaysLast(BatchService):
    """Writes first, and looks at the balance afterwards."""

    def _submit(self, tx: Transaction, batch: Batch, reason: Reason) -> service._Done:
        tx.save_batch(batch)
        service._plan_webhook(tx, batch)
        return super()._submit(tx, batch, reason)


def _written_though_refused(patch: pytest.MonkeyPatch) -> Mock:
    patch.setattr("vimmerse_mock.app.BatchService", _PaysLast)
    return create_mock(store=_CarelessStore())


class _ChargesForRefusals(BatchService):
    """Takes a credit for the trouble of refusing."""

    def create(
        self, customer_id: str, form: Mapping[str, Any], images: Sequence[Image]
    ) -> BatchView:
        if not images:
            with self.store.transaction(customer_id) as tx:
                tx.book(-1, Reason.CREATE, 0)
        return super().create(customer_id, form, images)


class _AlwaysAgain(BatchService):
    """Processes again whatever the update says."""

    def update(self, customer_id: str, batch_id: str, form: Mapping[str, Any]) -> BatchView:
        return super().update(customer_id, batch_id, {"loop": 1, **form})


class _OnlyChanges(BatchService):
    """Processes again only where a value differs from the present one."""

    def update(self, customer_id: str, batch_id: str, form: Mapping[str, Any]) -> BatchView:
        batch = self.store.batch(customer_id, batch_id)
        present = (
            {name: getattr(batch.settings, name) for name in RESUBMITTING_FIELDS} if batch else {}
        )
        changes = {name: value for name, value in form.items() if present.get(name) != value}
        return super().update(customer_id, batch_id, changes)


class _FirstOnePays(BatchService):
    """Charges for the first submission only."""

    def _price(self, batch: Batch) -> int:
        return super()._price(batch) if batch.submission.number == 1 else 0


class _ChargesNothing(BatchService):
    """Takes no credit at all."""

    def _price(self, batch: Batch) -> int:
        del batch
        return 0


class _ComposesAnything(BatchService):
    """Accepts a composition that cannot be."""

    def compose(self, customer_id: str, batch_id: str) -> BatchView:
        try:
            return super().compose(customer_id, batch_id)
        except NotComposableError:
            return self.read(self.store.account(customer_id), batch_id)


def _files_and_urls(patch: pytest.MonkeyPatch) -> Mock:
    def keep(_schema: CreateBatchSchema, data: Json, **_kwargs: object) -> Json:
        return data

    def create_batch(api: PublicApi, call: Call) -> flask.Response:
        images = [*call.form["image_files"], *map(Image, call.form["image_urls"])]
        return api._answer(api._service.create(call.caller.customer_id, call.form, images))

    patch.setattr(CreateBatchSchema, "files_win", keep)
    patch.setattr(PublicApi, "create_batch", create_batch)
    return create_mock()


# What it sends


def _saying(post: Post, body: Json) -> Post:
    said = json.dumps(body).encode()
    headers = {**dict(post.headers), "Content-Length": str(len(said))}
    return replace(post, body=said, headers=tuple(headers.items()))


class _Twice(HttpSender):
    """Sends everything twice."""

    def send(self, post: Post) -> Reply:
        super().send(post)
        return super().send(post)


class _Backwards(HttpSender):
    """Sends the keys in another order."""

    def send(self, post: Post) -> Reply:
        return super().send(_saying(post, dict(reversed(list(json.loads(post.body).items())))))


class _Anonymous(HttpSender):
    """Does not say whose batch it is."""

    def send(self, post: Post) -> Reply:
        return super().send(_saying(post, {**json.loads(post.body), "customer_id": ""}))


class _SilentOnFailure(HttpSender):
    """Reports success only."""

    def send(self, post: Post) -> Reply:
        failed = json.loads(post.body)["status"] == "fail"
        return Reply(200) if failed else super().send(post)


class _AsForm(HttpSender):
    """Sends a form instead of JSON."""

    def send(self, post: Post) -> Reply:
        with requests.Session() as session:
            session.trust_env = False
            form = json.loads(post.body)
            return Reply(session.post(post.url, data=form, timeout=10).status_code)


def _too_early(**planned: Any) -> Message:
    return replace(Message(**planned), due_at=planned["due_at"] - SECOND)


def _nothing(*_args: object) -> None:
    """Do nothing in place of what should be done."""


_OBJECT: Final = "test_create::test_an_object_has_the_keys_of_the_example"
_VIDEO: Final = "test_lifecycle::test_a_finished_batch_has_a_video"
_ONE_WEBHOOK: Final = "test_webhook::test_one_webhook_comes_when_a_batch_is_done"

BROKEN_MOCKS: Final[Sequence[BrokenMock]] = (
    BrokenMock(
        "progress is text",
        changed_batches(_progress_as_text),
        _OBJECT,
        "progress_percentage",
    ),
    BrokenMock(
        "a key is missing",
        changed_batches(lambda batch: batch.pop("feedback")),
        _OBJECT,
        "feedback",
    ),
    BrokenMock("keys in another order", changed_batches(_id_last), _OBJECT, "key order"),
    BrokenMock(
        "is_transition is a boolean",
        changed_batches(lambda batch: batch.update(is_transition=False)),
        "test_read::test_a_read_answers_with_the_batch",
        "is_transition",
    ),
    BrokenMock(
        "media ids are no UUIDs",
        changed_batches(_numbered_medias),
        "test_create::test_ids_are_of_version_4",
        "UUIDs of version 4",
    ),
    BrokenMock(
        "timestamps with a T",
        changed_batches(_iso_timestamps),
        "test_create::test_timestamps_are_written_as_in_the_example",
        "created_at",
    ),
    BrokenMock(
        "another default",
        changed_batches(_slow_by_default),
        "test_create::test_what_is_not_given_takes_its_default",
        "MotionLength=6",
    ),
    BrokenMock(
        "AspectRatio leads Params",
        changed_batches(_ratio_first),
        "test_create::test_an_aspect_ratio_ends_params",
        "AspectRatio=9:16",
    ),
    BrokenMock(
        "creation answers 201",
        changed_answers(_created_201),
        "test_create::test_a_creation_answers_with_the_batch_in_processing",
        "expected HTTP 200",
    ),
    BrokenMock(
        "a Batch without its envelope",
        changed_answers(_bare_batch),
        "test_create::test_a_creation_answers_with_the_batch_in_processing",
        "envelope",
    ),
    BrokenMock(
        "files and URLs both count",
        _files_and_urls,
        "test_create::test_files_win_over_urls",
        "assert 4 == 1",
    ),
    BrokenMock(
        "unknown fields are refused",
        _strict_about_fields,
        "test_create::test_unknown_fields_are_ignored",
        "expected HTTP 200; saw 422",
    ),
    BrokenMock(
        "nothing is charged",
        serving(_ChargesNothing),
        "test_create::test_a_creation_is_paid_when_it_is_accepted",
        "assert 100000 > 100000",
    ),
    BrokenMock(
        "a progress that falls",
        changed_batches(_falling_progress),
        "test_lifecycle::test_progress_rises_to_100",
        "move forward only",
    ),
    BrokenMock(
        "a progress that stays at 99",
        changed_batches(_never_at_100),
        "test_lifecycle::test_progress_rises_to_100",
        "progress 100",
    ),
    BrokenMock(
        "medias end all at once",
        changed_batches(_all_at_once),
        "test_lifecycle::test_medias_finish_one_by_one",
        "assert 3 == 1",
    ),
    BrokenMock(
        "finished medias are forgotten",
        changed_batches(_forgotten_medias),
        "test_lifecycle::test_medias_end_all",
        "every media finished or failed",
    ),
    BrokenMock(
        "a failure without a message",
        changed_batches(_failed_without_a_word),
        "test_lifecycle::test_a_batch_without_a_finished_media_fails",
        "a message",
    ),
    BrokenMock(
        "a partial success is a failure",
        changed_batches(_partial_is_failure),
        "test_lifecycle::test_a_batch_with_one_finished_media_succeeds",
        "fail",
    ),
    BrokenMock("a link that leads nowhere", changed_batches(_broken_link), _VIDEO, "HTTP 200"),
    BrokenMock("a page called video/mp4", changed_answers(_lied_about_type), _VIDEO, "ftyp"),
    BrokenMock(
        "a video before the end",
        changed_batches(_video_all_along),
        "test_update::test_nothing_is_finished_while_it_processes_again",
        "no video_url",
    ),
    BrokenMock(
        "only the first problem is listed",
        changed_answers(_only_the_first_problem),
        "test_errors::test_all_wrong_fields_are_listed_at_once",
        "every wrong field",
    ),
    BrokenMock(
        "places without 'body'",
        changed_answers(_place_without_body),
        "test_errors::test_a_wrong_field_of_an_update_is_named",
        "body.rating",
    ),
    BrokenMock(
        "errors are pages",
        changed_answers(_error_page),
        "test_errors::test_an_unknown_batch_is_not_found",
        "text/html",
    ),
    BrokenMock(
        "a foreign batch is forbidden",
        changed_answers(_forbidden),
        "test_errors::test_a_foreign_batch_is_not_found",
        "expected HTTP 404; saw 403",
    ),
    BrokenMock(
        "a foreign batch is shown",
        lambda _patch: create_mock(store=_LeakyStore()),
        "test_read::test_the_batch_of_another_is_not_found",
        "expected HTTP 404; saw 200",
    ),
    BrokenMock(
        "a bad id is not found",
        changed_answers(_bad_id_not_found),
        "test_read::test_an_id_that_is_no_uuid_is_a_bad_request",
        "expected HTTP 400; saw 404",
    ),
    BrokenMock(
        "any key will do",
        patched("vimmerse_mock.web.api.PublicApi._authenticate", _anybody),
        "test_errors::test_a_wrong_key_is_unauthorized",
        "expected HTTP 401",
    ),
    BrokenMock(
        "a 405 without Allow",
        changed_answers(_no_allow),
        "test_errors::test_another_method_is_not_allowed",
        "Allow",
    ),
    BrokenMock(
        "health asks for a key",
        _guarded_health,
        "test_health::test_health_asks_for_no_key",
        "expected HTTP 200; saw 401",
    ),
    BrokenMock(
        "a 402 that creates",
        _written_though_refused,
        "test_errors::test_a_refused_creation_is_never_processed",
        "expected 0 webhooks; saw 1",
    ),
    BrokenMock(
        "a 402 that changes",
        _written_though_refused,
        "test_update::test_an_update_without_credit_changes_nothing",
        "the batch as it was",
    ),
    BrokenMock(
        "a refusal that costs",
        serving(_ChargesForRefusals),
        "test_errors::test_a_refused_creation_takes_no_credit",
        "assert 99999 == 100000",
    ),
    BrokenMock(
        "metadata processes again",
        serving(_AlwaysAgain),
        "test_update::test_metadata_never_processes_again",
        "processing",
    ),
    BrokenMock(
        "the same value does not count",
        serving(_OnlyChanges),
        "test_update::test_the_same_value_again_processes_again",
        "success",
    ),
    BrokenMock(
        "one of the seven is forgotten",
        patched("vimmerse_mock.service.RESUBMITTING_FIELDS", RESUBMITTING_FIELDS[:-1]),
        "test_update::test_a_resubmitting_field_processes_again",
        "success",
    ),
    BrokenMock(
        "processing again is free",
        serving(_FirstOnePays),
        "test_update::test_a_resubmitting_field_costs_again",
        "assert 99999 < 99999",
    ),
    BrokenMock(
        "anything can be composed",
        serving(_ComposesAnything),
        "test_concat::test_a_batch_still_processing_cannot_be_composed",
        "expected HTTP 400; saw 200",
    ),
    BrokenMock(
        "a composition takes no time",
        lambda _patch: create_mock(pace=Pace(compose=0)),
        "test_concat::test_a_composing_batch_is_processing",
        "success",
    ),
    BrokenMock("a double webhook", sending(_Twice()), _ONE_WEBHOOK, "expected 1 webhooks; saw 2"),
    BrokenMock("a webhook that is a form", sending(_AsForm()), _ONE_WEBHOOK, "application/json"),
    BrokenMock("a webhook backwards", sending(_Backwards()), _ONE_WEBHOOK, "webhook body"),
    BrokenMock("a webhook of nobody", sending(_Anonymous()), _ONE_WEBHOOK, "webhook body"),
    BrokenMock(
        "a webhook before the end",
        patched("vimmerse_mock.service.Message", _too_early),
        "test_webhook::test_no_webhook_comes_before_the_end",
        "assert {0, 1} == {0}",
    ),
    BrokenMock(
        "failures are not reported",
        sending(_SilentOnFailure()),
        "test_webhook::test_a_failure_is_reported_too",
        "expected 1 webhooks; saw 0",
    ),
    BrokenMock(
        "replaced submissions are reported",
        patched("vimmerse_mock.service._withdraw_webhook", _nothing),
        "test_webhook::test_a_replaced_submission_is_not_reported",
        "expected 1 webhooks; saw 2",
    ),
)
