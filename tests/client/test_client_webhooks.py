from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_client import (
    Batch,
    BatchNotDone,
    Client,
    ForeignWebhook,
    InvalidWebhook,
    MemorySeen,
    NotFound,
    Receiver,
    SeenStore,
    ServerError,
    SignatureMismatch,
    StaleStatus,
    UnconfirmedWebhook,
    UnknownBatch,
    WebhookEvent,
    confirm_webhook,
    parse_webhook,
    submission_key,
    verify_webhook,
)

BODY = {"customer_id": "customer_id", "batch_id": "batch_id", "status": "success"}
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


class OneBatch:
    """An API that knows one batch, whatever the id, until it is None."""

    def __init__(self, batch: Batch | None) -> None:
        self.batch = batch

    def get(self, batch_id: str) -> Batch:
        """Return it."""
        if self.batch is None:
            raise NotFound(404, "NOT_FOUND", {}, f"readBatch {batch_id}")
        return self.batch


@pytest.fixture
def make_batch(seed_batch: dict[str, Any]) -> Callable[..., Batch]:
    """Make the seed's batch with some changes, in success unless they say otherwise."""

    def make(**changes: Any) -> Batch:
        return Batch.from_dict({**seed_batch, "status": "success", **changes})

    return make


class TestParse:
    """Reading a payload."""

    @pytest.mark.parametrize(
        "payload",
        [BODY, json.dumps(BODY), json.dumps(BODY).encode(), bytearray(json.dumps(BODY).encode())],
        ids=["mapping", "text", "bytes", "bytearray"],
    )
    def test_the_documented_body_becomes_an_event(self, payload: Any) -> None:
        """However it comes, the three fields are typed."""
        event = parse_webhook(payload)
        assert event == WebhookEvent("customer_id", "batch_id", "success")  # type: ignore[arg-type] # equal to the enum's member
        assert event.status.is_final

    def test_keys_that_are_not_known_are_kept(self) -> None:
        """The service has grown before."""
        assert parse_webhook({**BODY, "used_credits": 5}).extra == {"used_credits": 5}

    @pytest.mark.parametrize(
        ("payload", "problem"),
        [
            (b"", "an empty body is not JSON"),
            (b"\xff\xfe\x00", "is not JSON"),
            (b"<html>", "'<html>' is not JSON"),
            (b"[" * 100_000, "is not JSON"),
            (b"[]", "is not a JSON object"),
            ("null", "is not a JSON object"),
            ({}, "customer_id"),
            ({**BODY, "status": "done"}, "status: Must be one of: success, fail"),
            ({**BODY, "status": "processing"}, "status"),
            ({**BODY, "batch_id": 7}, "batch_id: Not a valid string"),
            ({**BODY, "batch_id": ""}, "batch_id has 0 characters"),
            ({**BODY, "customer_id": "x" * 201}, "customer_id has 201 characters"),
            ({"batch_id": "b", "status": "fail"}, "customer_id: Missing data"),
        ],
    )
    def test_anything_else_is_refused_with_what_is_wrong(self, payload: Any, problem: str) -> None:
        """The error names the field, and what was expected."""
        with pytest.raises(InvalidWebhook, match="expected a JSON object") as refused:
            parse_webhook(payload)
        assert problem in str(refused.value)
        assert len(str(refused.value)) < 1000

    @given(st.binary() | st.text() | st.dictionaries(st.text(), JSON) | JSON.map(json.dumps))
    def test_nothing_that_is_sent_raises_anything_else(self, payload: Any) -> None:
        """Garbage is an event or an InvalidWebhook, never a crash."""
        with suppress(InvalidWebhook):
            assert isinstance(parse_webhook(payload), WebhookEvent)


