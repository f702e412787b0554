"""What docker-compose.yml describes, without Docker: PostgreSQL, two mocks, nginx before them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import click
import pytest
import requests
import yaml

from lasting.books import money_problems, read_books
from lasting.volley import FORM, HEADERS
from support.needs import need
from support.serving import Serve, Victim
from support.sockets import reserved_port
from support.waiting import await_condition
from vimmerse_mock.cli import main
from vimmerse_mock.receiving.inbox import Inbox

ROOT = Path(__file__).parent.parent.parent
NO_NGINX = "there is no nginx to start: install it (apt-get install nginx, brew install nginx)"
PORTS = {"mock-1": "mock-1:8765", "mock-2": "mock-2:8765"}


@dataclass(frozen=True)
class Topology:
    """Everything at work: the address that clients use, and the two mocks behind it."""

    url: str
    mocks: tuple[Serve, Serve]
    store_url: str

    def create(self, **fields: str) -> dict[str, Any]:
        """Create a batch through nginx."""
        answer = requests.post(f"{self.url}/batch", headers=HEADERS, data=FORM | fields, timeout=60)
        assert answer.status_code == 200, answer.text
        batch: dict[str, Any] = answer.json()["data"]
        return batch


@pytest.fixture
def topology(postgres_url: str, tmp_path: Path) -> Iterator[Topology]:
    """PostgreSQL, two `serve` processes and nginx, as shipped."""
    with ExitStack() as stack:
        url = f"http://127.0.0.1:{stack.enter_context(reserved_port())}"
        options = ("--store", postgres_url, "--speed", "20", "--public-url", url)
        one, two = (stack.enter_context(Serve(tmp_path, *options)) for _ in range(2))
        upstreams = [mock.await_url().removeprefix("http://") for mock in (one, two)]
        stack.enter_context(nginx(url.rpartition(":")[2], upstreams))
        await_condition(lambda: answers(url), "nginx answers")
        yield Topology(url, (one, two), postgres_url)


def answers(url: str) -> bool:
    """Whether somebody answers there."""
    try:
        return requests.get(f"{url}/health", timeout=60).status_code == 200
    except requests.ConnectionError:
        return False


@contextmanager
def nginx(port: str, upstreams: list[str]) -> Iterator[None]:
    """Run nginx by the shipped configuration, but for addresses and folders."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    need(program, NO_NGINX)
    folder = Path(mkdtemp(prefix="vimmerse-nginx-"))
    folder.chmod(0o755)
    shipped = (ROOT / "docker" / "nginx.conf").read_text()
    for name, address in zip(PORTS.values(), upstreams, strict=True):
        shipped = shipped.replace(name, address)
    shipped = shipped.replace("listen 8080", f"listen 127.0.0.1:{port}")
    (folder / "nginx.conf").write_text(shipped.replace("/tmp/", f"{folder}/"))  # noqa: S108 - the file's
    command = [str(program), "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen([*command, "-g", "daemon off;"])
    try:
        yield
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def test_what_one_mock_creates_both_know(topology: Topology) -> None:
    """Batches created through nginx are read at each mock, the same, with links to nginx."""
    batches = [topology.create()["id"] for _ in range(8)]
    await_condition(lambda: finished(topology.url, batches[-1]), "the last batch is finished")
    for batch_id in batches:
        seen = [read(mock.await_url(), batch_id) for mock in topology.mocks]
        assert seen[0] == seen[1]
        assert seen[0]["video_url"].startswith(f"{topology.url}/files/")
    video = requests.get(read(topology.url, batches[0])["video_url"], timeout=60)
    assert video.content[4:8] == b"ftyp"


def test_each_webhook_is_sent_by_one_of_the_mocks(topology: Topology, inbox: Inbox) -> None:
    """Of thirty batches thirty webhooks arrive, and the books are in order."""
    created = [topology.create(webhook_url=inbox.url)["id"] for _ in range(30)]
    arrived = inbox.wait_for(30, within=300)
    assert sorted(webhook.body["batch_id"] for webhook in arrived) == sorted(created)
    for mock in topology.mocks:
        assert mock.stop() == 0
    assert len(inbox.received) == 30
    (books,) = read_books(topology.store_url)
    assert list(money_problems(books)) == []
    assert books.balance == 100_000 - 30 * 5


def test_one_mock_is_enough(topology: Topology) -> None:
    """With one of them killed, creations and reads through nginx go on."""
    before = topology.create()["id"]
    topology.mocks[0].kill(Victim.EVERYTHING)
    topology.mocks[0].await_end()  # nginx sends nothing twice: what it takes to its grave is 502
    after = [topology.create()["id"] for _ in range(20)]
    assert {read(topology.url, batch_id)["id"] for batch_id in (before, *after)} == {before, *after}


def read(url: str, batch_id: str) -> dict[str, Any]:
    """Read a batch."""
    answer = requests.get(f"{url}/batch/{batch_id}", headers=HEADERS, timeout=60)
    batch: dict[str, Any] = answer.json()["data"]
    return batch


def finished(url: str, batch_id: str) -> bool:
    """Whether a batch has ended."""
    return bool(read(url, batch_id)["status"] == "success")


def test_the_compose_file_means_what_is_there() -> None:
    """Its files exist, its settings are settings of `serve`, and nginx names its services."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    serve = main.get_command(click.Context(main), "serve")
    assert serve is not None
    variables = {option.envvar for option in serve.params}
    nginx_conf = (ROOT / "docker" / "nginx.conf").read_text()
    for name, address in PORTS.items():
        assert set(services[name]["environment"]) <= variables
        assert (ROOT / services[name]["build"]["dockerfile"]).exists()
        assert address in nginx_conf
        assert services[name]["environment"]["VIMMERSE_MOCK_PORT"] == address.partition(":")[2]
    assert (ROOT / services["nginx"]["volumes"][0].partition(":")[0]).exists()
    assert services["nginx"]["ports"] == ["127.0.0.1:8080:8080"]
    copied = [line.split()[1:-1] for line in dockerfile_lines("COPY")]
    assert all((ROOT / name).exists() for names in copied for name in names)
    ignored = (ROOT / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == set(chain(*copied))


def dockerfile_lines(instruction: str) -> list[str]:
    """The lines of the Dockerfile with an instruction."""
    text = (ROOT / "docker" / "Dockerfile").read_text()
    return [line for line in text.splitlines() if line.startswith(instruction)]
