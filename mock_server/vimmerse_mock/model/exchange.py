"""The journal: every request of an account, with what was answered and what it caused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from sys import getsizeof
from typing import Annotated, Final

from vimmerse_mock.model.bounds import PERCENT, STATUS
from vimmerse_mock.model.clock import Instant, Span
from vimmerse_mock.model.credits import LedgerEntry

JOURNAL_LENGTH: Final = 1_000
"""How many exchanges of an account are kept; the oldest go first."""
JOURNAL_BYTES: Final = 16 * 1024 * 1024
"""How much memory the exchanges of an account take, however many; the oldest go first."""
BODY_CHARACTERS: Final = 4_096
"""How much of an answer, and of a form's value, is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A request and its answer, apart from when it came and what it cost.

    Keys are redacted, bodies bounded. `operation` is empty where none matched. `batch_status` and
    `progress` are what the answer said of the batch; `fault` names its fault.
    `why` says why it was refused, or what of it was ignored, with the contract's rule.
    `status` is 0 where the answer did not arrive whole.
    """

    method: str
    path: str
    operation: str
    status: Annotated[int, STATUS]
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    answer: str = ""
    batch_id: str = ""
    batch_status: str = ""
    progress: Annotated[int, PERCENT] = 0
    fault: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange(Answered):
    """One request of the journal.

    `at` is the instant on the account's clock, `real` the real one, and `took` how long the answer
    took in real time. `charges` are the ledger entries that it caused.
    """

    at: Instant
    real: Instant
    took: Span
    charges: tuple[LedgerEntry, ...] = ()

    @property
    def size(self) -> int:
        """How many bytes its texts take in memory."""
        texts = [self.path, self.answer, *self.headers.values(), *self.answer_headers.values()]
        return sum(map(getsizeof, chain(texts, *self.form.values())))


_OVERHEAD_BYTES: Final = 4_096
"""What an exchange takes in memory beside its texts, or more."""


class LazyExchange:
    """An exchange that is written out when it is first read, as most are never.

    `size` is about what it takes in memory, in bytes.
    """

    __slots__ = ("_source", "size")

    def __init__(self, source: Exchange | Callable[[], Exchange], size: int = 0) -> None:
        self._source = source
        self.size = _OVERHEAD_BYTES + (source.size if isinstance(source, Exchange) else size)

    def read(self) -> Exchange:
        """Return the exchange, and let go of what it was made of."""
        source = self._source
        if not isinstance(source, Exchange):
            source = self._source = source()
        return source
