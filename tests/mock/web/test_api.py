from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from urllib3 import encode_multipart_formdata
from werkzeug.test import TestResponse

from support.frozen_time import FrozenTime
from vimmerse_contracts.operations import OPERATIONS
from vimmerse_mock.account.account import Account
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.model.account import SAMPLE_ACCOUNT, Opening
from vimmerse_mock.model.limits import Limits
from vimmerse_mock.web.api import PublicApi

KEY = {"X-Api-Key": "YOUR_API_KEY"}
URLS = {"image_urls": ["http://images.example/1.jpg"]}
NOBODY = "00000000-0000-4000-8000-000000000000"
EXAMPLE = json.loads((Path(__file__).with_name("samples") / "batch_object.json").read_text())


@pytest.fixture
def mock(frozen_time: FrozenTime) -> Iterator[Mock]:
    """A mock that takes images of up to 1000 bytes, and requests of up to 5000."""
    mock = create_mock(real_time=frozen_time, limits=Limits(file=1_000, request=5_000))
    yield mock
    mock.close()


@pytest.fixture
def account(mock: Mock) -> Account:
    """The account of the samples."""
    return mock.open_account("http://mock", SAMPLE_ACCOUNT)


@pytest.fixture
def api(mock: Mock, account: Account) -> FlaskClient:  # noqa: ARG001 - the account must be there
    """Calls the mock's WSGI application."""
    return mock.app.test_client()


def upload(api: FlaskClient, *contents: bytes, **fields: str) -> TestResponse:
    """Create a batch from files."""
    files = [("image_files", (f"{i}.png", content)) for i, content in enumerate(contents)]
    body, kind = encode_multipart_formdata([*files, *fields.items()])
    return api.post("/batch", headers=KEY, data=body, content_type=kind)


def detail(response: TestResponse) -> dict[tuple[str | int, ...], str]:
    """The places and types of a 422."""
    assert response.status_code == 422
    assert response.json is not None
    return {tuple(problem["loc"]): problem["type"] for problem in response.json["detail"]}


def shape(value: Any) -> Any:
    """The keys in their order and the types, all the way down."""
    if isinstance(value, dict):
        return [(key, shape(inner)) for key, inner in value.items()]
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value)


def test_the_batch_has_the_seeds_keys_order_types_and_formats(api: FlaskClient, png: bytes) -> None:
    """A fresh batch of two images is shaped exactly like the seed's example."""
    response = upload(api, png, png, title="New Batch Example", sound_effects="Yes")
    body = json.loads(response.data)
    assert shape(body) == shape(EXAMPLE)
    same = set(EXAMPLE["data"]) - {
        "id",
        "manager_id",
        "customer_id",
        "medias",
        "created_at",
        "updated_at",
    }
    assert {key: body["data"][key] for key in same} == {key: EXAMPLE["data"][key] for key in same}


def test_identifiers_and_timestamps_look_like_the_real_ones(api: FlaskClient) -> None:
    """Ids are UUIDs of version 4; instants are what Python's `str(datetime)` makes of them."""
    batch = api.post("/batch", headers=KEY, data=URLS).json["data"]  # type: ignore[index] # JSON
    assert {UUID(batch["id"]).version, UUID(batch["medias"][0]["media_id"]).version} == {4}
    assert batch["created_at"] == str(datetime.fromisoformat(batch["created_at"]))


def test_updated_at_follows_what_happens(api: FlaskClient, account: Account) -> None:
    """It is the instant of the last event: here the end of the submission, four seconds later."""
    batch = api.post("/batch", headers=KEY, data=URLS).json["data"]  # type: ignore[index] # JSON
    account.clock.advance(60)
    later = api.get(f"/batch/{batch['id']}", headers=KEY).json["data"]  # type: ignore[index] # JSON
    assert batch["created_at"] == later["created_at"] == "2025-04-02 12:00:00+00:00"
    assert later["updated_at"] == "2025-04-02 12:00:04+00:00"


