"""A newcomer finds the way: what ARCHITECTURE.md says is so, and a small addition stays small."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Final

import pytest

import vimmerse_client
import vimmerse_contracts
import vimmerse_contracts.runs
import vimmerse_contracts.suite
import vimmerse_mock
from vimmerse_contracts.provenance import Source

ROOT: Final = Path(__file__).parent.parent
ARCHITECTURE: Final = (ROOT / "ARCHITECTURE.md").read_text()
PACKAGES: Final = tuple(
    ROOT / package
    for package in (
        "contracts/vimmerse_contracts",
        "client/vimmerse_client",
        "mock_server/vimmerse_mock",
        "plugin/pytest_vimmerse",
    )
)
FACES: Final[dict[str, ModuleType]] = {
    module.__name__: module for module in (vimmerse_client, vimmerse_contracts, vimmerse_mock)
}

# Adding, in a copy of the tree


@dataclass(frozen=True)
class Tree:
    """A copy of the packages, which a newcomer changes."""

    folder: Path

    def insert(self, file: str, before: str, text: str) -> None:
        """Insert lines before the one place that is so."""
        path = self.folder / file
        head, found, tail = path.read_text().partition(before)
        assert found, f"{file} has no {before!r} any more: choose another place in this test"
        assert before not in tail
        path.write_text(head + text + before + tail)

    def touched(self) -> set[str]:
        """Which files are not as in the tree itself."""
        return {
            str(file.relative_to(self.folder))
            for package in PACKAGES
            for file in (self.folder / package.name).rglob("*.py")
            if file.read_text() != (package.parent / file.relative_to(self.folder)).read_text()
        }

    def python(self, *arguments: str) -> str:
        """Run a Python that imports the packages from here; return what it prints."""
        ran = subprocess.run(
            [sys.executable, "-B", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def run(self, code: str) -> None:
        """Run code against the copy; an assertion in it that fails, fails the test."""
        origin = f"import vimmerse_mock as m; assert m.__file__.startswith({str(self.folder)!r})\n"
        self.python("-c", origin + dedent(code))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """The source packages, copied."""
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(package, tmp_path / package.name, ignore=ignored)
    return Tree(tmp_path)


def named_for(kind: str) -> set[str]:
    """The files that ARCHITECTURE.md names for an addition, what it says in parentheses aside."""
    (sentence,) = re.findall(rf"^- {kind}: ((?:.|\n  )*)", ARCHITECTURE, re.MULTILINE)
    return set(re.findall(r"`(\w+/[\w/]+\.py)`", re.sub(r"\([^)]*\)", "", sentence)))


def test_a_scenario_touches_one_file(tree: Tree) -> None:
    """It is chosen by its name, and listed by the command."""
    tree.insert(
        "vimmerse_mock/model/scenarios.py",
        '        "partial": Preset(\n',
        '        "overnight": Preset(Scenario(queue="8h"), "waits for eight hours"),\n',
    )
    assert tree.touched() == named_for("A scenario")
    assert len(tree.touched()) == 1

    assert "overnight" in tree.python("-m", "vimmerse_mock.cli", "scenarios")
    tree.run("""
        from vimmerse_client import Client
        from vimmerse_mock import MockServer, Opening

        with MockServer(opening=Opening(clock="manual")) as server:
            account = server.account
            account.use_scenario("overnight")
            with Client(account.key, server.url) as client:
                batch = client.create(["http://images.example/1.jpg"])
                account.clock.advance("7h")
                waiting = client.get(batch.id)
                assert (waiting.status, waiting.progress_percentage) == ("processing", 0)
                account.clock.advance("2h")
                assert client.get(batch.id).status == "success"
    """)


def test_a_kind_of_fault_touches_two_files(tree: Tree) -> None:
    """It is planned through the control plane, met over HTTP, and in the story."""
    tree.insert(
        "vimmerse_mock/model/faults.py",
        "    LOST = Effect(\n",
        """\
    TEAPOT = Effect(
        "teapot",
        "answers 418, as a teapot does",
        carried_out=False,
        answer=lambda _: Answer(418, '{"message": "TEAPOT"}'),
    )
