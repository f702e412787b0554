"""The example of a receiver for production, tested as its user would: with the fixture."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import standardwebhooks
from flask import Flask
from werkzeug.test import TestResponse

from pytest_vimmerse.handle import Vimmerse
from support.frozen_time import NOON
from vimmerse_client import Client
from vimmerse_mock import MockServer

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "flask_receiver.py"
PATH = "/webhooks/vimmerse"
PNG = b"\x89PNG\r\n\x1a\n"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def example() -> Iterator[ModuleType]:
    """The example, imported from its file."""
    spec = importlib.util.spec_from_file_location("flask_receiver_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def database(example: ModuleType, tmp_path: Path) -> Any:
    """Its database, empty."""
    return example.Database(tmp_path / "hooks.db")


@pytest.fixture
def app(example: ModuleType, database: Any, vimmerse: Vimmerse) -> Flask:
    """The receiver, before the fixture's API."""
    made: Flask = example.create_app(vimmerse.client, database, secrets=())
    return made


@pytest.fixture
def url(app: Flask, vimmerse: Vimmerse) -> str:
    """What is handed out as webhook_url."""
    return vimmerse.webhooks.deliver_to(app, path=PATH)


def post(app: Flask, body: Any, headers: dict[str, str] | None = None) -> TestResponse:
    """Send the receiver anything."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return app.test_client().post(PATH, data=data, headers=headers)


def test_a_finished_batch_becomes_one_job(vimmerse: Vimmerse, url: str, database: Any) -> None:
    """With the video that the API has."""
    batch = vimmerse.client.create([PNG], webhook_url=url)
    assert vimmerse.webhooks.expect(batch_id=batch.id).answered == 204
    video = vimmerse.client.get(batch.id).video_url
    assert database.jobs() == [(batch.id, "success", video)]


def test_duplicates_make_no_second_job(
    vimmerse: Vimmerse, url: str, app: Flask, database: Any
) -> None:
    """Neither one after the other, nor many at once; each is answered well."""
    vimmerse.client.create([PNG], webhook_url=url)
    body = vimmerse.webhooks.expect().body
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(app, body).status_code, range(16)))
    assert answers == [204] * 16
    assert len(database.jobs()) == 1


def test_processing_again_makes_a_second_job(vimmerse: Vimmerse, url: str, database: Any) -> None:
    """A resubmission and a concat are ends of their own."""
    batch = vimmerse.client.create([PNG], webhook_url=url)
    vimmerse.webhooks.expect()
    vimmerse.use_scenario("fail")
    vimmerse.client.update(batch.id, prompt="Anew")
    vimmerse.webhooks.expect(status="fail")
    vimmerse.use_scenario("success")
    vimmerse.client.update(batch.id, prompt="Once more")
    vimmerse.webhooks.expect(status="success")
    vimmerse.client.concat(batch.id)
    vimmerse.webhooks.expect(status="success")
    assert [status for _, status, _ in database.jobs()] == ["success", "fail", "success", "success"]


def test_an_early_webhook_is_refused_until_it_is_true(
    vimmerse: Vimmerse, url: str, app: Flask, database: Any
) -> None:
    """It says success while the batch processes: 503, and later it counts."""
    batch = vimmerse.client.create([PNG], webhook_url=url)
    early = {"customer_id": vimmerse.customer_id, "batch_id": batch.id, "status": "success"}
    answer = post(app, early)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert database.jobs() == []
    vimmerse.webhooks.expect(answered=204)
    assert len(database.jobs()) == 1


def test_a_stale_status_is_refused(vimmerse: Vimmerse, app: Flask, database: Any) -> None:
    """The batch ended otherwise."""
    batch = vimmerse.client.wait(vimmerse.client.create([PNG]).id)
    stale = {"customer_id": vimmerse.customer_id, "batch_id": batch.id, "status": "fail"}
    assert post(app, stale).status_code == 409
    assert database.jobs() == []


def test_what_is_not_ours_is_not_found(
    vimmerse: Vimmerse, vimmerse_server: MockServer, app: Flask, database: Any
) -> None:
    """A batch of somebody else's, no batch at all, or ours in somebody else's name."""
    other = vimmerse_server.open_account()
    with Client(other.key, other.url) as theirs:
        foreign = theirs.create([PNG]).id
    mine = vimmerse.client.wait(vimmerse.client.create([PNG]).id).id
    for customer_id, batch_id in [
        (other.customer_id, foreign),
        (vimmerse.customer_id, foreign),
        (vimmerse.customer_id, "not even a UUID"),
        (other.customer_id, mine),
    ]:
        forged = {"customer_id": customer_id, "batch_id": batch_id, "status": "success"}
        assert post(app, forged).status_code == 404
    assert database.jobs() == []
    other.close()


@pytest.mark.parametrize("garbage", [b"", b"\xff", b"<html>", b"[]", b"{}", b'{"status": 1}'])
def test_garbage_is_a_bad_request(app: Flask, database: Any, garbage: bytes) -> None:
    """And the sender learns no more than that."""
    answer = post(app, garbage)
    assert (answer.status_code, answer.get_json()) == (400, {"refused": "InvalidWebhook"})
    assert database.jobs() == []


def test_too_much_is_refused(app: Flask) -> None:
    """Before it is read."""
    assert post(app, b"x" * 100_000).status_code == 413


def test_an_api_that_is_away_costs_no_webhook(
    example: ModuleType, vimmerse: Vimmerse, database: Any
) -> None:
    """It is answered with 503, so that it comes again, and then it counts."""
    broken = True

    class Sometimes:
        """The API, or nobody."""

        def get(self, batch_id: str) -> Any:
            """Ask whom there is."""
            with Client("key", "http://127.0.0.1:9", timeout=1, sleep=lambda _: None) as nobody:
                return (nobody if broken else vimmerse.client).get(batch_id)

    url = vimmerse.webhooks.deliver_to(example.create_app(Sometimes(), database, ()), path=PATH)
    vimmerse.client.create([PNG], webhook_url=url)
    assert vimmerse.webhooks.expect().answered == 503
    broken = False
    assert vimmerse.webhooks.expect().answered == 204
    assert len(database.jobs()) == 1


def test_a_database_that_is_away_costs_no_webhook(
    example: ModuleType, vimmerse: Vimmerse, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was remembered before the job could not be written is forgotten again."""
    enqueue, troubles = database.enqueue, [OSError("disk full")]

    def sometimes(*job: Any) -> None:
        if troubles:
            raise troubles.pop()
        enqueue(*job)

    monkeypatch.setattr(database, "enqueue", sometimes)
    url = vimmerse.webhooks.deliver_to(
        example.create_app(vimmerse.client, database, ()), path=PATH, raises=False
    )
    vimmerse.client.create([PNG], webhook_url=url)
    assert vimmerse.webhooks.expect().answered == 500
    assert vimmerse.webhooks.expect().answered == 204
    assert len(database.jobs()) == 1