def test_two_updates_at_one_instant_are_both_seen(api: FlaskClient, account: Account) -> None:
    """Answers that are kept are never stale, even if no time has passed."""
    account.clock.advance(1)
    batch = api.post("/batch", headers=KEY, data=URLS).json["data"]  # type: ignore[index] # JSON
    for title in ("one", "two"):
        api.put(f"/batch/{batch['id']}/edit", headers=KEY, data={"title": title})
        seen = api.get(f"/batch/{batch['id']}", headers=KEY).json
        assert seen is not None
        assert seen["data"]["title"] == title


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/batch"),
        ("GET", f"/batch/{NOBODY}"),
        ("PUT", f"/batch/{NOBODY}/edit"),
        ("POST", f"/batch/{NOBODY}/concat"),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"X-Api-Key": ""}, {"X-Api-Key": "wrong"}])
def test_no_key_and_a_wrong_key_are_401(
    api: FlaskClient, method: str, path: str, headers: dict[str, str]
) -> None:
    """Every operation on batches asks for the key first."""
    response = api.open(path, method=method, headers=headers)
    assert (response.status_code, response.json) == (401, {"message": "UNAUTHORIZED"})


def test_health_needs_no_key(api: FlaskClient) -> None:
    """Health answers anybody."""
    assert api.get("/health").json == {"status": "ok"}


@pytest.mark.parametrize(
    ("call", "status", "message"),
    [
        (("POST", "/batch", {}), 400, "BAD_REQUEST"),
        (("POST", "/batch", {**URLS, "duration": "10", "quantity": "4"}), 402, None),
        (("GET", "/batch/nonsense", {}), 400, "BAD_REQUEST"),
        (("GET", f"/batch/{NOBODY}", {}), 404, "NOT_FOUND"),
        (("PUT", f"/batch/{NOBODY}/edit", {}), 404, "NOT_FOUND"),
        (("POST", f"/batch/{NOBODY}/concat", {}), 404, "NOT_FOUND"),
        (("PATCH", "/batch", {}), 405, "METHOD_NOT_ALLOWED"),
        (("OPTIONS", "/batch", {}), 405, "METHOD_NOT_ALLOWED"),
        (("GET", "/batches", {}), 404, "NOT_FOUND"),
        (("GET", "//batch/x", {}), 404, "NOT_FOUND"),
        (("GET", "/", {}), 404, "NOT_FOUND"),
    ],
)
def test_errors_are_json_with_the_documented_message(
    mock: Mock, call: tuple[str, str, dict[str, Any]], status: int, message: str | None
) -> None:
    """Each refusal has its status and its one-word message, and is never a page."""
    mock.open_account("http://mock", Opening(api_key="YOUR_API_KEY", credits=39))
    method, path, data = call
    response = mock.app.test_client().open(path, method=method, headers=KEY, data=data)
    assert (response.status_code, response.mimetype) == (status, "application/json")
    assert response.json == {"message": message or "INSUFFICIENT_CREDIT"}


def test_405_says_what_is_allowed(api: FlaskClient) -> None:
    """The Allow header lists the methods of the path."""
    assert api.delete("/batch").headers["Allow"] == "POST"


def test_every_wrong_field_is_listed(api: FlaskClient, account: Account) -> None:
    """A form with eight mistakes gets eight entries, each with place and type, and is free."""
    response = upload(
        api,
        b"no image",
        b"",
        duration="eleven",
        quantity="5",
        loop="0",
        is_transition="perhaps",
        motion_type="Kling",
        webhook_url="ftp://example.com/",
        title="fine",
    )
    assert detail(response) == {
        ("body", "image_files", 0): "value_error",
        ("body", "image_files", 1): "value_error",
        ("body", "duration"): "int_parsing",
        ("body", "quantity"): "less_than_equal",
        ("body", "loop"): "greater_than_equal",
        ("body", "is_transition"): "bool_parsing",
        ("body", "motion_type"): "literal_error",
        ("body", "webhook_url"): "url_scheme",
    }
    assert len(account.ledger) == 1


def test_a_url_that_is_not_http_is_refused_and_costs_nothing(
    api: FlaskClient, account: Account
) -> None:
    """Of three image URLs the two bad ones are named by their place."""
    urls = ["http://images.example/1.jpg", "file:///etc/passwd", "images.example/2.jpg"]
    response = api.post("/batch", headers=KEY, data={"image_urls": urls})
    assert detail(response) == {
        ("body", "image_urls", 1): "url_scheme",
        ("body", "image_urls", 2): "url_parsing",
    }
    assert len(account.ledger) == 1


