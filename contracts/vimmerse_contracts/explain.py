"""A rule explained: what it says, where it comes from, and what depends on it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from vimmerse_contracts.operations import OPERATIONS, all_rules
from vimmerse_contracts.provenance import Rule
from vimmerse_contracts.suite.index import suite_tests


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
