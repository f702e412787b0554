"""`vimmerse-mock serve`, as a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from click.testing import CliRunner

from support.serving import PROGRAM, Serve
from support.waiting import await_condition
from vimmerse_mock.cli import main
from vimmerse_mock.receiving.inbox import Inbox, Listener

FORM = {"image_urls": "http://images.example/1.jpg"}


def create(serve: Serve, key: str = "YOUR_API_KEY", **fields: str) -> requests.Response:
    """Create a batch."""
    headers = {"X-Api-Key": key}
    url = f"{serve.await_url()}/batch"
    return requests.post(url, headers=headers, data=FORM | fields, timeout=60)


def look(serve: Serve, batch_id: str, key: str = "YOUR_API_KEY") -> dict[str, Any]:
    """Read a batch."""
    url, headers = f"{serve.await_url()}/batch/{batch_id}", {"X-Api-Key": key}
    batch: dict[str, Any] = requests.get(url, headers=headers, timeout=60).json()["data"]
    return batch


def test_it_announces_the_real_address_and_answers_there(tmp_path: Path) -> None:
    """With port 0 the address is printed and written, and the samples' key works at once."""
    with Serve(tmp_path, "--host", "localhost") as mock:
        url, log = mock.await_url(), tmp_path / "serve.log"
        assert url.startswith("http://127.0.0.1:")
        assert not url.endswith(":0")
        await_condition(lambda: "YOUR_API_KEY" in log.read_text(), "the key is printed")
        assert url in log.read_text()
        assert create(mock).status_code == 200


def test_a_kubernetes_service_of_its_name_stops_no_start(tmp_path: Path) -> None:
    """What is set for a Service `vimmerse-mock` is no port: it is named, and the default stands."""
    of_service = {"VIMMERSE_MOCK_PORT": "tcp://10.43.7.62:8765"}
    asked = CliRunner().invoke(main, ["serve", "--workers", "2"], env=of_service)
    assert "VIMMERSE_MOCK_PORT=tcp://10.43.7.62:8765 is ignored: Kubernetes" in asked.stderr
    assert "cannot share a store in memory" in asked.stderr
    with Serve(tmp_path, **of_service) as mock:
        assert create(mock).status_code == 200


def test_speed_makes_time_run_faster_and_the_webhook_arrives(tmp_path: Path, inbox: Inbox) -> None:
    """A batch of four seconds is done in a moment at speed 200, and a real listener hears of it."""
    with Serve(tmp_path, "--speed", "200") as mock:
        created = create(mock, webhook_url=inbox.url).json()["data"]
        (webhook,) = inbox.wait_for(1, within=60)
        assert webhook.body["batch_id"] == created["id"]
        read = requests.get(
            f"{mock.await_url()}/batch/{created['id']}",
            headers={"X-Api-Key": "YOUR_API_KEY"},
            timeout=60,
        ).json()["data"]
        assert read["status"] == "success"
        video = requests.get(read["video_url"], timeout=60)
        assert video.content[4:8] == b"ftyp"


def test_options_come_from_the_environment_too(tmp_path: Path) -> None:
    """Each option has a variable, and two accounts have their own credits."""
    environment = {
        "VIMMERSE_MOCK_API_KEY": "mine",
        "VIMMERSE_MOCK_CREDITS": "4",
        "VIMMERSE_MOCK_ACCOUNT": "theirs:5",
        "VIMMERSE_MOCK_SCENARIO": "fail",
        "VIMMERSE_MOCK_SPEED": "1000",
    }
    with Serve(tmp_path, **environment) as mock:
        assert create(mock, "mine").status_code == 402
        created = create(mock, "theirs").json()["data"]["id"]
        headers = {"X-Api-Key": "theirs"}

        def has_failed() -> bool:
            answer = requests.get(
                f"{mock.await_url()}/batch/{created}", headers=headers, timeout=60
            )
            return bool(answer.json()["data"]["status"] == "fail")

        await_condition(has_failed, "the batch has failed")
        assert create(mock, "YOUR_API_KEY").status_code == 401


def test_prices_and_limits_and_the_public_url_are_settings(tmp_path: Path) -> None:
    """A price of 20 a second empties 100 credits in one batch; links begin at the public URL."""
    options = ["--price", "Wan=20", "--credits", "100", "--public-url", "https://mock.example/"]
    with Serve(tmp_path, *options, "--speed", "1000", "--max-request-mib", "1") as mock:
        created = create(mock, motion_type="Wan").json()["data"]["id"]
        assert create(mock, motion_type="Wan").status_code == 402
        headers = {"X-Api-Key": "YOUR_API_KEY"}

        def video_url() -> str:
            answer = requests.get(
                f"{mock.await_url()}/batch/{created}", headers=headers, timeout=60
            )
            return str(answer.json()["data"].get("video_url", ""))

        await_condition(video_url, "there is a video")
        assert video_url().startswith("https://mock.example/files/")


@pytest.mark.parametrize("key", ["YOUR_API_KEY", "wrong"])
def test_a_request_that_is_too_large_is_answered_not_cut_off(tmp_path: Path, key: str) -> None:
    """A client that uploads too much, or without a good key, reads a JSON answer."""
    with Serve(tmp_path, "--max-request-mib", "1") as mock:
        answer = requests.post(
            f"{mock.await_url()}/batch",
            headers={"X-Api-Key": key},
            files={"image_files": ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 3_000_000)},
            timeout=60,
        )
        assert answer.status_code == (413 if key == "YOUR_API_KEY" else 401)
        assert set(answer.json()) == {"message"}