""",
    )
    tree.insert(
        "vimmerse_mock/account/faults.py",
        "    def drip(",
        """\
    def teapot(self, **aim: Unpack[Aim]) -> None:
        self._plan(Fault(FaultKind.TEAPOT, **aim))

""",
    )
    assert tree.touched() == named_for("A kind of fault")
    assert len(tree.touched()) <= 2

    tree.run("""
        import requests
        from vimmerse_mock import MockServer

        with MockServer() as server:
            account = server.account
            faults = f"{server.url}/__admin/accounts/{account.customer_id}/faults"
            plan = {"kind": "teapot", "operation": "get_batch"}
            headers = {"X-Vimmerse-Control": "1"}
            answer = requests.post(faults, json=plan, headers=headers)
            assert answer.status_code == 201
            account.faults.teapot(operation="get_batch", nth=2)
            for call in (1, 2):
                answer = requests.get(f"{server.url}/batch/1", headers={"X-Api-Key": account.key})
                assert (answer.status_code, answer.json()) == (418, {"message": "TEAPOT"})
                assert f"teapot, call {call} of get_batch" in account.story()
            assert account.faults.unfired == ()
    """)


def test_an_operation_of_the_control_plane_touches_three_files(tree: Tree) -> None:
    """It answers over HTTP, stands in the OpenAPI document, and is a method of `Account`."""
    tree.insert(
        "vimmerse_mock/control/operations.py",
        "OPERATIONS: Final[tuple",
        '''\
class Tally(Answer, frozen=True):
    """How much an account has."""

    batches: int


SHOW_TALLY: Final = Operation(
    "show_tally", "GET /accounts/{customer_id}/tally", "Count the batches", NOTHING, Tally
)
''',
    )
    tree.insert(
        "vimmerse_mock/control/plane.py",
        "    def list_webhooks(",
        """\
    def show_tally(self, customer_id: str) -> o.Tally:
        return o.Tally(batches=len(self.store.batches(customer_id)))

""",
    )
    tree.insert(
        "vimmerse_mock/account/account.py",
        "    def export(",
        """\
    def tally(self) -> o.Tally:
        return self.call(o.SHOW_TALLY)

""",
    )
    assert tree.touched() == named_for("An operation of the control plane")
    assert len(tree.touched()) <= 3

    tree.run("""
        import requests
        from vimmerse_client import Client
        from vimmerse_mock import MockServer, RemoteMock

        with MockServer() as server:
            account = server.account
            with Client(account.key, server.url) as client:
                client.create(["http://images.example/1.jpg"])
            tally = f"{server.url}/__admin/accounts/{account.customer_id}/tally"
            assert requests.get(tally).json() == {"batches": 1}
            document = requests.get(f"{server.url}/__admin/openapi.json").json()
            row = document["paths"]["/__admin/accounts/{customer_id}/tally"]["get"]
            assert row["summary"] == "Count the batches"
            assert account.tally().batches == 1
            remote = RemoteMock(server.url)
            assert remote.open_account().tally().batches == 0
            remote.close()
    """)


# What ARCHITECTURE.md lists


def rooms() -> Iterator[tuple[str, set[str]]]:
    """Every folder with modules, and their names."""
    for package in PACKAGES:
        for folder in (package, *(path for path in package.rglob("*") if path.is_dir())):
            modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "__main__"}
            if modules:
                yield f"{folder.relative_to(ROOT)}/", modules


def test_the_tree_names_every_room_and_module_and_no_other() -> None:
    """One line a room, with each of its modules once."""
    lines = re.findall(r"^\| `([\w/]+/)` \| (.*?) \| .+ \|$", ARCHITECTURE, re.MULTILINE)
    listed = [(room, modules.replace("`", "").split()) for room, modules in lines]
    assert sorted((room, sorted(modules)) for room, modules in listed) == sorted(
        (room, sorted(modules)) for room, modules in rooms()
    )


def test_the_floors_are_those_that_are_proved() -> None:
    """The table has the layers of import-linter, in their order."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each["type"] == "layers")
    floors = re.findall(r"^\| (\d+) \| `(.+)` \|$", ARCHITECTURE, re.MULTILINE)
    assert [layer.replace("\\|", "|") for _, layer in floors] == layers
    assert [int(floor) for floor, _ in floors] == list(reversed(range(len(layers))))