def test_an_image_is_judged_by_its_content(api: FlaskClient, png: bytes) -> None:
    """A PNG named .txt passes, and a text named .png does not."""
    named = {"image_files": [(BytesIO(png), "picture.txt")]}
    assert api.post("/batch", headers=KEY, data=named).status_code == 200
    named = {"image_files": [(BytesIO(b"just words"), "picture.png")]}
    assert api.post("/batch", headers=KEY, data=named).status_code == 422


@pytest.mark.parametrize(
    "head",
    [b"\xff\xd8\xff\xe0\x00\x10JFIF", b"GIF89a", b"RIFF\x10\x00\x00\x00WEBPVP8 "],
    ids=["jpeg", "gif", "webp"],
)
def test_the_usual_formats_are_images(api: FlaskClient, head: bytes) -> None:
    """JPEG, GIF and WebP pass as well as PNG."""
    assert upload(api, head + b"\0" * 100).status_code == 200


def test_of_an_image_name_format_and_size_are_kept(
    api: FlaskClient, mock: Mock, png: bytes
) -> None:
    """The store keeps what an image was, not its bytes."""
    response = upload(api, png)
    assert response.json is not None
    batch = mock.courier.store.batch("YOUR_CUSTOMER_ID", response.json["data"]["id"])
    assert batch is not None
    image = batch.medias[0].image
    assert (image.name, image.format, image.size) == ("0.png", "png", len(png))


def test_an_image_over_the_limit_is_413(api: FlaskClient, account: Account, png: bytes) -> None:
    """One byte over is refused, and costs nothing; the limit itself is fine."""
    assert upload(api, png + b"\0" * (1_000 - len(png))).status_code == 200
    response = upload(api, png + b"\0" * (1_001 - len(png)))
    assert (response.status_code, response.json) == (413, {"message": "PAYLOAD_TOO_LARGE"})
    assert len(account.ledger) == 2


def test_a_request_over_the_limit_is_413(api: FlaskClient, png: bytes) -> None:
    """Many images that together are too much are refused."""
    response = upload(api, *[png + b"\0" * 800] * 6)
    assert (response.status_code, response.json) == (413, {"message": "PAYLOAD_TOO_LARGE"})


@pytest.mark.parametrize(
    "body",
    [b"--x\r\nnonsense", b"", b"\xff\xfe\x00", b'--x\r\nContent-Disposition: form-data; name="'],
)
def test_a_broken_multipart_body_is_a_bad_request(api: FlaskClient, body: bytes) -> None:
    """What cannot be read as a form is 400 in JSON."""
    kind = "multipart/form-data; boundary=x"
    response = api.post("/batch", headers=KEY, data=body, content_type=kind)
    assert (response.status_code, response.json) == (400, {"message": "BAD_REQUEST"})


@pytest.mark.parametrize("name", [b'; name=""', b'; name="\\"', b'; name="odd\\"'])
def test_a_part_with_an_odd_name_is_ignored(
    api: FlaskClient, account: Account, name: bytes
) -> None:
    """A part of a form whose name is empty or broken is as a field that nobody knows."""
    parts = (name, b"?"), (b'; name="image_urls"', b"http://images.example/1.jpg")
    body = b"".join(
        b"--x\r\nContent-Disposition: form-data%s\r\n\r\n%s\r\n" % part for part in parts
    )
    kind = "multipart/form-data; boundary=x"
    answer = api.post("/batch", headers=KEY, data=body + b"--x--\r\n", content_type=kind)
    assert answer.status_code == 200
    (exchange,) = account.journal.requests()
    assert exchange.status == 200