class TestConfirm:
    """Asking the API."""

    def test_a_batch_that_ended_so_is_returned(self, make_batch: Callable[..., Batch]) -> None:
        """What the API says is what counts from then on."""
        batch = make_batch()
        assert confirm_webhook(parse_webhook(BODY), OneBatch(batch)) is batch

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"customer_id": "another"}, ForeignWebhook),
            ({"status": "processing"}, BatchNotDone),
            ({"status": "new"}, BatchNotDone),
            ({"status": "fail"}, StaleStatus),
        ],
    )
    def test_what_the_api_denies_is_an_error_of_its_own(
        self,
        make_batch: Callable[..., Batch],
        changes: Mapping[str, str],
        expected: type[UnconfirmedWebhook],
    ) -> None:
        """The error carries the event, the batch, and what to do."""
        batch = make_batch(**changes)
        with pytest.raises(expected, match="says that batch batch_id is 'success'") as denied:
            confirm_webhook(parse_webhook(BODY), OneBatch(batch))
        assert (denied.value.event, denied.value.batch) == (parse_webhook(BODY), batch)
        assert denied.value.advice in str(denied.value)

    @pytest.mark.parametrize("batch_id", ["unknown", "..", "a/b?c", "\n"])
    @pytest.mark.parametrize("status", [400, 404, 422])
    def test_a_batch_that_the_key_does_not_have_is_unknown(
        self, client: Client, api: Any, batch_id: str, status: int
    ) -> None:
        """Whatever stands in the id, and however the API refuses it."""
        api.json({"message": "NOT_FOUND"}, status)
        with pytest.raises(UnknownBatch, match="unknown to this API key"):
            confirm_webhook(parse_webhook({**BODY, "batch_id": batch_id}), client)

    def test_an_api_that_is_away_is_no_denial(self, client: Client, api: Any) -> None:
        """A 500 passes on, so that the webhook is not taken for forged."""
        api.json({"message": "INTERNAL"}, 500)
        with pytest.raises(ServerError):
            confirm_webhook(parse_webhook(BODY), client)


class TestSubmissionKey:
    """What distinguishes one end from another."""

    def test_a_change_of_metadata_is_no_other_end(self, make_batch: Callable[..., Batch]) -> None:
        """A success keeps its key when its title changes."""
        before = make_batch(video_url="https://media.example/c/b/video-1.mp4?signed=1")
        after = make_batch(
            video_url="https://media.example/c/b/video-1.mp4?signed=2",
            title="Other",
            updated_at="2025-04-02 17:00:00.000000+00:00",
        )
        assert submission_key(before) == submission_key(after)

    @pytest.mark.parametrize(
        "changes",
        [
            {"video_url": "https://media.example/c/b/video-2.mp4"},
            {"status": "fail"},
            {"id": "another"},
            {"finished_at": "2026-02-01 00:00:00"},
        ],
        ids=str,
    )
    def test_another_end_has_another_key(
        self, make_batch: Callable[..., Batch], changes: Mapping[str, str]
    ) -> None:
        """Another video, another outcome, another batch, another instant."""
        one = make_batch(video_url="https://media.example/c/b/video-1.mp4")
        assert submission_key(one) != submission_key(make_batch(**changes))

    def test_two_failures_differ_by_their_time(self, make_batch: Callable[..., Batch]) -> None:
        """A failure has nothing else of its own."""
        later = make_batch(status="fail", updated_at="2025-04-02 17:00:00.000000+00:00")
        assert submission_key(make_batch(status="fail")) != submission_key(later)

    def test_the_instant_of_the_end_is_best(self, make_batch: Callable[..., Batch]) -> None:
        """Where the API has it, nothing else counts."""
        one = make_batch(finished_at="2026-02-01", video_url="https://a.example/1.mp4")
        same = make_batch(finished_at="2026-02-01", video_url="https://a.example/2.mp4")
        assert submission_key(one) == submission_key(same)


