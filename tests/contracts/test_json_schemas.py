from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from click.testing import CliRunner
from jsonschema import Draft202012Validator, ValidationError

from pytest_vimmerse.handle import Vimmerse
from vimmerse_contracts.examples import BATCHES
from vimmerse_contracts.openapi import DIALECT, EXPORTED, json_schemas
from vimmerse_mock.cli import main

SCHEMAS: Final = json_schemas()
FORM: Final = {"image_urls": ["http://images.example/1.jpg", "http://images.example/2.jpg"]}
HOUR: Final = 3600
CHECK: Final = [sys.executable, "-m", "check_jsonschema"]

_each = pytest.mark.parametrize("name", EXPORTED)


def validator(name: str) -> Draft202012Validator:
    """Somebody else's validator, with nothing but the one schema."""
    return Draft202012Validator(SCHEMAS[name])


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema of an object within a schema."""
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield node
        for inner in node.values():
            yield from objects(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from objects(inner)


@_each
def test_a_schema_is_a_schema(name: str) -> None:
    """Each schema is valid by the metaschema of its dialect, and has an id of its own."""
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$schema"] == DIALECT
    assert len({schema["$id"] for schema in SCHEMAS.values()}) == len(SCHEMAS)


@_each
def test_a_schema_stands_alone(name: str) -> None:
    """Each schema refers only to what it brings along, and brings nothing else."""
    text = json.dumps({**SCHEMAS[name], "$defs": SCHEMAS[name].get("$defs", {})})
    named = {part.partition('"')[0] for part in text.split('"$ref": "')[1:]}
    assert named == {f"#/$defs/{inner}" for inner in SCHEMAS[name].get("$defs", {})}


@_each
def test_a_schema_tolerates_what_it_does_not_know(name: str) -> None:
    """No object of a schema refuses keys that are new."""
    assert all(each.get("additionalProperties") is not False for each in objects(SCHEMAS[name]))


@_each
def test_the_examples_of_a_schema_are_valid(name: str) -> None:
    """Each example within a schema is valid by it."""
    for example in SCHEMAS[name].get("examples", []):
        validator(name).validate(example)


def call(vimmerse: Vimmerse, method: str, path: str, form: Any = None) -> requests.Response:
    """Call the mock as anybody would, over HTTP."""
    with requests.Session() as session:
        session.trust_env = False
        headers = {"X-Api-Key": vimmerse.key}
        return session.request(method, vimmerse.url + path, headers=headers, data=form, timeout=60)


def check(answer: requests.Response) -> Any:
    """Check an answer about a batch, and the Batch in it, by their schemas; return the Batch."""
    body = answer.json()
    validator("batch-answer").validate(body)
    validator("batch").validate(body["data"])
    return body["data"]


@pytest.mark.parametrize("scenario", ["success", "partial", "fail"])
def test_what_the_mock_says_of_a_batch_is_valid(vimmerse: Vimmerse, scenario: str) -> None:
    """Created, halfway, ended whichever way: every answer is valid, and so is the webhook."""
    vimmerse.use_scenario(scenario)
    form = {**FORM, "webhook_url": vimmerse.webhooks.url}
    path = "/batch/" + check(call(vimmerse, "POST", "/batch", form))["id"]
    vimmerse.clock.advance(4)
    assert check(call(vimmerse, "GET", path))["status"] == "processing"
    vimmerse.clock.advance(HOUR)
    ended = check(call(vimmerse, "GET", path))
    assert ended["status"] == ("fail" if scenario == "fail" else "success")
    (webhook,) = vimmerse.webhooks.received
    validator("webhook").validate(webhook.body)


def test_what_the_mock_says_later_on_is_valid(vimmerse: Vimmerse) -> None:
    """Updated, composing and composed, a batch is valid as well."""
    path = "/batch/" + check(call(vimmerse, "POST", "/batch", FORM))["id"]
    check(call(vimmerse, "PUT", f"{path}/edit", {"aspect_ratio": "9:16", "sound_effects": "Yes"}))
    vimmerse.clock.advance(HOUR)
    check(call(vimmerse, "POST", f"{path}/concat"))
    vimmerse.clock.advance(HOUR)
    assert "video_url" in check(call(vimmerse, "GET", path))


def test_what_the_mock_refuses_is_valid(vimmerse: Vimmerse) -> None:
    """A refusal is valid by the schema of its kind."""
    validator("error").validate(call(vimmerse, "GET", "/batch/nonsense").json())
    wrong = call(vimmerse, "POST", "/batch", {"loop": 7, "image_urls": "nonsense"})
    assert wrong.status_code == 422
    validator("validation-error").validate(wrong.json())


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("batch", {**BATCHES["success"].value, "progress_percentage": "100"}),
        ("batch", {**BATCHES["success"].value, "status": "done"}),
        ("batch", {**BATCHES["success"].value, "created_at": "2025-04-02T16:21:42Z"}),
        ("batch", {**BATCHES["success"].value, "medias": [{"media_id": "1"}]}),
        ("batch-answer", BATCHES["success"].value),
        ("webhook", {"customer_id": "c", "batch_id": "b", "status": "processing"}),
        ("error", {"detail": "Not found"}),
        ("validation-error", {"detail": [{"loc": ["body"], "msg": "wrong"}]}),
    ],
)
def test_what_is_wrong_is_refused(name: str, wrong: Any) -> None:
    """A schema refuses what is not as it says."""
    with pytest.raises(ValidationError):
        validator(name).validate(wrong)


def test_all_schemas_are_printed() -> None:
    """`vimmerse-mock schemas` prints every schema by its name, and one by NAME."""
    printed = CliRunner().invoke(main, ["schemas"])
    assert (printed.exit_code, json.loads(printed.stdout)) == (0, SCHEMAS)
    one = CliRunner().invoke(main, ["schemas", "webhook"])
    assert (one.exit_code, json.loads(one.stdout)) == (0, SCHEMAS["webhook"])


def test_schemas_are_written_as_files_that_others_read(tmp_path: Path) -> None:
    """With --out each schema is a file, by which somebody else's command finds a Batch valid."""
    folder = tmp_path / "new" / "schemas"
    written = CliRunner().invoke(main, ["schemas", "--out", str(folder)])
    paths = [folder / f"{name}.schema.json" for name in EXPORTED]
    assert written.stdout.splitlines() == [str(path) for path in paths]
    batch = tmp_path / "batch.json"
    batch.write_text(json.dumps(BATCHES["partial"].value))
    subprocess.run([*CHECK, "--check-metaschema", *paths], check=True, capture_output=True)
    subprocess.run([*CHECK, "--schemafile", paths[0], batch], check=True, capture_output=True)


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    """Where nothing can be written, the command ends with exit code 2 and a sentence."""
    taken = tmp_path / "taken"
    taken.write_text("a file")
    refused = CliRunner().invoke(main, ["schemas", "--out", str(taken / "below")])
    assert refused.exit_code == 2
    assert str(taken) in refused.stderr
