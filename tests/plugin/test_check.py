from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import flask
import pytest

from plugin.playing import STEPPING, prices, real_service
from vimmerse_contracts.vocabulary import CONTROL_ROOT
from vimmerse_mock.app import create_mock
from vimmerse_mock.server import MockServer


def check(
    *args: str, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `vimmerse-mock check`."""
    return subprocess.run(
        [Path(sys.executable).with_name("vimmerse-mock"), "check", *args],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120", **variables},
    )


def as_pytest_has_it(options: tuple[str, ...]) -> list[str]:
    """Write options of pytest as those of the command."""
    return [option.replace("--vimmerse-", "--") for option in options]


def test_a_target_that_holds_is_0_whatever_surrounds_it(tmp_path: Path) -> None:
    """The table says what was held; a user's own pytest configuration does not leak in."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --nonsense\n")
    (tmp_path / "conftest.py").write_text("raise RuntimeError\n")
    (tmp_path / "test_mine.py").write_text("raise RuntimeError\n")
    environment = {"PYTEST_ADDOPTS": "--nonsense", "PYTEST_PLUGINS": "no_such_plugin"}
    done = check("--target", "intercept", cwd=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    for word in ("POST /batch/{batch_id}/concat", "held", "rules held: ", "documented", "assumed"):
        assert word in done.stdout
    assert not (tmp_path / ".pytest_cache").exists()


def test_without_assertions_nothing_is_run(tmp_path: Path) -> None:
    """Python that leaves assertions out would hold a target to nothing: it is refused, said why."""
    done = check("--target", "intercept", PYTHONOPTIMIZE="2")
    assert (done.returncode, done.stdout) == (2, "")
    assert "unset PYTHONOPTIMIZE" in done.stderr
    command = [sys.executable, "-m", "pytest", "--pyargs", "vimmerse_contracts.suite"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONOPTIMIZE": "1"},
    )
    assert done.returncode == 4
    assert "unset PYTHONOPTIMIZE" in done.stderr


def _shout(answer: flask.Response) -> flask.Response:
    if not flask.request.path.startswith(CONTROL_ROOT) and answer.status_code == 404:
        answer.set_data('{"message": "NOTHING HERE"}')
    return answer


def test_a_target_that_breaks_a_rule_is_1() -> None:
    """The test that failed is named with its rules and what it expected and saw."""
    mock = create_mock()
    mock.app.after_request(_shout)
    with MockServer(mock, opening=replace(STEPPING, api_key="YOUR_API_KEY")) as server:
        done = check("--target", server.url, "--poll", "0.02")
    assert done.returncode == 1
    assert "broken test_read.py::test_a_batch_that_nobody_has_is_not_found (read.unknown" in (
        done.stdout
    )
    assert "expected the body {'message': 'NOT_FOUND'}" in done.stdout


@pytest.mark.parametrize(
    ("args", "saying"),
    [
        (["--target", "http://127.0.0.1:9"], "does not answer"),
        (["--target", "mok"], "mock, intercept, real or a URL, not 'mok'"),
        (["--target", "real"], "nothing runs without --vimmerse-max-credits"),
        (["--max-credits", "-1"], "not in the range"),
        (["--max-credits", "5", "--price", "Auto"], "MOTION_TYPE=CREDITS, not 'Auto'"),
        (["--explain", "concat.too_erly"], "did you mean concat.too_early"),
    ],
)
def test_what_cannot_be_run_is_2_and_a_sentence(args: list[str], saying: str) -> None:
    """Before any test, on stderr, without a traceback."""
    done = check(*args)
    assert done.returncode == 2
    assert saying in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_run_that_was_stopped_is_2() -> None:
    """Prices that turn out higher end it: it did not run to its end, and says what it spent."""
    with real_service(rate=3, tells_used=True) as real:
        options = as_pytest_has_it((*real.options, *prices(), "--vimmerse-max-credits=50"))
        done = check(*options)
    assert done.returncode == 2
    assert "stopped: batch " in done.stdout
    assert " of 50 credits spent or held" in done.stdout


def test_a_rule_is_explained() -> None:
    """Its text, its source, the operations that follow it, and the tests that hold it."""
    done = check("--explain", "object.ids")
    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == [
        "object.ids: Identifiers are UUID version 4",
        "  source: observed (O, on 2025-04-02)",
    ]
    assert "test_create::test_ids_are_of_version_4" in done.stdout
