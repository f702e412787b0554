"""What a test's accounts relied on that is only assumed, and what its marker makes of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

import pytest

from pytest_vimmerse.handle import Vimmerse
from vimmerse_contracts.runs.assumptions import Assumption, Sent, Step, relied_on
from vimmerse_mock.control.messages import ExchangeInfo
from vimmerse_mock.errors import ControlError, UnknownAccountError
from vimmerse_mock.model.story import EventKind

ASSUMED: Final = "vimmerse_assumed"
"""The property of a report that names the assumed rules its test relied on."""

_END: Final = "processing -> "


class _AccountWorld:
    """The account's own answers to what is asked only where it matters."""

    def __init__(self, handle: Vimmerse) -> None:
        self._handle = handle

    def ends(self, batch_id: str) -> Sequence[datetime]:
        """Read the ends from the story."""
        return [
            event.at
            for event in self._handle.events()
            if event.batch_id == batch_id
            and event.kind is EventKind.TRANSITION
            and event.what.startswith(_END)
        ]

    def sent(self) -> Sequence[Sent]:
        """Read the outbox."""
        return [
            Sent(each.batch_id, each.submission, len(each.attempts)) for each in self._handle.outbox
        ]


def note_assumptions(item: pytest.Item, handles: Iterable[Vimmerse], wanted: str) -> None:
    """Note what a test relied on that is only assumed; fail it where its marker asks for that.

    Raises:
        Failed: an assumption was relied on, and `wanted` is 'fail'.
    """
    if wanted not in ("fail", "count"):
        raise pytest.UsageError(f"assumptions is 'fail' or 'count', not {wanted!r}")
    found = [assumptions for handle in handles for assumptions in _of(handle)]
    if not found:
        return
    item.user_properties.append((ASSUMED, ",".join(dict.fromkeys(r.rule.id for r in found))))
    if wanted == "fail":
        listed = "\n".join(f"  {assumption}" for assumption in found)
        pytest.fail(f"the test relied on what is only assumed:\n{listed}", pytrace=False)


def _of(handle: Vimmerse) -> tuple[Assumption, ...]:
    try:
        return relied_on(map(_step, handle.journal.requests()), _AccountWorld(handle))
    except (ControlError, UnknownAccountError):
        return ()  # the test closed its account, or its mock is gone


def _step(exchange: ExchangeInfo) -> Step:
    return Step(
        at=exchange.at,
        operation=exchange.operation,
        path=exchange.path,
        status=exchange.status,
        form=exchange.form,
        answer=exchange.answer,
        batch_id=exchange.batch_id,
        batch_status=exchange.batch_status,
        progress=exchange.progress,
    )


def told(reports: Iterable[pytest.TestReport]) -> Iterator[str]:
    """Tell how many tests relied on how many assumed behaviours, and on which most."""
    properties = [str(dict(report.user_properties).get(ASSUMED, "")) for report in reports]
    rules = Counter(rule for text in properties if text for rule in text.split(","))
    tests = sum(1 for text in properties if text)
    if tests:
        yield (
            f"{_count(tests, 'test')} relied on {_count(len(rules), 'assumed behaviour')}: "
            f"{', '.join(rule for rule, _ in rules.most_common())}"
        )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
