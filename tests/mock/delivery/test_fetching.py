from __future__ import annotations

import socket
from collections.abc import Iterator
from threading import Event
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from support.sockets import answering
from vimmerse_client import Client
from vimmerse_mock.app import create_mock
from vimmerse_mock.delivery import Allowlist, ImageFetcher
from vimmerse_mock.server import MockServer
from vimmerse_mock.serving.thread import WsgiThread


@pytest.fixture
def images(png: bytes) -> Iterator[str]:
    """Where a server of images is."""
    answers = {
        "/image.png": ("200 OK", png),
        "/page.html": ("200 OK", b"<html></html>"),
        "/empty.png": ("200 OK", b""),
        "/large.png": ("200 OK", png + bytes(1000)),
        "/error.png": ("500 Internal Server Error", png),
    }

    def serve(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        path = environ["PATH_INFO"]
        if path in {"/moved", "/circle"}:
            to = "/image.png" if path == "/moved" else path
            start("302 Found", [("Location", to)])
            return []
        if path == "/away":
            start("302 Found", [("Location", "http://192.0.2.1/image.png")])
            return []
        status, body = answers.get(path, ("404 Not Found", b""))
        start(status, [("Content-Type", "image/png")])
        return [body]

    thread = WsgiThread(serve)
    thread.start()
    yield thread.url
    thread.stop()


def test_images_are_fetched_in_their_order(images: str, png: bytes) -> None:
    """What can't be had, or is too large, is None; a redirect is followed where it may go."""
    paths = ["image.png", "gone.png", "moved", "empty.png", "large.png", "error.png", "circle"]
    fetcher = ImageFetcher(Allowlist(), limit=len(png) + 500, timeout=60)
    fetched = fetcher.fetch([f"{images}/{path}" for path in (*paths, "away")])
    assert fetched == [png, None, png, None, None, None, None, None]


def test_only_hosts_of_the_allowlist_are_asked(images: str) -> None:
    """A mock that others can reach fetches nothing from its own network."""
    fetcher = ImageFetcher(Allowlist(local=False), limit=10_000)
    assert fetcher.fetch([f"{images}/image.png", "ftp://localhost/a.png"]) == [None, None]


def test_a_server_that_does_not_answer_is_given_up() -> None:
    """Fetching ends in time, whatever the other side does."""
    enough = Event()

    def say_nothing(_connection: socket.socket) -> None:
        enough.wait(60)

    with answering(say_nothing) as port:
        fetched = ImageFetcher(Allowlist(), 100, timeout=0.2).fetch([f"http://127.0.0.1:{port}/"])
        assert fetched == [None]
        enough.set()


def test_an_image_that_cannot_be_had_fails_its_media(images: str) -> None:
    """With `fetch_images` the media of a missing image, or of a page, fail; now and when edited."""
    urls = [f"{images}/{path}" for path in ("image.png", "gone.png", "page.html", "moved")]
    with (
        MockServer(create_mock(fetch_images=True)) as server,
        Client(server.account.key, base_url=server.url) as client,
    ):
        created = client.create(images=urls, duration=1)
        server.account.clock.advance("1h")
        one, two, three, four = created.medias
        batch = client.get(created.id)
        assert (list(batch.finished_medias), list(batch.failed_medias)) == (
            [one, four],
            [two, three],
        )
        client.update(created.id, prompt="again")
        server.account.clock.advance("1h")
        assert list(client.get(created.id).failed_medias) == [two, three]


def test_without_being_asked_a_mock_fetches_nothing(images: str) -> None:
    """By default a URL is a media, whatever it leads to."""
    with MockServer() as server, Client(server.account.key, base_url=server.url) as client:
        created = client.create(images=[f"{images}/gone.png"], duration=1)
        server.account.clock.advance("1h")
        assert client.get(created.id).failed_medias == ()
