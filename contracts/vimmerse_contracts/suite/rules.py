"""The rules that each test of the suite holds a target to, and a rule explained."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from vimmerse_contracts.operations import OPERATIONS, all_rules
from vimmerse_contracts.provenance import Rule

_NAMED: Final = re.compile(r"^[^\n]* \(([a-z_0-9.]+(?:, [a-z_0-9.]+)*)\)\.$")


def rules_of(docstring: str) -> tuple[str, ...]:
    """Read the ids in the parentheses that end a docstring; none where there are none."""
    match = _NAMED.match(docstring)
    return tuple(match[1].split(", ")) if match else ()


FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class SuiteTest:
    """A test by its name, `test_read::test_reading_changes_nothing`, and its docstring."""

    name: str
    docstring: str

    @property
    def rules(self) -> tuple[str, ...]:
        """The ids of the rules that it holds a target to."""
        return rules_of(self.docstring)


def suite_tests() -> Iterator[SuiteTest]:
    """Yield every test of the suite."""
    for path in sorted(FOLDER.glob("test_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield SuiteTest(f"{path.stem}::{node.name}", ast.get_docstring(node) or "")


class UnknownRuleError(Exception):
    """No rule has that id; the message names those that come near."""


def explain(rule_id: str) -> tuple[str, ...]:
    """Explain a rule, in lines.

    Raises:
        UnknownRuleError: there is no such rule.
    """
    rule = find_rule(rule_id)
    return (
        f"{rule.id}: {rule.text}",
        f"  source: {rule.provenance}",
        f"  operations: {', '.join(_operations(rule)) or 'none alone'}",
        *_tests(rule),
    )


def find_rule(rule_id: str) -> Rule:
    """Find a rule by its id.

    Raises:
        UnknownRuleError: there is no such rule.
    """
    rules = {rule.id: rule for rule in all_rules()}
    if rule_id in rules:
        return rules[rule_id]
    near = get_close_matches(rule_id, rules) or [n for n in rules if n.startswith(rule_id)]
    hint = f"did you mean {', '.join(near)}?" if near else f"there are: {', '.join(rules)}"
    raise UnknownRuleError(f"there is no rule {rule_id!r}; {hint}")


def _operations(rule: Rule) -> Iterator[str]:
    """Name the operations that follow the rule themselves, or answer with its error."""
    for operation in OPERATIONS:
        if rule in operation.rules:
            yield f"{operation.method} {operation.path}"
        for error in operation.errors:
            if error.rule == rule:
                yield f"{operation.method} {operation.path} ({error.status})"


def _tests(rule: Rule) -> Iterator[str]:
    holding = [test for test in suite_tests() if rule.id in test.rules]
    if not holding:
        yield "  tests: none can hold a target to it"
        return
    yield "  tests:"
    for test in holding:
        yield f"    {test.name}"
        yield f"      {test.docstring.splitlines()[0]}"
