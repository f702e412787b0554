"""Two evidence files compared."""

from __future__ import annotations

from vimmerse_contracts.drift.answers import compare_answers
from vimmerse_contracts.drift.course import compare_courses
from vimmerse_contracts.drift.findings import Finding, in_order
from vimmerse_contracts.drift.verdicts import compare_contracts, compare_verdicts
from vimmerse_contracts.evidence.reader import Evidence


def compare_evidence(first: Evidence, second: Evidence) -> tuple[Finding, ...]:
    """Say where the second differs from the first, worst first.

    What only one of them has to show (a test that was not run, a state that no batch was seen in)
    is no difference of the services, and is said at most as cosmetic.
    """
    return in_order(
        [
            *compare_contracts(first, second),
            *compare_verdicts(first, second),
            *compare_answers(first, second),
            *compare_courses(first, second),
        ]
    )
