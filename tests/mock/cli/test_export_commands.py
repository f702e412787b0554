"""`vimmerse-mock export`, `import` and `serve --seed`, against real servers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result

from vimmerse_mock.cli import main
from vimmerse_mock.model.account import Opening
from vimmerse_mock.server import MockServer

KEY = {"X-Api-Key": "mine"}
FORM = {"image_urls": ["http://images.example/1.jpg"]}
Invoke = Callable[..., Result]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run the command line in this process."""
    monkeypatch.delenv("VIMMERSE_ADMIN_URL", raising=False)
    monkeypatch.delenv("VIMMERSE_ADMIN_TOKEN", raising=False)
    return lambda *words: CliRunner().invoke(main, list(words))


def test_what_was_exported_goes_on_in_a_fresh_mock(invoke: Invoke, tmp_path: Path) -> None:
    """Batch, credits and journal of an account are there after export and import, by its key."""
    file = str(tmp_path / "accounts.json")
    with MockServer() as server:
        account = server.open_account(Opening("mine", "me", credits=50, clock="manual"))
        created = requests.post(f"{server.url}/batch", headers=KEY, data=FORM, timeout=60).json()
        assert invoke("export", "me", "--admin-url", server.url, "--output", file).exit_code == 0
    with MockServer() as fresh:
        imported = invoke("import", file, "--admin-url", fresh.url)
        assert (imported.output, imported.exit_code) == ("me   credits: 45\n", 0)
        where = f"{fresh.url}/batch/{created['data']['id']}"
        read = requests.get(where, headers=KEY, timeout=60).json()
        again = fresh.mock.find_account(fresh.url, "me")
        again.clock.advance(60)
        assert read == created
        assert again.batches[0].status == "success"
        assert [each.operation for each in again.journal.requests()] == [
            "create_batch",
            "get_batch",
        ]
    assert account.key == "mine"


def test_all_accounts_are_exported_without_being_named(invoke: Invoke) -> None:
    """Without ids the snapshot, here on stdout, has every account."""
    with MockServer() as server:
        server.open_account(Opening(customer_id="other"))
        exported = json.loads(invoke("export", "--admin-url", server.url).output)
    ids = {snapshot["account"]["customer_id"] for snapshot in exported["snapshots"]}
    assert ids == {"YOUR_CUSTOMER_ID", "other"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("export", "nobody"), "no account of customer 'nobody'"),
        (("export", "--output", "/nowhere/at/all.json"), "cannot write /nowhere/at/all.json"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    invoke: Invoke, words: tuple[str, ...], sentence: str
) -> None:
    """A wrong id or file is one sentence and exit code 2."""
    with MockServer() as server:
        refused = invoke(*words, "--admin-url", server.url)
    assert refused.exit_code == 2
    assert sentence in refused.output


def test_a_mock_that_does_not_run_is_reported(invoke: Invoke) -> None:
    """Nobody at the address: exit code 2, and what to do."""
    refused = invoke("export", "--admin-url", "http://127.0.0.1:9")
    assert refused.exit_code == 2
    assert "no control plane at http://127.0.0.1:9" in refused.output
    assert "VIMMERSE_ADMIN_URL" in refused.output


def test_an_account_that_is_there_already_is_not_imported(invoke: Invoke, tmp_path: Path) -> None:
    """Importing twice is refused, and changes nothing."""
    file = str(tmp_path / "accounts.json")
    with MockServer() as server:
        invoke("export", "--admin-url", server.url, "--output", file)
        refused = invoke("import", file, "--admin-url", server.url)
        assert server.account.credits == 100_000
    assert refused.exit_code == 2
    assert "already exists" in refused.output


def test_a_file_that_is_none_is_named_with_its_line(invoke: Invoke, tmp_path: Path) -> None:
    """What is wrong with a file is said by line and field before anything is sent."""
    file = tmp_path / "accounts.json"
    file.write_text(
        '{"format": "vimmerse-mock snapshot", "version": 1,\n'
        ' "accounts": [\n  {"credits": "much"}]}'
    )
    refused = invoke("import", str(file))
    assert refused.exit_code == 2
    assert "line 3: Expected `int`, got `str` - at `$.accounts[0].credits`" in refused.output
