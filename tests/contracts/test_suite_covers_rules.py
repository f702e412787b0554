from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

import vimmerse_contracts.suite
from vimmerse_contracts.operations import all_rules
from vimmerse_contracts.suite.rules import rules_of

UNTESTABLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "webhook.timeout": "it would take a receiver that keeps the target waiting for 10 seconds",
        "webhook.retries": "the suite's receiver takes everything, and on a live service the last "
        "retry comes after 36 minutes",
        "webhook.gone": "the suite's receiver takes everything",
        "webhook.redirects": "the suite's receiver takes everything",
        "webhook.order": "a live service promises none, and may deliver from many places",
        "video.length": "what a video shows is not looked at: the suite has no decoder",
        "video.size": "what a video shows is not looked at: the suite has no decoder",
        "video.sound": "what a video shows is not looked at: the suite has no decoder",
        "video.transition": "what a video shows is not looked at: the suite has no decoder",
        "read.queued": "no request makes a target keep a batch waiting; the mock's own tests do",
        "read.refused": "no request is known that every target refuses an image of",
        "error.413": "no limit is public, so there is no size that every target must refuse",
        "error.429": "no source says how many requests are too many",
        "error.500": "no request is known that makes a sound service fail",
        "error.503": "no request can make a target's store busy, or take it away",
        "error.507": "no request can fill a target's disk",
    }
)
"""Rules that no test of the suite can hold a target to, and why."""

RULES: Final = frozenset(rule.id for rule in all_rules())
SUITE: Final = Path(vimmerse_contracts.suite.__file__).parent


def suite_tests() -> Iterator[tuple[str, str]]:
    """Yield the name and the docstring of every test of the suite."""
    for path in sorted(SUITE.glob("test_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{path.stem}::{node.name}", ast.get_docstring(node) or ""


TESTS: Final = dict(suite_tests())


def test_every_rule_is_held_by_a_test() -> None:
    """Each rule of the contract is named by a test of the suite, or is listed as untestable."""
    held = {rule for docstring in TESTS.values() for rule in rules_of(docstring)}
    assert RULES - held - set(UNTESTABLE) == set()


def test_what_cannot_be_tested_is_a_rule_that_no_test_names() -> None:
    """The list of untestable rules names rules only, and none that a test does hold."""
    held = {rule for docstring in TESTS.values() for rule in rules_of(docstring)}
    assert set(UNTESTABLE) <= RULES - held


@pytest.mark.parametrize("name", TESTS)
def test_each_test_names_the_rules_it_holds(name: str) -> None:
    """A test of the suite says in one sentence what is true, and ends with ids of rules."""
    named = rules_of(TESTS[name])
    assert named
    assert set(named) <= RULES


def test_the_suite_imports_no_target() -> None:
    """No file of the suite imports the mock, the client, the plugin or a web framework."""
    allowed = {"vimmerse_contracts", "pytest", "requests"}
    imported = {root for path in SUITE.glob("*.py") for root in _imports(path)}
    outside = {root for root in imported if root not in allowed and not _is_standard(root)}
    assert outside == set()


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)


def _is_standard(root: str) -> bool:
    return root in sys.stdlib_module_names