def test_sigterm_stops_it_cleanly(tmp_path: Path) -> None:
    """It ends with exit code 0, and nobody listens any more."""
    with Serve(tmp_path) as mock:
        url = mock.await_url()
        assert mock.stop() == 0
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{url}/health", timeout=60)


def test_the_request_under_way_is_answered_before_it_stops(tmp_path: Path) -> None:
    """A creation whose body is half sent when SIGTERM comes is carried out and answered."""
    body = b"image_urls=http%3A%2F%2Fimages.example%2F1.jpg&title=" + b"x" * 1000
    head = (
        "POST /batch HTTP/1.1\r\nHost: mock\r\nX-Api-Key: YOUR_API_KEY\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with Serve(tmp_path) as mock:
        split = urlsplit(mock.await_url())
        address = (str(split.hostname), int(split.port or 0))
        with socket.create_connection(address, timeout=60) as connection:
            connection.sendall(head.encode())
            assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(body[:500])
            mock.process.send_signal(signal.SIGTERM)
            await_condition(lambda: not _listens(address), "nobody else is let in")
            connection.sendall(body[500:])
            assert connection.recv(12) == b"HTTP/1.1 200"
        assert mock.process.wait() == 0


def _listens(address: tuple[str, int]) -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection(address, timeout=60).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_taken_port_is_a_clear_sentence(tmp_path: Path) -> None:
    """A second mock on the same port is refused with exit code 2, though both could share it."""
    with Serve(tmp_path) as mock:
        port = str(urlsplit(mock.await_url()).port)
        second = subprocess.run(
            [PROGRAM, "serve", "--port", port],
            check=False,
            capture_output=True,
            text=True,
        )
    assert second.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in second.stderr
    assert "choose another --port" in second.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--speed", "0"], "0"),
        (["--speed", "nan"], "nan"),
        (["--speed", "inf"], "inf"),
        (["--host", ""], "no host is given"),
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid"),
        (["--ready-file", "/no/such/folder/ready"], "there is no folder /no/such/folder"),
        (["--keep", "7w"], "an age like 7d"),
        (["--credits", "-1"], "-1"),
        (["--account", "nocolon"], "KEY:CREDITS"),
        (["--price", "Kling=2"], "not one of Auto"),
        (["--scenario", "explode"], "success"),
        (["--account", "k:1", "--account", "k:2"], "same API key"),
        (["--port", "70000"], "65535"),
        (["--webhook-allow", "http://a.example"], "--webhook-allow: 'http://a.example' is no"),
    ],
)
def test_a_bad_option_is_a_clear_sentence(options: Sequence[str], says: str) -> None:
    """Exit code 2, and what was expected."""
    result = CliRunner().invoke(main, ["serve", *options])
    assert result.exit_code == 2
    assert says in result.stderr


def test_the_openapi_document_can_be_printed() -> None:
    """`vimmerse-mock openapi` prints the document as JSON."""
    result = CliRunner().invoke(main, ["openapi"])
    assert '"openapi": "3.1.0"' in result.stdout


def test_uploads_do_not_stay_in_memory(tmp_path: Path) -> None:
    """After 200 MB of images the process has grown by far less than their size."""
    image = b"\x89PNG\r\n\x1a\n" + b"\0" * 1_000_000

    def resident(process: subprocess.Popen[bytes]) -> int:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in children]
        return sum(pages) * os.sysconf("SC_PAGE_SIZE")

    with Serve(tmp_path) as mock, requests.Session() as session:
        if not Path("/proc/self/statm").exists():
            pytest.skip("resident memory is read from /proc, which this system has not")

        url = f"{mock.await_url()}/batch"

        def upload(count: int) -> None:
            for _ in range(count):
                files = [("image_files", (f"{i}.png", image)) for i in range(5)]
                headers = {"X-Api-Key": "YOUR_API_KEY"}
                answer = session.post(url, headers=headers, files=files, timeout=60)
                assert answer.status_code == 200

        upload(4)
        before = resident(mock.process)
        upload(40)
        assert resident(mock.process) - before < 20_000_000


def test_beyond_loopback_webhooks_go_only_where_they_may(
    tmp_path: Path, listener: Listener
) -> None:
    """On every address, a listener on loopback is called if it is listed, and refused if not."""
    allowed, refused = listener.open_inbox(), listener.open_inbox()
    options = ["--host", "0.0.0.0", "--speed", "200", "--admin-token", "t"]  # noqa: S104 - what is tested
    (tmp_path / "another").mkdir()
    with Serve(tmp_path, *options) as mock:
        create(mock, webhook_url=refused.url)
        attempts = partial(_attempts, mock.await_url())
        await_condition(attempts, "the webhook is tried")
        error = attempts()[0]["error"]
    options += ["--webhook-allow", "127.0.0.0/8"]
    with Serve(tmp_path / "another", *options) as mock:
        create(mock, webhook_url=allowed.url)
        allowed.wait_for(1, within=60)
    assert refused.received == ()
    assert error == (
        "RefusedReceiver: 127.0.0.1 is not called: this mock calls what --webhook-allow names; "
        "to allow it, start the mock with --webhook-allow 127.0.0.1"
    )


def _attempts(url: str) -> list[dict[str, Any]]:
    """Ask the control plane for the attempts of the sample account's first webhook."""
    where = f"{url}/__admin/accounts/YOUR_CUSTOMER_ID/webhooks"
    answer = requests.get(where, headers={"Authorization": "Bearer t"}, timeout=60).json()
    attempts: list[dict[str, Any]] = answer["webhooks"][0]["attempts"]
    return attempts