def test_a_chunked_body_over_the_limit_is_413(api: FlaskClient, account: Account) -> None:
    """A body that does not foretell its length is not cut off and accepted."""
    body = b"image_urls=http%3A%2F%2Fa%2F1.png&title=" + b"x" * 6_000
    response = api.post(
        "/batch",
        headers={**KEY, "Transfer-Encoding": "chunked"},
        input_stream=BytesIO(body),
        content_type="application/x-www-form-urlencoded",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert (response.status_code, response.json) == (413, {"message": "PAYLOAD_TOO_LARGE"})
    assert len(account.ledger) == 1


def test_a_thousand_files_are_the_most(frozen_time: FrozenTime, png: bytes) -> None:
    """As with FastAPI, which refuses more with 400; the header says why."""
    mock = create_mock(real_time=frozen_time)
    mock.open_account("http://mock", SAMPLE_ACCOUNT)
    api = mock.app.test_client()
    assert upload(api, *[png] * 1_000).status_code == 200
    refused = upload(api, *[png] * 1_001)
    assert refused.status_code == 400
    assert "Maximum number of files is 1000" in refused.headers["X-Vimmerse-Mock-Why"]


def test_an_empty_url_counts_as_none(api: FlaskClient) -> None:
    """`image_urls=` gives no image, which is 400, and no wrong URL."""
    response = api.post("/batch", headers=KEY, data={"image_urls": ""})
    assert (response.status_code, response.json) == (400, {"message": "BAD_REQUEST"})


def test_an_account_that_is_closed_meanwhile_is_nobody(
    api: FlaskClient, mock: Mock, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key whose account goes away during the request is answered like any unknown key."""
    store = mock.courier.store
    state = store.account(account.customer_id)
    account.close()
    monkeypatch.setattr(store, "account_by_key", lambda _key: state)
    assert api.post("/batch", headers=KEY, data=URLS).status_code == 401


def test_a_text_in_place_of_a_file_and_a_file_in_place_of_text(
    api: FlaskClient, png: bytes
) -> None:
    """Both mix-ups are named as FastAPI would."""
    assert detail(api.post("/batch", headers=KEY, data={"image_files": "a.png"})) == {
        ("body", "image_files", 0): "value_error"
    }
    data = {"title": (BytesIO(png), "a.png"), **URLS}
    assert detail(api.post("/batch", headers=KEY, data=data)) == {("body", "title"): "string_type"}


def test_a_mistake_of_the_mock_is_a_500_without_a_trace(
    mock: Mock, account: Account, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unforeseen exception is logged, and the answer says nothing of it."""

    def broken(*_args: object) -> None:
        raise ZeroDivisionError("secret inner workings")

    monkeypatch.setattr(type(mock.courier.store), "batch", broken)
    response = mock.app.test_client().get(f"/batch/{NOBODY}", headers={"X-Api-Key": account.key})
    assert (response.status_code, response.json) == (500, {"message": "INTERNAL_SERVER_ERROR"})
    assert b"secret" not in response.data
    assert "secret inner workings" in caplog.text


def test_the_openapi_document_is_served_and_valid(api: FlaskClient) -> None:
    """`/openapi.json` is a valid OpenAPI 3.1 document with every operation of the table."""
    document = api.get("/openapi.json").json
    assert document is not None
    validate(document)
    paths = document["paths"].values()
    assert {inner["operationId"] for path in paths for inner in path.values()} == {
        operation.id for operation in OPERATIONS
    }


def test_every_operation_has_a_route_and_a_method(mock: Mock) -> None:
    """The routes are those of the table."""
    routes = {rule.endpoint: rule for rule in mock.app.url_map.iter_rules()}
    for operation in OPERATIONS:
        assert operation.method in (routes[operation.id].methods or set())
        assert callable(getattr(PublicApi, operation.id))


def test_a_mock_takes_no_routes_of_others(mock: Mock) -> None:
    """All mocks of a process share theirs, so that one which is added says so at once."""
    with pytest.raises(RuntimeError, match="add yours to another app"):
        mock.app.get("/mine")(lambda: "mine")


class TestFiles:
    """The videos that a batch links to."""

    @pytest.fixture
    def finished(self, api: FlaskClient, account: Account) -> dict[str, Any]:
        """A finished batch of two images."""
        two = {"image_urls": ["http://images.example/1.jpg", "http://images.example/2.jpg"]}
        batch_id = api.post("/batch", headers=KEY, data=two).json["data"]["id"]  # type: ignore[index] # JSON
        account.clock.advance(60)
        batch: dict[str, Any] = api.get(f"/batch/{batch_id}", headers=KEY).json["data"]  # type: ignore[index] # JSON
        return batch

    def test_the_composed_video_plays(self, api: FlaskClient, finished: dict[str, Any]) -> None:
        """`video_url` answers with an MP4 of which a decoder reads every frame, without a key."""
        import av

        with api.get(finished["video_url"]) as response:
            assert (response.status_code, response.mimetype) == (200, "video/mp4")
            video = BytesIO(response.data)
        with av.open(video, mode="r") as container:
            frames = list(container.decode(video=0))
        assert len(frames) == 2 * 5 * 24

    def test_each_media_has_a_video(self, api: FlaskClient, finished: dict[str, Any]) -> None:
        """A media's result lies beside the composed video, under the media's id."""
        base = finished["video_url"].rpartition("/")[0]
        for media in finished["finished_medias"]:
            with api.get(f"{base}/{media['media_id']}.mp4") as response:
                assert (response.status_code, response.mimetype) == (200, "video/mp4")

    def test_a_range_of_it_can_be_asked_for(
        self, api: FlaskClient, finished: dict[str, Any]
    ) -> None:
        """Players and downloaders seek."""
        with api.get(finished["video_url"], headers={"Range": "bytes=4-7"}) as response:
            assert (response.status_code, response.data) == (206, b"ftyp")
            assert response.headers["Content-Length"] == "4"

    def test_it_is_sent_again_only_if_it_changed(
        self, api: FlaskClient, finished: dict[str, Any]
    ) -> None:
        """Whoever has it already gets 304; a range of one that changed meanwhile is sent whole."""
        url = finished["video_url"]
        whole = api.get(url)
        assert whole.headers["Content-Length"] == str(len(whole.data))
        tag = whole.headers["ETag"]
        assert api.get(url, headers={"If-None-Match": tag}).status_code == 304
        part = {"Range": "bytes=0-3", "If-Range": tag}
        assert api.get(url, headers=part).status_code == 206
        assert api.get(url, headers={**part, "If-Range": '"another"'}).data == whole.data

    def test_what_is_not_there_yet_is_404(self, api: FlaskClient, finished: dict[str, Any]) -> None:
        """While it is processed again the old video is gone, and unknown names never were."""
        base = finished["video_url"].rpartition("/")[0]
        api.put(f"/batch/{finished['id']}/edit", headers=KEY, data={"prompt": "sea"})
        unknown = (f"{base}/other.mp4", f"/files/nobody/{NOBODY}/a.mp4", "/files/%00/%00/a.mp4")
        for url in (finished["video_url"], *unknown):
            assert (api.get(url).status_code, api.get(url).json) == (404, {"message": "NOT_FOUND"})


@pytest.fixture
def reread(api: FlaskClient) -> Callable[[str], dict[str, Any]]:
    """Read a batch."""
    return lambda batch_id: api.get(f"/batch/{batch_id}", headers=KEY).json["data"]  # type: ignore[index] # JSON


def test_links_begin_at_the_address_that_the_client_used(
    api: FlaskClient, account: Account, reread: Callable[[str], dict[str, Any]]
) -> None:
    """A client behind another name gets links it can follow; kept answers do not mix names up."""
    batch_id = api.post("/batch", headers=KEY, data=URLS).json["data"]["id"]  # type: ignore[index] # JSON
    account.clock.advance(60)
    named = api.get(f"/batch/{batch_id}", headers={**KEY, "Host": "mock.example:81"}).json
    assert named is not None
    assert named["data"]["video_url"].startswith("http://mock.example:81/files/")
    assert reread(batch_id)["video_url"].startswith("http://localhost/files/")
    unusable = api.get(f"/batch/{batch_id}", headers={**KEY, "Host": "a b/c"}).json
    assert unusable is not None
    assert unusable["data"]["video_url"].startswith("http://localhost:80/files/")


@pytest.mark.parametrize("customer_id", ["a?b", "a#b", "a%2Fb", "a&b;c", "\u6d77\N{PARTY POPPER}"])
def test_links_lead_to_the_video_whatever_the_customer_is_called(
    mock: Mock, api: FlaskClient, customer_id: str
) -> None:
    """The customer's id stands quoted in them; the control plane finds the customer as well."""
    opening = Opening("mine", customer_id, scenario="instant", clock="manual")
    account = mock.open_account("http://localhost", opening)
    batch_id = api.post("/batch", headers={"X-Api-Key": "mine"}, data=URLS).json["data"]["id"]  # type: ignore[index] # JSON
    batch = api.get(f"/batch/{batch_id}", headers={"X-Api-Key": "mine"}).json
    assert batch is not None
    link = urlsplit(batch["data"]["video_url"])
    assert (link.query, link.fragment) == ("", "")
    assert link.path.isascii()
    assert api.get(link.path).mimetype == "video/mp4"
    assert account.credits == 100_000 - 5
