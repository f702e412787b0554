from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from vimmerse_contracts.openapi import openapi_document
from vimmerse_contracts.runs.evidence.file import (
    AnyLine,
    Contract,
    Footer,
    Header,
    encode,
)
from vimmerse_contracts.runs.exchanges import Answer, Exchange, Request
from vimmerse_contracts.runs.verdicts import Outcome, Verdict

COMMAND = [sys.executable, "-c", "from vimmerse_mock.cli import main; main()", "drift"]


def drift(
    *args: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [*COMMAND, *map(str, args)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def lines(body: Mapping[str, Any], reason: str = "") -> list[AnyLine]:
    """Make the lines of a small run."""
    verdict = Verdict(
        "test_health::ok", Outcome.FAILED if reason else Outcome.PASSED, ("health.body",), reason
    )
    return [
        Header(1, "2026-01-02T03:04:05+00:00", "mock", Contract("1", {})),
        Exchange("t", 0.1, 0.1, "health", Request("GET", "/health"), Answer(200, {}, body)),
        verdict,
        Footer(1, 0, 1),
    ]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Write a run that held."""
    path = tmp_path / "old.jsonl"
    path.write_text("".join(map(encode, lines({"status": "ok"}))))
    return path


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Write a run of a service with a key more."""
    path = tmp_path / "new.jsonl"
    path.write_text("".join(map(encode, lines({"status": "ok", "load|`<b>\x1b[31m": 1}))))
    return path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Write a run of a service with a key less."""
    path = tmp_path / "broken.jsonl"
    path.write_text("".join(map(encode, lines({}, "why"))))
    return path


def test_no_drift_is_exit_code_0(old: Path) -> None:
    """A file compared with itself is said to be the same."""
    done = drift(old, old, "--fail-on", "cosmetic")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("No drift.\n")


@pytest.mark.parametrize(
    ("fail_on", "additive", "breaking"),
    [("breaking", 0, 1), ("additive", 1, 1), ("cosmetic", 1, 1), ("never", 0, 0)],
)
def test_the_exit_code_follows_fail_on(
    old: Path, new: Path, broken: Path, fail_on: str, additive: int, breaking: int
) -> None:
    """1 where something is found that is as bad as asked for, or worse; 0 otherwise."""
    assert drift(old, new, "--fail-on", fail_on).returncode == additive
    assert drift(old, broken, "--fail-on", fail_on).returncode == breaking


def test_a_pipe_gets_a_line_for_each_finding(old: Path, broken: Path) -> None:
    """Severity, kind, place, path and both sides, worst first, and a sum."""
    assert drift(old, broken, cwd=old.parent).stdout.splitlines() == [
        f"first:  {old} (mock, 2026-01-02)",
        f"second: {broken} (mock, 2026-01-02)",
        "",
        "breaking: key removed: health 200 $.status: expected always; seen never",
        "breaking: rule: rule health.body: expected held; seen broken by test_health::ok (why)",
        "2 breaking, 0 additive, 0 cosmetic",
    ]


def test_a_terminal_gets_a_table(old: Path, broken: Path) -> None:
    """In a terminal the findings stand in columns."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": "160", "TERM": "xterm"}
    subprocess.run([*COMMAND, old, broken], stdout=theirs, env=env, check=False)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "severity" in shown
    assert "│" in shown
    assert "key removed" in shown


def test_json_has_every_finding_with_its_parts(old: Path, broken: Path) -> None:
    """A program reads severity, kind, place, path, expected and seen of each."""
    document = json.loads(drift(old, broken, "--format", "json").stdout)
    assert document["counts"] == {"breaking": 2, "additive": 0, "cosmetic": 0}
    assert document["findings"][0] == {
        "severity": "breaking",
        "kind": "key removed",
        "place": "health 200",
        "path": "$.status",
        "expected": "always",
        "seen": "never",
    }


def test_markdown_is_a_table_that_nothing_breaks(old: Path, new: Path) -> None:
    """What a service says is code in a cell, whatever markup or escapes it has in it."""
    done = drift(old, new, "--format", "markdown")
    rows = [line for line in done.stdout.splitlines() if line.startswith("| **")]
    assert rows == [
        "| **additive** | key added | `health 200 $.load\\|'<b> [31m` | `never` | `always` |"
    ]
    assert done.stdout.startswith("### Drift: 0 breaking, 1 additive, 0 cosmetic\n")
    assert "\x1b" not in drift(old, new).stdout


def test_without_a_second_file_the_mock_is_asked(old: Path, tmp_path: Path) -> None:
    """The suite is run against the mock as it is now, whatever settings lie about."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    done = drift(old, cwd=tmp_path, env={"PYTEST_ADDOPTS": "--nor-this-one"})
    assert "second: the mock as it is now (mock, 20" in done.stdout
    assert "cosmetic: contract: contract rules: expected version 1, 0 rules" in done.stdout
    assert (done.returncode, "breaking:" in done.stdout) == (0, False)


def test_what_of_a_file_cannot_be_used_is_said_by_line(old: Path) -> None:
    """A file that was cut off is compared as far as it goes, and the rest is named."""
    text = old.read_text()
    old.write_text(text[: text.index('"kind": "footer"') + 5])
    done = drift(old, old)
    assert done.returncode == 0
    assert f"vimmerse-mock: {old}, line 4: is left out: it is cut off after" in done.stderr
    assert "line 4: the file ends here without a footer" in done.stderr
    problems = json.loads(drift(old, old, "--format", "json").stdout)["problems"]
    assert len(problems) == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is not an evidence file"),
        (b"\x00\xff<html>\n", "is not an evidence file"),
        (b'{"openapi": "3.1.0"}', "is not an evidence file"),
    ],
)
def test_a_file_that_is_no_evidence_is_one_sentence(
    old: Path, tmp_path: Path, content: bytes | None, said: str
) -> None:
    """Exit code 2, what is wrong, and no traceback."""
    other = tmp_path / "other"
    if content is not None:
        other.write_bytes(content)
    done = drift(old, other)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"vimmerse-mock: {other} {said}")
    assert done.stderr.count("\n") == 1


# OpenAPI documents


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """Write the mock's own document."""
    path = tmp_path / "old.json"
    path.write_text(json.dumps(openapi_document()))
    return path


MAPPED = (
    *("--map", "POST /story=create_batch"),
    *("--map", "get /story/{id}=get_batch"),
    *("--map", "PUT /story/{id}/edit=update_batch"),
    *("--map", "POST /story/{id}/concat=concat_batch"),
)


@pytest.fixture
def renamed(document: Path, tmp_path: Path) -> Path:
    """Write a document with other paths, in which a title is required."""
    changed = json.loads(document.read_text().replace("/batch", "/story"))
    for name in ("CreateBatch", "CreateBatchWithoutFiles"):
        changed["components"]["schemas"][name]["required"] = ["title"]
    path = tmp_path / "new.json"
    path.write_text(json.dumps(changed))
    return path


def test_documents_are_compared(document: Path, renamed: Path) -> None:
    """What was matched is printed; a field that is required now breaks."""
    title = "create_batch request.body.title"
    done = drift("--openapi", document, renamed, *MAPPED)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"first:  {document}",
        f"second: {renamed}",
        "create_batch: POST /batch = POST /story",
        "get_batch: GET /batch/{batch_id} = GET /story/{batch_id}",
        "update_batch: PUT /batch/{batch_id}/edit = PUT /story/{batch_id}/edit",
        "concat_batch: POST /batch/{batch_id}/concat = POST /story/{batch_id}/concat",
        "health: GET /health = GET /health",
        "",
        f"breaking: field required: {title}: expected optional; seen required",
        "1 breaking, 0 additive, 0 cosmetic",
    ]