def test_where_secrets_are_set_only_the_signed_is_taken(
    example: ModuleType, vimmerse: Vimmerse, database: Any
) -> None:
    """By the old secret or the new one; a replay later, or another body, is refused."""
    now = NOON / 1e6
    app = example.create_app(vimmerse.client, database, ["whsec_bmV3", SECRET], lambda: now)
    batch = vimmerse.client.wait(vimmerse.client.create([PNG]).id)
    body = {"customer_id": vimmerse.customer_id, "batch_id": batch.id, "status": "success"}
    text = json.dumps(body)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": f"{now:.0f}",
        "webhook-signature": standardwebhooks.Webhook(SECRET).sign(
            "msg_1", datetime.fromtimestamp(now, UTC), text
        ),
    }
    assert post(app, body).status_code == 401
    assert post(app, text.encode() + b" ", headers).status_code == 401
    assert [post(app, text.encode(), headers).status_code for _ in range(2)] == [204, 204]
    now += 1000
    assert post(app, text.encode(), headers).status_code == 401
    assert len(database.jobs()) == 1


def test_it_is_set_up_by_its_environment(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `flask --app examples/flask_receiver run` does."""
    monkeypatch.setenv("VIMMERSE_API_KEY", "mine")
    monkeypatch.setenv("VIMMERSE_RECEIVER_DATABASE", str(tmp_path / "mine.db"))
    monkeypatch.setenv("VIMMERSE_WEBHOOK_SECRETS", SECRET)
    assert post(example.create_app(), {}).status_code == 401
    assert (tmp_path / "mine.db").exists()
