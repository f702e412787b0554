"""The documentation is true: its examples run, and nothing that a user can set is missing."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest

import tables
from vimmerse_client.cli import main as client_cli
from vimmerse_contracts.operations import all_rules
from vimmerse_contracts.provenance import Source
from vimmerse_contracts.vocabulary import MOTION_TYPES
from vimmerse_mock.cli import main as mock_cli
from vimmerse_mock.control.snapshots import read_snapshots
from vimmerse_mock.model.credits import PriceList
from vimmerse_mock.model.faults import FaultKind
from vimmerse_mock.model.magic import IMAGE_MARKERS, read_title
from vimmerse_mock.model.scenarios import FIELDS, read_scenario

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
SCENARIO_PAGE = (ROOT / "docs" / "scenarios.md").read_text()
ASSUMPTIONS = (ROOT / "docs" / "assumptions.md").read_text()


def _examples(page: Path, language: str) -> list[str]:
    """The code blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    """The README's code blocks in a language."""
    return _examples(ROOT / "README.md", language)


def commands() -> list[list[str]]:
    """Every command of the README's shell blocks, in words."""
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


def commands_of(group: click.Group) -> dict[str, click.Command]:
    """Every command of a group, by name."""
    context = click.Context(group)
    found = ((name, group.get_command(context, name)) for name in group.list_commands(context))
    return {name: command for name, command in found if command is not None}


def documented_options(group: click.Group) -> Iterator[tuple[str, click.Option]]:
    """Every option of every command."""
    for name, command in commands_of(group).items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                yield name, parameter


def test_the_test_in_the_readme_passes(pytester: pytest.Pytester) -> None:
    """The README's test of ten lines runs as it stands, with nothing but the plugin."""
    (test,) = [block for block in blocks("python") if "def test_" in block]
    assert len(test.strip().splitlines()) <= 11
    pytester.makepyfile(test)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize("example", [b for b in blocks("python") if "def test_" not in b])
def test_the_examples_in_the_readme_run(example: str) -> None:
    """Each of the README's other examples runs as it stands, in a Python of its own."""
    subprocess.run([sys.executable, "-W", "error", "-c", example], check=True)


@pytest.mark.parametrize(
    "example", [e for page in sorted(ROOT.glob("docs/*.md")) for e in _examples(page, "python")]
)
def test_the_examples_of_the_pages_run(example: str) -> None:
    """Each example of the pages below docs/ runs as it stands, in a Python of its own."""
    subprocess.run([sys.executable, "-W", "error", "-c", example], check=True)


def test_the_strict_test_in_the_documents_passes(pytester: pytest.Pytester) -> None:
    """The page of the contract suite shows a test that relies on nothing assumed."""
    (shown,) = _examples(ROOT / "docs" / "contract-suite.md", "python")
    pytester.makepyfile(shown)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_commands_of_the_contract_suite_have_those_options() -> None:
    """Each line of `check` on its page names options that exist."""
    lines = "".join(_examples(ROOT / "docs" / "contract-suite.md", "sh")).splitlines()
    named = {word for line in lines if "check" in line for word in line.split() if "--" in word}
    options = {name for p in commands_of(mock_cli)["check"].params for name in p.opts}
    assert named
    assert named <= options


def test_the_seed_file_in_the_documents_is_one() -> None:
    """The file that the page shows for writing by hand is read."""
    (shown,) = _examples(ROOT / "docs" / "control-plane.md", "json")
    assert [account.credits for account in read_snapshots(shown.encode()).accounts] == [10**6, 1]


