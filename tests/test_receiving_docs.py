"""docs/receiving.md is true: its tests pass, its examples run, its commands exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from vimmerse_mock.cli import main
from vimmerse_mock.receiving.inbox import Arrival, Inbox

PAGE = (Path(__file__).parent.parent / "docs" / "receiving.md").read_text()


def blocks(language: str) -> list[str]:
    """The page's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


TESTS = [block for block in blocks("python") if "def test_" in block]
EXAMPLES = [block for block in blocks("python") if "def test_" not in block]


def test_the_tests_of_the_page_pass(pytester: pytest.Pytester) -> None:
    """Each file of tests runs as it stands, with nothing but the plugin."""
    for number, block in enumerate(TESTS):
        pytester.makepyfile(**{f"test_page_{number}": block})
    pytester.runpytest_subprocess().assert_outcomes(passed=3)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_examples_of_the_page_run(example: str) -> None:
    """Each runs as it stands, in a Python of its own."""
    subprocess.run([sys.executable, "-W", "error", "-c", example], check=True)


@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.splitlines()])
def test_the_commands_of_the_page_are_understood(line: str) -> None:
    """Every command line parses; nothing is run."""
    program, name, *words = shlex.split(line)
    command = main.get_command(main.make_context(program, ["--help"], resilient_parsing=True), name)
    assert command is not None
    assert command.make_context(name, words)


def test_the_members_of_an_inbox_are_documented() -> None:
    """Each that a test of a user may call has a row, and each field of an event is named."""
    members = {name for name in vars(Inbox) if not name.startswith("_")} | {"url"}
    not_for_users = {"app", "close", "raise_errors"}
    shown = set(re.findall(r"^\| `(\w+)", PAGE, re.MULTILINE))
    assert members - not_for_users <= shown
    fields = {*Arrival.__dataclass_fields__, "batch_id", "status", "customer_id"}
    (said,) = re.findall(r"A received webhook has (.*?)\.", PAGE, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", said)) == fields


def test_a_miss_reads_as_the_page_says(pytester: pytest.Pytester) -> None:
    """The same words, but for the port and the ids."""
    (shown,) = blocks("text")
    pytester.makepyfile(
        """
        def test_it(vimmerse):
            vimmerse.webhooks.answer_with(500)
            url = vimmerse.webhooks.url
            vimmerse.client.create([b"\\x89PNG\\r\\n\\x1a\\n"], webhook_url=url)
            vimmerse.clock.advance(4)
            vimmerse.webhooks.expect(status="fail", within=0)
        """
    )
    printed = pytester.runpytest_subprocess("-p", "no:randomly").stdout.str()
    for line in shown.removeprefix("AssertionError: ").splitlines():
        pattern = re.escape(line.strip())
        for example, any_such in [
            ("http://127\\.0\\.0\\.1:40305/1b0e", r"http://127\.0\.0\.1:\d+/\w+"),
            ('"c"', '"[^"]+"'),
            ('"b"', '"[^"]+"'),
            ("batch\\ b,", r"batch\ [0-9a-f-]+,"),
        ]:
            pattern = pattern.replace(example, any_such)
        assert re.search(pattern, printed), line
