"""Which rules a test of the suite holds a target to: the ids at the end of its docstring."""

from __future__ import annotations

import re
from typing import Final

_NAMED: Final = re.compile(r"^[^\n]* \(([a-z_0-9.]+(?:, [a-z_0-9.]+)*)\)\.$")


def rules_of(docstring: str) -> tuple[str, ...]:
    """Read the ids in the parentheses that end a docstring; none where there are none."""
    match = _NAMED.match(docstring)
    return tuple(match[1].split(", ")) if match else ()
