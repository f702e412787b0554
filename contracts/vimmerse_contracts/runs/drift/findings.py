"""What a comparison finds, and how much it matters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a difference matters to a client that keeps to the contract, worst first."""

    BREAKING = "breaking"
    """Such a client may fail."""
    ADDITIVE = "additive"
    """Something is there that was not; a client that ignores what it does not know goes on."""
    COSMETIC = "cosmetic"
    """It can be seen, and no client should mind."""

    @property
    def rank(self) -> int:
        """0 is worst."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference.

    `kind` names what sort of difference it is; `place` the operation (with the status of the
    answer), `rule`, `webhook` or `course`; `path` the JSON path there. `expected` is what the
    first of the two says, `seen` what the second does.
    """

    severity: Severity
    kind: str
    place: str
    path: str
    expected: str
    seen: str


def severity_of_new_value(path: str) -> Severity:
    """Return how much it matters that a key takes a value that it did not take.

    `status` is what clients decide by: to poll on, or not.
    """
    return Severity.BREAKING if path.endswith(".status") else Severity.ADDITIVE


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings, worst first and then by place, each of them once."""
    return tuple(
        sorted(
            dict.fromkeys(findings),
            key=lambda each: (each.severity.rank, *astuple(each)[2:], each.kind),
        )
    )


def listed(values: Iterable[object]) -> str:
    """Write values in a row, in order."""
    return ", ".join(sorted(map(str, values)))
