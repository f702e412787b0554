"""What a run of the suite may cost, what it found, and what it relied on."""

from __future__ import annotations

from vimmerse_contracts.lazy import lazy_names

TYPE_CHECKING = False  # as in `typing`, whose import would cost more than all the rest here
if TYPE_CHECKING:
    from vimmerse_contracts.runs.assumptions import Assumption, Sent, Step, relied_on
    from vimmerse_contracts.runs.evidence.file import (
        FORMAT,
        UNFINISHED,
        Begun,
        Contract,
        Header,
        LineFile,
        begin,
        seal,
    )
    from vimmerse_contracts.runs.evidence.recorder import Recorder, recording
    from vimmerse_contracts.runs.evidence.redaction import Labels, Redactor
    from vimmerse_contracts.runs.prices import (
        Cost,
        NotAffordableError,
        PriceListError,
        Prices,
        make_plan,
        make_prices,
        read_prices,
    )
    from vimmerse_contracts.runs.spending import Budget, SpendingFile
    from vimmerse_contracts.runs.verdicts import (
        Outcome,
        Verdict,
        count_reasons,
        count_rules,
        judge,
    )

__all__ = [
    "FORMAT",
    "UNFINISHED",
    "Assumption",
    "Begun",
    "Budget",
    "Contract",
    "Cost",
    "Header",
    "Labels",
    "LineFile",
    "NotAffordableError",
    "Outcome",
    "PriceListError",
    "Prices",
    "Recorder",
    "Redactor",
    "Sent",
    "SpendingFile",
    "Step",
    "Verdict",
    "begin",
    "count_reasons",
    "count_rules",
    "judge",
    "make_plan",
    "make_prices",
    "read_prices",
    "recording",
    "relied_on",
    "seal",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    __all__,
    (
        *("verdicts", "assumptions", "prices", "spending"),
        *("evidence.redaction", "evidence.file", "evidence.recorder"),
    ),
)
