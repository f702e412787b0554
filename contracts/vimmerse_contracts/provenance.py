"""Where a rule of the contract comes from: a public source, or this project's own choice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final


class Source(StrEnum):
    """The sources of the fact sheet, strongest first."""

    SEED = "S"
    """The seed document: the Batch page of the public reference, April 2025."""
    PAGE_2025 = "P25"
    """Other 2025 states of the same public reference page."""
    OPENAPI_2026 = "P26"
    """The OpenAPI 3.1 file that the company published in February 2026."""
    OBSERVED = "O"
    """A response of the real service; the rule says when."""
    ASSUMED = "A"
    """Nothing public says so: this project's choice, with its reason."""


class Standing(StrEnum):
    """How far a rule may be relied on."""

    DOCUMENTED = "documented"
    OBSERVED = "observed"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Rule:
    """One statement of the contract, with its source.

    `reason` says why an assumed rule is as it is; `seen` is the day on which an observed one was
    observed. They are empty for every other source.
    """

    id: str
    text: str
    source: Source
    reason: str = ""
    seen: date | None = None

    def __post_init__(self) -> None:
        """Refuse an assumed rule without a reason, and an observed one without a date."""
        if (self.source is Source.ASSUMED) != bool(self.reason):
            raise ValueError(f"rule {self.id!r}: an assumed rule, and no other, gives a reason")
        if (self.source is Source.OBSERVED) != bool(self.seen):
            raise ValueError(f"rule {self.id!r}: an observed rule, and no other, gives a date")

    @property
    def standing(self) -> Standing:
        """Whether it is documented, observed or assumed."""
        return _STANDINGS.get(self.source, Standing.DOCUMENTED)

    @property
    def provenance(self) -> str:
        """Where it comes from: `documented (P26)`, `observed (O, on ...)`, `assumed: ...`."""
        if self.reason:
            return f"{self.standing}, because {self.reason}"
        when = f", on {self.seen}" if self.seen else ""
        return f"{self.standing} ({self.source}{when})"


_STANDINGS: Final = {Source.OBSERVED: Standing.OBSERVED, Source.ASSUMED: Standing.ASSUMED}


def documented(rule_id: str, text: str, source: Source = Source.SEED) -> Rule:
    """Make a rule that a public source states."""
    return Rule(rule_id, text, source)


def observed(rule_id: str, text: str, *, on: date) -> Rule:
    """Make a rule that the real service was seen to follow on a day."""
    return Rule(rule_id, text, Source.OBSERVED, seen=on)


def assumed(rule_id: str, text: str, *, because: str) -> Rule:
    """Make a rule that is this project's choice, for the reason given."""
    return Rule(rule_id, text, Source.ASSUMED, because)
