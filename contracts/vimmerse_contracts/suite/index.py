"""The tests of the suite and the rules they hold a target to, read without importing them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vimmerse_contracts.suite.rules import rules_of

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