@pytest.mark.parametrize("make_store", [MemorySeen], ids=lambda made: made.__name__)
class TestSeenStore:
    """The protocol, on each store that there is."""

    def test_a_key_is_new_once(self, make_store: Callable[[], SeenStore]) -> None:
        """Until it is forgotten."""
        store = make_store()
        assert [store.add("a"), store.add("a"), store.add("b")] == [True, False, True]
        store.discard("a")
        store.discard("never there")
        assert [store.add("a"), store.add("b")] == [True, False]

    def test_of_many_at_once_one_is_first(self, make_store: Callable[[], SeenStore]) -> None:
        """Eight threads add the same hundred keys, and each key is new to one."""
        store, start, new = make_store(), Barrier(8), []

        def add() -> None:
            start.wait()
            new.extend([key for key in map(str, range(100)) if store.add(key)])

        threads = [Thread(target=add) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(new, key=int) == list(map(str, range(100)))


def test_the_memory_forgets_the_oldest() -> None:
    """It holds no more than `most`."""
    store = MemorySeen(most=2)
    assert [store.add(key) for key in "abca"] == [True] * 4


class TestReceiver:
    """Once for each end."""

    def test_duplicates_are_dropped_and_a_resubmission_is_not(
        self, make_batch: Callable[..., Batch]
    ) -> None:
        """Two webhooks of each of two submissions make two events."""
        handled: list[str | None] = []
        api = OneBatch(make_batch(video_url="https://m.example/video-1.mp4"))
        receiver = Receiver(api, lambda _, batch: handled.append(batch.video_url))
        first = [receiver.receive(BODY).is_new for _ in range(2)]
        api.batch = make_batch(video_url="https://m.example/video-2.mp4")
        second = [receiver.receive(BODY).is_new for _ in range(2)]
        assert first == second == [True, False]
        assert handled == ["https://m.example/video-1.mp4", "https://m.example/video-2.mp4"]

    def test_a_word_of_the_caller_tells_submissions_apart(
        self, make_batch: Callable[..., Batch]
    ) -> None:
        """With it, not even a change of the time between makes a failure count twice."""
        api = OneBatch(make_batch(status="fail"))
        receiver = Receiver(api, lambda *_: None)
        body = {**BODY, "status": "fail"}
        assert receiver.receive(body, submission="1").is_new
        api.batch = make_batch(status="fail", updated_at="2025-04-02 17:00:00.000000+00:00")
        assert not receiver.receive(body, submission="1").is_new
        assert receiver.receive(body, submission="2").is_new

    def test_what_could_not_be_handled_is_not_lost(self, make_batch: Callable[..., Batch]) -> None:
        """The handler's error passes on, and the next webhook is handled again."""
        troubles = [OSError("the queue is away")]

        def handle(*_: object) -> None:
            if troubles:
                raise troubles.pop()

        receiver = Receiver(OneBatch(make_batch()), handle)
        with pytest.raises(OSError, match="the queue is away"):
            receiver.receive(BODY)
        assert receiver.receive(BODY).is_new

    def test_what_is_not_confirmed_leaves_no_trace(self, make_batch: Callable[..., Batch]) -> None:
        """An early webhook is refused, and the one after the end counts."""
        api = OneBatch(make_batch(status="processing"))
        receiver = Receiver(api, lambda *_: None)
        with pytest.raises(BatchNotDone):
            receiver.receive(BODY)
        api.batch = make_batch()
        assert receiver.receive(BODY).is_new

    def test_a_webhook_of_the_fixture_is_received(self, vimmerse: Any) -> None:
        """The whole way: a batch, its webhook, the API's word, and a resubmission after it."""
        receiver = Receiver(vimmerse.client, lambda *_: None)
        batch = vimmerse.client.create([b"\x89PNG\r\n\x1a\n"], webhook_url=vimmerse.webhooks.url)
        vimmerse.clock.advance(60)
        vimmerse.client.update(batch.id, prompt="Anew")
        with pytest.raises(BatchNotDone):
            receiver.receive(vimmerse.webhooks.received[0].body)
        vimmerse.clock.advance(60)
        receipts = [receiver.receive(webhook.body) for webhook in vimmerse.webhooks.received]
        assert [receipt.is_new for receipt in receipts] == [True, False]
        vimmerse.client.concat(batch.id)
        vimmerse.clock.advance(60)
        assert receiver.receive(vimmerse.webhooks.received[-1].body).is_new


def test_now_is_not_read_by_the_module() -> None:
    """A moment far in the future is as good as any: the caller says what time it is."""
    moment = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
    headers = {"webhook-id": "m", "webhook-timestamp": f"{moment:.0f}", "webhook-signature": "v1,x"}
    with pytest.raises(SignatureMismatch):
        verify_webhook(headers, b"", ["whsec_c2VjcmV0"], moment)
