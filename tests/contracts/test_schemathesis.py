from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import flask

from vimmerse_contracts.operations import OPERATIONS
from vimmerse_contracts.schemas import BatchAnswerSchema
from vimmerse_contracts.vocabulary import CONTROL_HEADER, CONTROL_ROOT
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.delivery import Post, Reply
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.clock import FASTEST
from vimmerse_mock.server import MockServer

TESTS: Final = Path(__file__).parent.parent
CONFIG: Final = Path(__file__).parent / "machine_made" / "schemathesis.toml"
KEY: Final = "machine-made"
RICH: Final = 10**12
PATIENCE: Final = 120
"""Seconds for a request: a busy machine is no fault of the mock's."""
PHASES: Final = ["Examples", "Coverage", "Fuzzing", "Stateful"]
ON_A_BATCH: Final = [each for each in OPERATIONS if "{batch_id}" in each.path]


class NowhereSender:
    """Takes every webhook, and sends none: machine-made addresses may be somebody's."""

    def send(self, post: Post) -> Reply:
        """Say that it was taken."""
        del post
        return Reply(200)


@contextmanager
def hurried(mock: Mock) -> Iterator[MockServer]:
    """Serve a mock on which a batch is done by the next request, so that it can be composed."""
    opening = Opening(KEY, "customer", RICH, speed=FASTEST, seed="machine-made")
    with MockServer(mock, opening=opening) as server:
        yield server


def run_schemathesis(
    server: MockServer, folder: Path, *options: str, root: str = "", config: Path = CONFIG
) -> subprocess.CompletedProcess[str]:
    """Run Schemathesis by its command line, which has all its phases, on the mock's document."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)]
    target = [f"{server.url}{root}/openapi.json", "--url", server.url, "-H", f"X-Api-Key: {KEY}"]
    return subprocess.run(
        [*command, "--no-color", "run", *target, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TESTS), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_machine_made_requests_find_nothing_wrong(tmp_path: Path) -> None:
    """Schemathesis, with all its checks, in all its phases, along the links, finds no fault."""
    links = len(ON_A_BATCH) * sum(each.answer is BatchAnswerSchema for each in OPERATIONS)
    mock, done = create_mock(sender=NowhereSender()), set[str | None]()

    def record(answer: flask.Response) -> flask.Response:
        done.update({flask.request.endpoint} if answer.status_code == 200 else set())
        return answer

    mock.app.after_request(record)
    with hurried(mock) as server:
        run = run_schemathesis(server, tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.findall(r"✅ (\w+)$", run.stdout, re.MULTILINE) == PHASES
    assert f"Tested: {len(OPERATIONS)}" in run.stdout
    assert f"/ {links} selected" in run.stdout
    assert done >= {each.id for each in OPERATIONS}, "only a link knows the id of a batch"
    (passed,) = re.findall(r"(\d+) generated, \1 passed", run.stdout)
    assert int(passed) > 200


def test_machine_made_requests_bring_no_mistake_of_the_control_plane_to_light(
    tmp_path: Path,
) -> None:
    """Bodies, queries and paths by its document: an account goes through all of it."""
    config = tmp_path / "schemathesis.toml"
    config.write_text(
        f"seed = 20250402\ncontinue-on-failure = true\nrequest-timeout = {PATIENCE}\n"
        'suppress-health-check = ["all"]\n'
        '[parameters]\n"path.customer_id" = "customer"\n[generation]\nmax-examples = 4\n'
    )
    with hurried(create_mock(sender=NowhereSender())) as server:
        run = run_schemathesis(
            server,
            tmp_path,
            *("-H", f"{CONTROL_HEADER}: 1", "--checks", "not_a_server_error"),
            *("--phases", "examples,coverage,fuzzing"),
            *("--exclude-operation-id", "close_account"),
            root=CONTROL_ROOT,
            config=config,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    (passed,) = re.findall(r"(\d+) generated, \1 passed", run.stdout)
    assert int(passed) > 200


def test_machine_made_requests_find_what_is_wrong(tmp_path: Path) -> None:
    """A mock with one type of its Batch wrong is found out, and the property is named."""
    mock = create_mock(sender=NowhereSender())
    mock.app.after_request(progress_as_text)
    with hurried(mock) as server:
        run = run_schemathesis(server, tmp_path, "--max-failures=1")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "progress_percentage" in run.stdout


def progress_as_text(answer: flask.Response) -> flask.Response:
    """Write a number of the Batch as text."""
    answer.set_data(re.sub(rb'("progress_percentage":)(\d+)', rb'\1"\2"', answer.get_data()))
    return answer
