"""Webhooks that reach an application of this process without a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import flask
import pytest

from vimmerse_client import Client, Receiver
from vimmerse_mock.delivery import Post, Reply
from vimmerse_mock.interception import Intercepted, intercept
from vimmerse_mock.model.account import SAMPLE_ACCOUNT
from vimmerse_mock.receiving.in_process import InProcessSender

if TYPE_CHECKING:
    from pytest_vimmerse.handle import Vimmerse

PNG = b"\x89PNG\r\n\x1a\n"
MANUAL = replace(SAMPLE_ACCOUNT, clock="manual")


class Elsewhere:
    """A sender that only remembers."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def send(self, post: Post) -> Reply:
        """Answer 299."""
        self.urls.append(post.url)
        return Reply(299)


def post_to(url: str) -> Post:
    """A webhook to a URL."""
    return Post(url, (("Content-Type", "application/json"),), b"{}")


@pytest.fixture
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)


@pytest.fixture
def intercepted(_no_sockets: None) -> Iterator[Intercepted]:
    """An interception with its clock in the test's hand, and no network."""
    with intercept(opening=MANUAL) as vimmerse:
        yield vimmerse


def receiver_of(client: Client) -> tuple[flask.Flask, list[str]]:
    """A Flask receiver that confirms what it receives."""
    app, done = flask.Flask("receiver"), list[str]()
    receiver = Receiver(client, lambda _, batch: done.append(batch.status.value))
    app.testing = True

    @app.post("/hook")
    def hook() -> tuple[str, int]:
        receiver.receive(flask.request.get_data())
        return "", 204

    return app, done


def django_receiver() -> tuple[Any, list[Any]]:
    """A Django receiver, in a project of one view."""
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpRequest, HttpResponse
    from django.urls import path

    taken: list[Any] = []

    def hook(request: HttpRequest) -> HttpResponse:
        taken.append((request.get_host(), json.loads(request.body)))
        return HttpResponse(status=204)

    class Urls:
        urlpatterns = (path("hook/", hook),)

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["testserver", "api.mine.example"], ROOT_URLCONF=Urls, MIDDLEWARE=[]
        )
    settings.ROOT_URLCONF = Urls
    import django

    django.setup()
    return WSGIHandler(), taken


def test_what_is_mounted_is_called_and_everything_else_is_sent() -> None:
    """By the host of the URL; after unmounting it is like any other."""
    otherwise = Elsewhere()
    sender = InProcessSender(otherwise)
    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append((environ["PATH_INFO"], environ["QUERY_STRING"], environ["wsgi.input"].read()))
        start_response("410 Gone", [])
        return []

    url = sender.mount(app)
    assert sender.send(post_to(f"{url}/a%20b?c=d")) == Reply(410)
    assert seen == [("/a b", "c=d", b"{}")]
    sender.unmount(url)
    sender.unmount(url)
    assert sender.send(post_to(url)) == Reply(299)
    assert sender.send(post_to("http://other.example/")) == Reply(299)
    assert otherwise.urls == [url, "http://other.example/"]


def test_the_inbox_of_an_interception_needs_no_socket(intercepted: Intercepted) -> None:
    """Its URL is handed out like any other, and expecting moves the clock."""
    with Client("YOUR_API_KEY", "https://api.vimmerse.net") as client:
        batch = client.create([PNG], webhook_url=intercepted.webhooks.url)
        event = intercepted.webhooks.expect(batch_id=batch.id)
        assert (event.status, event.headers["Content-Type"]) == ("success", "application/json")


def test_a_flask_receiver_in_an_interception_may_call_back(intercepted: Intercepted) -> None:
    """The receiver confirms the webhook against the intercepted API, all in one process."""
    with Client("YOUR_API_KEY", "https://api.vimmerse.net") as client:
        app, done = receiver_of(client)
        client.create([PNG], webhook_url=intercepted.webhooks.deliver_to(app, path="/hook"))
        assert intercepted.webhooks.expect().answered == 204
    assert done == ["success"]


def test_a_flask_receiver_of_the_fixture_may_call_back(vimmerse: Vimmerse) -> None:
    """And a 502 that it never saw is retried until it gets through."""
    app, done = receiver_of(vimmerse.client)
    url = vimmerse.webhooks.deliver_to(app, path="/hook")
    vimmerse.webhooks.answer_with(502)
    batch = vimmerse.client.create([PNG], webhook_url=url)
    assert vimmerse.webhooks.expect(batch_id=batch.id, answered=204).number == 2
    assert done == ["success"]
    assert [attempt.status for attempt in vimmerse.outbox[0].attempts] == [502, 204]


def test_a_django_receiver_gets_the_webhook(vimmerse: Vimmerse) -> None:
    """A view of Django is called as by a server, with a host that ALLOWED_HOSTS has in tests."""
    app, taken = django_receiver()
    url = vimmerse.webhooks.deliver_to(app, path="/hook/")
    batch = vimmerse.client.create([PNG], webhook_url=url)
    assert vimmerse.webhooks.expect().answered == 204
    ((host, body),) = taken
    assert (host, body["batch_id"]) == ("testserver", batch.id)
    url = vimmerse.webhooks.deliver_to(app, path="/hook/", host="api.mine.example")
    vimmerse.client.create([PNG], webhook_url=url)
    assert vimmerse.webhooks.expect().answered == 204
    assert taken[1][0] == "api.mine.example"


def test_an_exception_of_the_receiver_ends_the_interception() -> None:
    """Where nothing was expected, the end of the block raises it."""
    app = flask.Flask("broken")
    app.testing = True
    client = Client("YOUR_API_KEY", "https://api.vimmerse.net")

    @app.post("/")
    def hook() -> str:
        raise LookupError("no such order")

    def run() -> None:
        with intercept(opening=MANUAL) as vimmerse:
            client.create([PNG], webhook_url=vimmerse.webhooks.deliver_to(app))
            vimmerse.account.clock.advance(60)

    with pytest.raises(LookupError, match="no such order"):
        run()
    client.close()
