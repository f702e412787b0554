"""Rules in the document: for people in descriptions, for programs in `x-rules`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vimmerse_contracts.provenance import Rule


def described(first: str, rules: Iterable[Rule]) -> dict[str, Any]:
    """Make the `description` and the `x-rules` of what follows these rules."""
    told = tuple(rules)
    return {
        "description": "\n".join([first, "", *(_line(rule) for rule in told)]),
        "x-rules": [as_json(rule) for rule in told],
    }


def as_json(rule: Rule) -> dict[str, str]:
    """Write a rule with its source; an assumed one has its reason."""
    written = {"id": rule.id, "text": rule.text, "source": rule.source.value}
    return {**written, "reason": rule.reason} if rule.reason else written


def _line(rule: Rule) -> str:
    why = f", since {rule.reason}" if rule.reason else ""
    return f"- `{rule.id}` ({rule.source}): {rule.text}{why}."
