from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner, Result
from marshmallow import Schema

from vimmerse_client.cli import create, main, update
from vimmerse_contracts.schemas import CreateBatchSchema, UpdateBatchSchema

if TYPE_CHECKING:
    from client.conftest import FakeApi

Vimmerse = Callable[..., Result]


@pytest.fixture
def vimmerse(api: FakeApi, key: str) -> Vimmerse:
    """Run the command line against the scripted server."""

    def run(*arguments: str | Path) -> Result:
        environment = {"VIMMERSE_API_KEY": key, "VIMMERSE_BASE_URL": api.url}
        return CliRunner(env=environment).invoke(main, [str(a) for a in arguments])

    return run


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image file."""
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG")
    return path


def test_create_prints_the_batch_as_json(api: FakeApi, vimmerse: Vimmerse, image: Path) -> None:
    """`--json` prints the Batch object as the API said it, in its key order."""
    data = api.batch(used_credits=3)
    result = vimmerse("create", image, image, "--title", "Two", "--duration", "9", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.dumps(json.loads(result.stdout)) == json.dumps(data)
    assert [part[0] for part in api.seen[0].parts()] == [
        "title",
        "duration",
        "image_files",
        "image_files",
    ]


def test_create_takes_urls_and_every_field(api: FakeApi, vimmerse: Vimmerse) -> None:
    """Image URLs are sent as such, with every option that was given."""
    api.batch()
    vimmerse("create", "https://m.example/1.jpg", "--is-transition", "--motion-type", "KlingAI")
    assert sorted(api.seen[0].form()) == [
        ("image_urls", "https://m.example/1.jpg"),
        ("is_transition", "true"),
        ("motion_type", "KlingAI"),
    ]


@pytest.mark.parametrize(
    ("command", "schema"), [(create, CreateBatchSchema), (update, UpdateBatchSchema)]
)
def test_every_field_has_an_option(command: click.Command, schema: type[Schema]) -> None:
    """What the API takes can be given on the command line."""
    options = {parameter.name for parameter in command.params}
    assert set(schema().fields) - {"image_files", "image_urls"} <= options


def test_get_prints_a_summary(api: FakeApi, vimmerse: Vimmerse, batch_id: str) -> None:
    """Without `--json` a batch is a few lines for people, free of control characters."""
    api.batch(title="Red\x1b[31m", progress_percentage=40, message="Soon")
    result = vimmerse("get", batch_id)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"batch   {batch_id}",
        "title   Red [31m",
        "status  processing at 40 %",
        "medias  0 of 2 finished, 0 failed",
        "video   none yet",
        "message Soon",
    ]


def test_update_sends_what_is_given(api: FakeApi, vimmerse: Vimmerse, batch_id: str) -> None:
    """Update is a PUT of the given options only."""
    api.batch(title="New")
    result = vimmerse("update", batch_id, "--title", "New", "--rating", "5", "--json")
    assert json.loads(result.stdout)["title"] == "New"
    assert (api.seen[0].method, sorted(api.seen[0].form())) == (
        "PUT",
        [("rating", "5"), ("title", "New")],
    )


def test_concat_survives_an_empty_answer(api: FakeApi, vimmerse: Vimmerse, batch_id: str) -> None:
    """`{}` from concat is no error on the command line either."""
    api.json({})
    api.batch()
    assert vimmerse("concat", batch_id, "--json").exit_code == 0


def test_create_wait_and_save(
    api: FakeApi, vimmerse: Vimmerse, image: Path, tmp_path: Path
) -> None:
    """`--wait -o` waits, calls concat, waits and saves the video; stdout is the final batch."""
    output = tmp_path / "out.mp4"
    api.batch()
    api.batch(status="success", progress_percentage=100)
    api.batch(status="processing")
    final = api.batch(status="success", video_url=f"{api.url}/v.mp4")
    api.raw(b"video")
    result = vimmerse("create", image, image, "--wait", "-o", output, "--poll", "0", "--json")
    assert result.exit_code == 0, result.output
    assert output.read_bytes() == b"video"
    assert json.loads(result.stdout) == final
    assert [request.method for request in api.seen] == ["POST", "GET", "POST", "GET", "GET"]
    assert api.seen[-1].path == "/v.mp4"


def test_output_implies_waiting(
    api: FakeApi, vimmerse: Vimmerse, batch_id: str, tmp_path: Path
) -> None:
    """`-o` alone waits too; a video that is composed already is not composed again."""
    api.batch()
    api.batch(status="success", video_url=f"{api.url}/v.mp4")
    api.raw(b"video")
    result = vimmerse("concat", batch_id, "-o", tmp_path / "out.mp4", "--poll", "0")
    assert result.exit_code == 0
    assert [request.method for request in api.seen] == ["POST", "GET", "GET"]


def test_waiting_shows_the_id_and_the_progress_on_stderr(
    api: FakeApi, vimmerse: Vimmerse, image: Path, batch_id: str
) -> None:
    """Whoever interrupts the waiting knows which batch is paid for."""
    api.batch()
    api.batch(status="success", progress_percentage=100)
    result = vimmerse("create", image, "--wait", "--poll", "0")
    assert result.stderr.startswith(f"batch {batch_id}\n")
    assert "100%" in result.stderr
    assert "100%" not in result.stdout


def test_wait_is_a_command_of_its_own(api: FakeApi, vimmerse: Vimmerse, batch_id: str) -> None:
    """A batch that exists can be waited for."""
    api.batch()
    api.batch(status="success")
    result = vimmerse("wait", batch_id, "--poll", "0", "--json")
    assert json.loads(result.stdout)["status"] == "success"


def test_wait_that_takes_too_long_fails(api: FakeApi, vimmerse: Vimmerse, batch_id: str) -> None:
    """After `--wait-timeout` the exit code is 1, and the error names the batch."""
    api.batch()
    result = vimmerse("wait", batch_id, "--wait-timeout", "0")
    assert result.exit_code == 1
    assert f"Error: batch {batch_id} was not done within 0 s" in result.stderr


def test_download_saves_the_video(
    api: FakeApi, vimmerse: Vimmerse, batch_id: str, tmp_path: Path
) -> None:
    """The composed video of a batch can be saved later."""
    api.batch(status="success", video_url=f"{api.url}/v.mp4")
    api.raw(b"video")
    assert vimmerse("download", batch_id, tmp_path / "v.mp4").exit_code == 0
    assert (tmp_path / "v.mp4").read_bytes() == b"video"


def test_failed_batch_is_exit_code_1(api: FakeApi, vimmerse: Vimmerse, image: Path) -> None:
    """A batch that failed is printed, and the exit code says that it failed."""
    api.batch()
    api.batch(status="fail", message="NSFW")
    result = vimmerse("create", image, "--wait", "--poll", "0", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["status"] == "fail"
    assert result.stderr.splitlines()[-1].endswith("failed (0 of 2 medias): NSFW")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (402, {"message": "INSUFFICIENT_CREDIT"}, "402 INSUFFICIENT_CREDIT: the balance"),
        (
            422,
            {"detail": [{"loc": ["body", "title"], "msg": "bad", "type": "x"}]},
            "422, body.title: bad",
        ),
        (401, {"message": "UNAUTHORIZED"}, "VIMMERSE_API_KEY"),
        (503, {"message": "DOWN"}, "the service failed"),
    ],
)
def test_refusals_are_one_sentence(
    api: FakeApi,
    vimmerse: Vimmerse,
    image: Path,
    key: str,
    status: int,
    body: dict[str, object],
    said: str,
) -> None:
    """A refusal is one line on stderr and exit code 1, without traceback, output or key."""
    api.json(body, status)
    result = vimmerse("create", image)
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert key not in result.output


def test_unreachable_service_is_exit_code_1(key: str) -> None:
    """Where nobody listens, one line says so."""
    arguments = ["update", "id", "--api-key", key, "--base-url", "http://127.0.0.1:1"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: update_batch: the connection to 127.0.0.1:1 failed")
    assert key not in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["get", "id"], "VIMMERSE_API_KEY"),
        (["get", "id", "--api-key", "s3cret key"], "not shown here"),
        (["get", "id", "--api-key", "k", "--base-url", "nonsense"], "expected an address like"),
        (["get", "..", "--api-key", "k"], "expected the id of a batch"),
        (["create", "--api-key", "k"], "IMAGE"),
        (["create", "missing.png", "--api-key", "k"], "missing.png"),
        (["create", "https://m.example/1.jpg", "--loop", "x", "--api-key", "k"], "--loop"),
        (
            ["create", "https://m.example/1.jpg", "-o", "no/folder/v.mp4", "--api-key", "k"],
            "create it first",
        ),
        (["create", "https://m.example/1.jpg", __file__, "--api-key", "k"], "files or URLs"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], said: str) -> None:
    """Wrong usage and settings have a code of their own, apart from what the service does."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "s3cret" not in result.stderr