def test_the_make_targets_in_the_documents_exist() -> None:
    """What README and CONTRIBUTING tell people to make can be made."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = README + (ROOT / "CONTRIBUTING.md").read_text() + (ROOT / "ARCHITECTURE.md").read_text()
    named = set(re.findall(r"`make ([a-z]+)`", text)) | {c[1] for c in commands() if c[0] == "make"}
    assert named
    assert named <= targets


def test_make_help_lists_every_target() -> None:
    """`make help` shows each target with what it does."""
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert set(re.findall(r"make ([a-z]+) ", listed.stdout)) == set(phony.split())


@pytest.mark.parametrize("words", [c for c in commands() if c[0].startswith("vimmerse")], ids=str)
def test_the_commands_in_the_readme_have_those_options(words: list[str]) -> None:
    """Every command line of the README names a command and options that exist."""
    group: click.Group = mock_cli if words[0] == "vimmerse-mock" else client_cli
    command = commands_of(group)[words[1]]
    known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
    ours = takewhile(lambda word: word != "--", words[2:])
    assert {word for word in ours if word.startswith("-")} <= known


def test_every_command_is_documented() -> None:
    """The reference names each command of both programs."""
    assert all(f"vimmerse-mock {name}" in REFERENCE for name in commands_of(mock_cli))
    assert (
        f"vimmerse {'|'.join(['create', 'get', 'update', 'concat', 'wait', 'download'])}"
        in REFERENCE
    )
    assert set(commands_of(client_cli)) == {"create", "get", "update", "concat", "wait", "download"}


def test_every_option_of_the_client_explains_itself() -> None:
    """`vimmerse COMMAND --help` says what each option is for."""
    undescribed = [(c, o.name) for c, o in documented_options(client_cli) if not o.help]
    assert undescribed == []


def test_every_field_of_a_scenario_is_documented() -> None:
    """The page of scenarios has a row for each field, and none that is not."""
    _, table = SCENARIO_PAGE.split("| field | what it says |")
    shown = re.findall(r"^\| `(\w+)` \|", table.partition("\n\n")[0], re.MULTILINE)
    assert tuple(shown) == FIELDS


def test_every_scenario_written_on_the_page_is_one() -> None:
    """Each JSON example is read, and each marker of the table and the commands means something."""
    (examples,) = re.findall(r"^```json\n(.*?)^```", SCENARIO_PAGE, re.MULTILINE | re.DOTALL)
    read = [read_scenario(json.loads(line)) for line in examples.splitlines()]
    assert len(set(read)) == 3
    markers = re.findall(r"\[vimmerse:[^\]]+\]", SCENARIO_PAGE.replace("[vimmerse:NAME]", ""))
    assert len({read_title(marker) for marker in markers}) == 4
    images = re.findall(r"vimmerse--(\w+)", SCENARIO_PAGE.replace("vimmerse--NAME", ""))
    assert set(images) == set(IMAGE_MARKERS)


def test_every_fault_is_documented() -> None:
    """The page of faults has a row for each kind, with what it does and whether it has effects."""
    page = (ROOT / "docs" / "faults.md").read_text()
    rows = {tuple(re.split(r"\s*\|\s*", line)[1:5]) for line in page.splitlines()}
    shown = {(kind, what, done) for kind, _, what, done in (row for row in rows if len(row) == 4)}
    for kind in FaultKind:
        does = "yes" if kind.effect.carried_out else "no"
        assert (f"`{kind.value}`", kind.effect.what, does) in shown


@pytest.mark.parametrize("page", sorted(tables.DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_the_tables_made_from_the_code_are_as_it_is(page: Path) -> None:
    """Options with their variables, fixtures, scenarios, steps, prices: `make docs` writes them."""
    text = page.read_text()
    assert text == tables.rewritten(text)


def test_every_table_made_from_the_code_stands_on_a_page() -> None:
    """No command with options, and nothing else that has a table, is left out."""
    pages = "".join(page.read_text() for page in tables.DOCS.glob("*.md"))
    assert set(re.findall(r"<!-- table: (.+) -->", pages)) == {
        name for name, rows in tables.tables().items() if rows
    }
    assert set(PriceList().per_second) == set(MOTION_TYPES)


def test_every_assumption_is_documented_with_its_reason() -> None:
    """The page of assumptions has a row for each assumed rule, and none that is not."""
    rows = {
        f"| `{rule.id}` | {rule.text} | {rule.reason} |"
        for rule in all_rules()
        if rule.source is Source.ASSUMED
    }
    shown = {line for line in ASSUMPTIONS.splitlines() if line.startswith("| `")}
    assert shown == rows


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_documents_lead_somewhere() -> None:
    """Every relative link of the documents points to a file, and a heading, that is there."""
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
            linked = page.parent / target if target else page
            assert linked.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in _anchors(linked), f"{page.name}: {target}#{anchor}"


def test_the_index_answers_questions() -> None:
    """Each line of the index is a question with an answer and a link to more."""
    listed = re.findall(r"^- .*(?:\n  .*)*", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE)
    assert len(listed) >= 30
    assert all(re.search(r"\]\([^)]+\)", line) for line in listed)


def test_the_demo_runs_to_its_end() -> None:
    """The main job ends well in front of the user, and prints how to start a mock to keep."""
    demo = subprocess.run(
        [sys.executable, "examples/demo.py"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "composed video" in demo.stdout
    assert "INSUFFICIENT_CREDIT" in demo.stdout
    assert re.search(r"\d+ passed", demo.stdout)
    assert "failed" not in demo.stdout
    assert demo.stdout.strip().endswith(".venv/bin/vimmerse-mock serve")
