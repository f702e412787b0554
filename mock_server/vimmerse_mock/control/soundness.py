"""What types do not show of a snapshot file: whether what is in it fits together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import msgspec

from vimmerse_contracts.fields import url_problem
from vimmerse_mock.control.openings import read_opening
from vimmerse_mock.model.account import OpeningError, require_usable

if TYPE_CHECKING:
    from vimmerse_mock.control.snapshots import SnapshotFile
    from vimmerse_mock.model.snapshot import Snapshot

Problem = tuple[str, str]
"""The place of a problem, as a path like `.accounts[0]`, and what is wrong."""
_LARGEST: Final = 2**63 - 1


def problems(sent: Any, read: SnapshotFile) -> Iterator[Problem]:  # noqa: ANN401 - JSON
    """Find what is wrong with a file: `sent` is its JSON, `read` what it was read as."""
    yield from _misfits("", sent, msgspec.to_builtins(read))
    for number, account in enumerate(read.accounts):
        try:
            read_opening(account)
        except ValueError as error:
            yield f".accounts[{number}]", str(error)
    for number, snapshot in enumerate(read.snapshots):
        yield from _problems_of(f".snapshots[{number}]", snapshot)
    yield from _taken_twice(read)


def _misfits(place: str, sent: Any, read: Any) -> Iterator[Problem]:  # noqa: ANN401 - JSON
    """Find fields that nothing reads, such as typos, and numbers that no store keeps."""
    if isinstance(sent, dict) and isinstance(read, dict):
        for name, value in sent.items():
            if name not in read:
                yield f"{place}.{name}", f"there is no field `{name}`: {', '.join(read)}"
            else:
                yield from _misfits(f"{place}.{name}", value, read[name])
    elif isinstance(sent, list):
        for number, (one, other) in enumerate(zip(sent, read, strict=True)):
            yield from _misfits(f"{place}[{number}]", one, other)
    elif isinstance(sent, int) and abs(sent) > _LARGEST:
        yield place, "the number is too large"


def _problems_of(place: str, snapshot: Snapshot) -> Iterator[Problem]:
    """Find in one account what belongs to nobody or to somebody else, and unsound money."""
    customer_id = snapshot.account.customer_id
    if not customer_id or not snapshot.account.api_key:
        yield f"{place}.account", "an account has a customer_id and an api_key"
    try:
        require_usable(snapshot.account.api_key, customer_id)
    except OpeningError as error:
        yield f"{place}.account", str(error)
    yield from _unsound_money(f"{place}.ledger", snapshot)
    for number, batch in enumerate(snapshot.batches):
        where = f"{place}.batches[{number}]"
        yield from _foreign(f"{where}.customer_id", "batch", batch.customer_id, customer_id)
        if not batch.submissions or not batch.medias:
            yield where, "a batch has at least one submission and one media"
    for number, message in enumerate(snapshot.messages):
        where = f"{place}.messages[{number}]"
        yield from _foreign(f"{where}.customer_id", "webhook", message.customer_id, customer_id)
        if url_problem(message.url) is not None:
            yield f"{where}.url", "a webhook goes to an http or https URL"
    yield from _repeated(f"{place}.batches", "id", (b.id for b in snapshot.batches))
    messages = ((m.batch_id, m.submission, m.number) for m in snapshot.messages)
    yield from _repeated(f"{place}.messages", "batch_id, submission and number", messages)


def _foreign(place: str, what: str, owner: str, customer_id: str) -> Iterator[Problem]:
    if owner != customer_id:
        yield place, f"the {what} belongs to another customer than {customer_id}"


def _unsound_money(place: str, snapshot: Snapshot) -> Iterator[Problem]:
    sums = accumulate(entry.amount for entry in snapshot.ledger)
    for number, balance in enumerate(sums):
        if balance < 0:
            yield f"{place}[{number}]", f"the ledger comes to {balance} credits, not 0 or more"
    if snapshot.ledger and snapshot.ledger[-1].balance != snapshot.balance:
        last = f"{place}[{len(snapshot.ledger) - 1}].balance"
        yield last, f"the last balance is the ledger's sum, {snapshot.balance}"


def _taken_twice(read: SnapshotFile) -> Iterator[Problem]:
    """Find keys and customer ids that two accounts of the file have."""
    places = [f".accounts[{number}]" for number in range(len(read.accounts))]
    places += [f".snapshots[{number}].account" for number in range(len(read.snapshots))]
    accounts = [*read.accounts, *(snapshot.account for snapshot in read.snapshots)]
    for name in ("api_key", "customer_id"):
        seen: set[str] = set()
        for place, account in zip(places, accounts, strict=True):
            value: str = getattr(account, name)
            if value and value in seen:
                yield f"{place}.{name}", f"another account of the file has this {name} already"
            seen.add(value)


def _repeated(place: str, name: str, values: Iterable[object]) -> Iterator[Problem]:
    seen: set[object] = set()
    for number, value in enumerate(values):
        if value in seen:
            yield f"{place}[{number}]", f"another one has this {name} already"
        seen.add(value)