def test_unwritable_output_is_exit_code_1(
    api: FakeApi, vimmerse: Vimmerse, batch_id: str, tmp_path: Path
) -> None:
    """An error of the file system is one sentence, too."""
    api.batch(status="success", video_url=f"{api.url}/v.mp4")
    api.raw(b"video")
    name = "x" * 300
    result = vimmerse("download", batch_id, tmp_path / name)
    assert result.exit_code == 1
    assert "File name too long" in result.stderr


def test_installed_command_works(api: FakeApi, key: str, batch_id: str) -> None:
    """The console script reads its settings from the environment and prints JSON."""
    data = api.batch()
    script = shutil.which("vimmerse", path=str(Path(sys.executable).parent))
    assert script is not None
    environment = {"VIMMERSE_API_KEY": key, "VIMMERSE_BASE_URL": api.url}
    done = subprocess.run(
        [script, "get", batch_id, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == data
    assert done.stderr == ""


def _run(api: FakeApi, key: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", "from vimmerse_client.cli import main; main()", *arguments],
        env={
            "VIMMERSE_API_KEY": key,
            "VIMMERSE_BASE_URL": api.url,
            "PYTHONUTF8": "0",
            "PYTHONIOENCODING": "cp1252",
        },
        capture_output=True,
        check=True,
    )


def test_a_video_goes_into_a_pipe(api: FakeApi, key: str, batch_id: str) -> None:
    """`/dev/stdout` gets the video and nothing else; the batch is on stderr."""
    video = bytes(range(256)) * 400
    api.batch(status="success", video_url=f"{api.url}/v.mp4")
    api.raw(video)
    done = _run(api, key, "download", batch_id, "/dev/stdout")
    assert done.stdout == video
    assert batch_id in done.stderr.decode()


def test_a_letter_that_cannot_be_printed_costs_nothing(
    api: FakeApi, key: str, batch_id: str
) -> None:
    """The id of what was paid for is printed, whatever the title is and the terminal can show."""
    api.batch(title="Holidays \U0001f389 \u6d77")
    done = _run(api, key, "create", "http://images.example/1.jpg")
    assert f"batch   {batch_id}" in done.stdout.decode()
    assert "Holidays \\U0001f389 \\u6d77" in done.stdout.decode()