def test_the_key_has_every_source() -> None:
    """Strongest first, as in the contract."""
    tags = re.findall(r"^\| ([A-Z]\w*) \|", ARCHITECTURE, re.MULTILINE)
    assert tags == [source.value for source in Source]


# Words

RETIRED: Final = re.compile(
    r"\b(purse|reliance|strangers?|shelf|twists?|ThrottleError|dearest|administration"
    r"|compositions?|(?<!docker[- ])compose(?!d video))\b",
    re.IGNORECASE,
)
RETIRED_OPENINGS: Final = re.compile(r'"""(Say whether|Tell|Let|Hold) ')
RETIRED_IN_NAMES: Final = frozenset(
    (
        *("reach", "traffic", "told", "tell", "witness", "meet", "saw", "gate", "marks", "purse"),
        *("shelf", "twist", "reliance", "strangers", "dearest", "compose", "composition"),
    )
)
"""Plain words of English, but not for things of this code. The name of a test is a sentence."""


def tracked(*patterns: str) -> list[Path]:
    """The files that git tracks, except this one."""
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, check=True, capture_output=True, text=True
    )
    files = map(ROOT.joinpath, listed.stdout.splitlines())
    return [path for path in files if path != Path(__file__)]


def test_no_retired_word_is_found() -> None:
    """The field's words stand in their places, in code and in documents."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {word[0]}"
        for path in tracked("*.py", "*.md", "*.toml", "*.yml", "*.sh", "Makefile", "docker/*")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for word in (*RETIRED.finditer(line), *RETIRED_OPENINGS.finditer(line))
    ]
    assert found == []


def names_in(source: str) -> Iterator[str]:
    """Every name that code gives or uses."""
    for node in ast.walk(ast.parse(source)):
        for field in ("id", "attr", "arg", "name", "asname"):
            if isinstance(name := getattr(node, field, None), str):
                yield name


def test_no_name_in_the_code_has_a_retired_word() -> None:
    """`told_by`, `AccountShelf` and the like: words by which nobody looks for anything."""
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in tracked("*.py")
        for name in names_in(path.read_text())
        if not name.startswith("test_")
        and RETIRED_IN_NAMES & {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}
    }
    assert found == set()


# Imports


def python_on(page: Path) -> str:
    """The Python that a page or a module shows: blocks of code, whole files, docstrings."""
    text = page.read_text()
    if page.suffix == ".md":
        return "".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    if page.parent.name == "examples":
        return text
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, documented)]
    shown = "\n".join(ast.get_docstring(node) or "" for node in nodes)
    return "\n".join(
        re.findall(r"^ *((?:from|import) \w+[\w.]*(?: import .*)?)$", shown, re.MULTILINE)
    )


SHOWN: Final = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("examples/*.py")),
    *sorted(path for package in PACKAGES for path in package.rglob("*.py")),
]


def imported_by(code: str) -> Iterator[tuple[str, str]]:
    """Every import from a package of ours: the module, and the name, if there is one."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            modules = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        yield from (m for m in modules if m[0].partition(".")[0] in {p.name for p in PACKAGES})


def test_examples_import_from_the_faces_alone() -> None:
    """Whatever is shown to users comes from a package itself, and is public there."""
    imports = [(page, *each) for page in SHOWN for each in imported_by(python_on(page))]
    assert len(imports) > 30
    deeper = [
        f"{page.relative_to(ROOT)}: {module} {name}"
        for page, module, name in imports
        if "." in module or (name and module in FACES and name not in FACES[module].__all__)
    ]
    assert deeper == []


def test_the_plugin_imports_from_the_faces_alone() -> None:
    """It is built as a user's tests are; the suite and its runs have faces of their own."""
    beside = (vimmerse_contracts.runs, vimmerse_contracts.suite)
    public = FACES | {face.__name__: face for face in beside}
    plugin = ROOT / "plugin" / "pytest_vimmerse"
    imports = [
        (path.name, module, name)
        for path in plugin.rglob("*.py")
        for module, name in imported_by(path.read_text())
        if not module.startswith(plugin.name)
    ]
    assert len(imports) > 30
    deeper = [
        f"{page}: {module} {name}"
        for page, module, name in imports
        if module not in public or name not in public[module].__all__
    ]
    assert deeper == []
