"""Where a rule of the contract comes from: a public source, or this project's own choice."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """The sources of the fact sheet, strongest first."""

    SEED = "S"
    """The seed document: the Batch page of the public reference, April 2025."""
    PAGE_2025 = "P25"
    """Other 2025 states of the same public reference page."""
    OPENAPI_2026 = "P26"
    """The OpenAPI 3.1 file that the company published in February 2026."""
    OBSERVED = "O"
    """A response of the real service that an integrator logged on 2025-04-02."""
    ASSUMED = "A"
    """Nothing public says so: this project's choice, with its reason."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One statement of the contract, with its source.

    `reason` says why an assumed rule is as it is; it is empty for every other source.
    """

    id: str
    text: str
    source: Source
    reason: str = ""

    def __post_init__(self) -> None:
        """Hold assumed rules, and only those, to giving a reason."""
        if (self.source is Source.ASSUMED) != bool(self.reason):
            raise ValueError(f"rule {self.id!r}: an assumed rule, and no other, gives a reason")


def documented(rule_id: str, text: str, source: Source = Source.SEED) -> Rule:
    """Make a rule that a public source states."""
    return Rule(rule_id, text, source)


def assumed(rule_id: str, text: str, *, because: str) -> Rule:
    """Make a rule that is this project's choice, for the reason given."""
    return Rule(rule_id, text, Source.ASSUMED, because)