def test_a_program_and_a_pull_request_see_what_was_matched(document: Path, renamed: Path) -> None:
    """JSON and Markdown have the operations of both sides, too."""
    done = drift("--openapi", document, renamed, *MAPPED, "--format", "json")
    assert json.loads(done.stdout)["matched"][0] == {
        "operation": "create_batch",
        "first": "POST /batch",
        "second": "POST /story",
    }
    done = drift("--openapi", document, renamed, *MAPPED, "--format", "markdown")
    assert "\n| `create_batch` | `POST /batch` | `POST /story` |\n" in done.stdout


def test_an_operation_that_needs_a_key_and_has_no_match_is_exit_code_2(
    document: Path, renamed: Path
) -> None:
    """The others are compared all the same; the sentence says how to name the missing one."""
    done = drift("--openapi", document, document, "--map", "POST /batch=concat_batch")
    assert "\nNo drift in what could be compared.\n" in done.stdout
    done = drift("--openapi", document, renamed, *MAPPED[:-2], "--fail-on", "never")
    assert done.returncode == 2
    assert "concat_batch: POST /batch/{batch_id}/concat = none" in done.stdout
    assert "breaking: field required: create_batch" in done.stdout
    assert done.stderr == (
        f"vimmerse-mock: {renamed} has no match for concat_batch: which one is it? "
        "--map 'POST /PATH=concat_batch'\n"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("openapi: 3.1.0\n", "other.json is not an OpenAPI document in JSON"),
        ("[]", "the second document is not an OpenAPI 3 document"),
        ('{"swagger": "2.0"}', "its 'openapi' is not 3.0 or 3.1"),
        ("[" * 100_000, "other.json is not an OpenAPI document in JSON"),
    ],
)
def test_a_document_that_is_none_is_one_sentence(
    document: Path, tmp_path: Path, content: str, said: str
) -> None:
    """Exit code 2, what is wrong, and no traceback."""
    other = tmp_path / "other.json"
    other.write_text(content)
    done = drift("--openapi", document, other)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_one_document_alone_is_not_enough(document: Path) -> None:
    """The sentence says how to have the mock's."""
    done = drift("--openapi", document)
    assert done.returncode == 2
    assert "add the second one (vimmerse-mock openapi prints the mock's)" in done.stderr


@pytest.mark.parametrize(
    ("mapped", "said"),
    [
        ("/story=create_batch", "'/story=create_batch' is not like 'POST /story=create_batch'"),
        ("POST /story=make_batch", "operations: create_batch, get_batch, update_batch, "),
        ("POST /story=create_batch", "'POST /story' is in no document"),
    ],
)
def test_a_map_that_cannot_be_is_refused(document: Path, mapped: str, said: str) -> None:
    """The message shows how it is written, and what there is."""
    done = drift("--openapi", document, document, "--map", mapped)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())


def test_a_document_that_nests_without_end_is_one_sentence(document: Path, tmp_path: Path) -> None:
    """Exit code 2, and no traceback."""
    deep = json.loads(document.read_text())
    schemas = deep["components"]["schemas"]
    schemas["Batch"]["properties"]["storyboard"] = {"$ref": "#/components/schemas/0"}
    for level in range(1000):
        inner = {"$ref": f"#/components/schemas/{level + 1}"}
        schemas[str(level)] = {"properties": {"in": inner}}
    schemas["1000"] = {}
    other = tmp_path / "deep.json"
    other.write_text(json.dumps(deep))
    done = drift("--openapi", other, other)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "vimmerse-mock: the schemas of a document nest too deep to be compared\n"
    )
