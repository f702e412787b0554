"""The statements, the same for both dialects, made once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Delete,
    Select,
    String,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
    update,
)

from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.clock import Clock, Instant
from vimmerse_mock.model.credits import LedgerEntry, Reason
from vimmerse_mock.model.limits import Keep
from vimmerse_mock.model.outbox import Message, MessageState
from vimmerse_mock.stores import FORGOTTEN_AT_ONCE
from vimmerse_mock.stores.sql.schema import ACCOUNTS, BATCHES, DEEDS, JOURNAL, LEDGER, MESSAGES

_OF_CUSTOMER: Final[BindParameter[Any]] = bindparam("of_customer")
CUSTOMERS: Final = select(ACCOUNTS.c.customer_id)
ACCOUNT_BY_ID: Final = select(ACCOUNTS.c.body).where(ACCOUNTS.c.customer_id == _OF_CUSTOMER)
ACCOUNT_LOCKED: Final = ACCOUNT_BY_ID.with_for_update()
ACCOUNT_BY_KEY: Final = select(ACCOUNTS.c.body).where(ACCOUNTS.c.api_key == bindparam("api_key"))
BALANCE: Final = select(ACCOUNTS.c.balance).where(ACCOUNTS.c.customer_id == _OF_CUSTOMER)
BATCH_BY_ID: Final = select(BATCHES.c.body).where(
    BATCHES.c.customer_id == _OF_CUSTOMER, BATCHES.c.batch_id == bindparam("batch_id")
)
PROCESSING: Final = select(BATCHES.c.ends_at).where(
    BATCHES.c.customer_id == _OF_CUSTOMER,
    BATCHES.c.ends_at > bindparam("now"),
    BATCHES.c.batch_id != bindparam("but"),
)
_BATCHES_OF: Final = select(BATCHES.c.body).where(BATCHES.c.customer_id == _OF_CUSTOMER)
_CREATION: Final = (BATCHES.c.created_at, BATCHES.c.batch_id)
BATCHES_OF: Final = _BATCHES_OF.order_by(*_CREATION)
_UNFINISHED: Final = BATCHES.c.moves_until > bindparam("now")
MOVED: Final = _BATCHES_OF.where(_UNFINISHED, BATCHES.c.moves_from <= bindparam("until"))
"""Batches that may have moved on between two instants."""
FIRST_MOVE: Final = select(func.min(BATCHES.c.moves_from)).where(
    BATCHES.c.customer_id == _OF_CUSTOMER, _UNFINISHED, BATCHES.c.moves_from > bindparam("now")
)
_ENTRY: Final = [LEDGER.c[name] for name in LedgerEntry.__dataclass_fields__]
LEDGER_OF: Final = (
    select(*_ENTRY).where(LEDGER.c.customer_id == _OF_CUSTOMER).order_by(LEDGER.c.serial)
)
MESSAGES_OF: Final = (
    select(MESSAGES.c.body)
    .where(MESSAGES.c.customer_id == _OF_CUSTOMER)
    .order_by(MESSAGES.c.serial)
)
MESSAGE_BY_ID: Final = select(MESSAGES.c.body).where(
    MESSAGES.c.customer_id == _OF_CUSTOMER, MESSAGES.c.message_id == bindparam("message_id")
)
MESSAGES_OF_SUBMISSION: Final = (
    select(MESSAGES.c.body)
    .where(
        MESSAGES.c.customer_id == _OF_CUSTOMER,
        MESSAGES.c.batch_id == bindparam("batch_id"),
        MESSAGES.c.submission == bindparam("submission"),
    )
    .order_by(MESSAGES.c.number)
)
MESSAGE_OF: Final = MESSAGES_OF_SUBMISSION.where(MESSAGES.c.number == bindparam("number"))
_PENDING: Final = MESSAGES.c.state == MessageState.PENDING.value
_PLACES: Final = (
    select(
        MESSAGES.c.serial,
        func.row_number()
        .over(partition_by=MESSAGES.c.lane, order_by=(MESSAGES.c.due_at, MESSAGES.c.serial))
        .label("place"),
    )
    .where(MESSAGES.c.customer_id == _OF_CUSTOMER, _PENDING)
    .subquery()
)
UPCOMING: Final = select(MESSAGES.c.body).where(
    MESSAGES.c.serial.in_(select(_PLACES.c.serial).where(_PLACES.c.place == 1))
)
_BEYOND: Final = bindparam("beyond", type_=BigInteger)
PAGES: Final[Mapping[type, Select[Any]]] = {
    LedgerEntry: select(LEDGER.c.serial, *_ENTRY)
    .where(LEDGER.c.customer_id == _OF_CUSTOMER, LEDGER.c.serial > _BEYOND)
    .order_by(LEDGER.c.serial),
    Message: select(MESSAGES.c.serial, MESSAGES.c.body)
    .where(MESSAGES.c.customer_id == _OF_CUSTOMER, MESSAGES.c.serial > _BEYOND)
    .order_by(MESSAGES.c.serial),
    Batch: select(*_CREATION, BATCHES.c.body)
    .where(
        BATCHES.c.customer_id == _OF_CUSTOMER,
        tuple_(*_CREATION) > tuple_(_BEYOND, bindparam("beyond_id", type_=String)),
    )
    .order_by(*_CREATION),
}
_REACHED: Final = bindparam("reached", type_=BigInteger)
LEDGER_SINCE: Final = LEDGER_OF.where(LEDGER.c.serial > _BEYOND, LEDGER.c.serial <= _REACHED)
JOURNAL_SINCE: Final = (
    select(JOURNAL.c.body)
    .where(JOURNAL.c.customer_id == _OF_CUSTOMER)
    .where(JOURNAL.c.serial > _BEYOND, JOURNAL.c.serial <= _REACHED)
    .order_by(JOURNAL.c.serial)
)


def _deeds(*columns: str) -> Select[Any]:
    """Return the statement for deeds beyond a serial number, to another."""
    wanted = select(*(DEEDS.c[column] for column in columns))
    of_customer = wanted.where(DEEDS.c.customer_id == _OF_CUSTOMER)
    return of_customer.where(DEEDS.c.serial > _BEYOND, DEEDS.c.serial <= _REACHED)


DEEDS_SINCE: Final = _deeds("batch_id", "submission", "number", "attempt")
DONE_TO_BATCHES: Final = _BATCHES_OF.where(BATCHES.c.batch_id.in_(_deeds("batch_id")))
TRIED: Final = (
    _deeds()
    .add_columns(MESSAGES.c.body)
    .where(
        DEEDS.c.attempt > 0,
        MESSAGES.c.customer_id == DEEDS.c.customer_id,
        MESSAGES.c.batch_id == DEEDS.c.batch_id,
        MESSAGES.c.submission == DEEDS.c.submission,
        MESSAGES.c.number == DEEDS.c.number,
    )
)
"""Messages with new attempts, once for each."""
LAST_SERIALS: Final = select(
    *(
        select(func.coalesce(func.max(table.c.serial), 0))
        .where(table.c.customer_id == _OF_CUSTOMER)
        .scalar_subquery()
        for table in (LEDGER, DEEDS, JOURNAL)
    )
)
_NEXT_OF: Final = (
    select(MESSAGES.c.serial)
    .where(
        MESSAGES.c.customer_id == _OF_CUSTOMER,
        _PENDING,
        MESSAGES.c.due_at <= bindparam("until"),
        MESSAGES.c.lease_until.is_(None),
    )
    .order_by(MESSAGES.c.due_at, MESSAGES.c.serial)
    .limit(1)
    .correlate(None)
    .scalar_subquery()
)
IN_FLIGHT: Final = (
    select(MESSAGES.c.serial)
    .where(MESSAGES.c.customer_id == _OF_CUSTOMER, MESSAGES.c.lease_until.is_not(None))
    .limit(1)
)
CLAIM_OF: Final = (
    update(MESSAGES)
    .where(MESSAGES.c.serial == _NEXT_OF)
    .values(lease_until=bindparam("lease"))
    .returning(MESSAGES.c.body)
)
CLAIM_ALONE: Final = CLAIM_OF.where(~exists(IN_FLIGHT.correlate(None)))
BOOK: Final = (
    update(ACCOUNTS)
    .where(
        ACCOUNTS.c.customer_id == _OF_CUSTOMER,
        ACCOUNTS.c.balance + bindparam("amount", type_=BigInteger) >= 0,
    )
    .values(balance=ACCOUNTS.c.balance + bindparam("amount", type_=BigInteger))
    .returning(ACCOUNTS.c.balance)
)
_LEASED = MESSAGES.alias("leased")
_LANE_IS_BUSY: Final = exists().where(
    _LEASED.c.customer_id == MESSAGES.c.customer_id,
    _LEASED.c.lane == MESSAGES.c.lane,
    _LEASED.c.lease_until > bindparam("now"),
)
_FREE: Final = and_(
    _PENDING,
    MESSAGES.c.receiver.not_in(bindparam("busy_receivers", value=("",), expanding=True)),
    MESSAGES.c.customer_id.not_in(bindparam("busy_customers", value=("",), expanding=True)),
    ~_LANE_IS_BUSY,
)
_DUE: Final = and_(_FREE, MESSAGES.c.real_due <= bindparam("now"))
CLAIMABLE: Final = (
    select(MESSAGES.c.customer_id)
    .join(ACCOUNTS, ACCOUNTS.c.customer_id == MESSAGES.c.customer_id)
    .where(_DUE)
    .order_by(MESSAGES.c.real_due, MESSAGES.c.serial)
    .limit(1)
    .with_for_update(skip_locked=True, of=ACCOUNTS)
)
"""Locks the account for `CLAIM`, which then sees what all claims and updates before it did."""
_FIRST_DUE: Final = (
    select(MESSAGES.c.serial)
    .where(MESSAGES.c.customer_id == _OF_CUSTOMER, _DUE)
    .order_by(MESSAGES.c.due_at, MESSAGES.c.serial)
    .limit(1)
    .correlate(None)
    .scalar_subquery()
)
CLAIM: Final = (
    update(MESSAGES)
    .where(MESSAGES.c.serial == _FIRST_DUE)
    .values(lease_until=bindparam("lease"))
    .returning(MESSAGES.c.body)
)
SET_ASIDE: Final = (
    update(MESSAGES)
    .where(MESSAGES.c.serial == _FIRST_DUE)
    .values(state=MessageState.SET_ASIDE.value, real_due=None)
    .returning(MESSAGES.c.message_id)
)
NEXT_DUE: Final = (
    select(MESSAGES.c.real_due)
    .where(_FREE, MESSAGES.c.real_due.is_not(None))
    .order_by(MESSAGES.c.real_due)
    .limit(1)
)


def real_due(clock: Clock) -> ColumnElement[int]:
    """`Clock.real_at` of `due_at`, in SQL; rounded up, so that nothing is due too early."""
    later: ColumnElement[Any] = null()
    if not clock.is_manual:
        ahead = (MESSAGES.c.due_at - clock.origin) / literal(clock.rate)
        later = clock.anchor + cast(ahead, BigInteger) + 1
    return case((MESSAGES.c.due_at <= clock.origin, clock.anchor), else_=later)


SAVE_ACCOUNT: Final = (
    update(ACCOUNTS)
    .where(ACCOUNTS.c.customer_id == _OF_CUSTOMER)
    .values(body=bindparam("account_body"))
)
LEASE: Final = (
    update(MESSAGES)
    .where(
        MESSAGES.c.customer_id == _OF_CUSTOMER,
        MESSAGES.c.batch_id == bindparam("of_batch"),
        MESSAGES.c.submission == bindparam("of_submission"),
        MESSAGES.c.number == bindparam("of_number"),
    )
    .values(lease_until=bindparam("lease"))
)


def reschedule(before: Clock, after: Clock) -> Any:  # noqa: ANN401 - SQLAlchemy's Update, generic in nothing
    """Return the statement that follows a clock that was changed.

    Between two settings of a manual clock only what came due changes; that keeps stepping over
    thousands of messages from touching all of them at each step.
    """
    affected = and_(MESSAGES.c.customer_id == _OF_CUSTOMER, _PENDING)
    if before.is_manual and after.is_manual:
        affected = and_(affected, MESSAGES.c.due_at <= after.origin, MESSAGES.c.real_due.is_(None))
    return update(MESSAGES).where(affected).values(real_due=real_due(after))


def forgettable(keep: Keep, now: Instant) -> Select[Any]:
    """Return the statement that finds batches which need not be kept, oldest first."""
    busy = select(MESSAGES.c.batch_id).where(MESSAGES.c.customer_id == _OF_CUSTOMER, _PENDING)
    ended = (
        select(BATCHES.c.batch_id)
        .where(BATCHES.c.customer_id == _OF_CUSTOMER, BATCHES.c.ends_at <= now)
        .where(BATCHES.c.batch_id.not_in(busy))
        .order_by(BATCHES.c.created_at, BATCHES.c.batch_id)
        .limit(FORGOTTEN_AT_ONCE)
    )
    if keep.age is not None:
        return ended.where(BATCHES.c.ends_at < now - keep.age)
    newest = (
        select(BATCHES.c.batch_id)
        .where(BATCHES.c.customer_id == _OF_CUSTOMER)
        .order_by(BATCHES.c.created_at.desc(), BATCHES.c.batch_id.desc())
        .limit(keep.count)
    )
    return ended.where(BATCHES.c.batch_id.not_in(newest))


def journal_of(customer_id: str | None) -> Select[Any]:
    """Return the statement that lists a journal, oldest first."""
    return select(JOURNAL.c.body).where(_journaled(customer_id)).order_by(JOURNAL.c.serial)


def trim_journal(customer_id: str | None, keep: int) -> Delete:
    """Return the statement that forgets all but the last `keep` exchanges."""
    newest_to_go = (
        select(JOURNAL.c.serial)
        .where(_journaled(customer_id))
        .order_by(JOURNAL.c.serial.desc())
        .offset(keep)
        .limit(1)
        .scalar_subquery()
    )
    return delete(JOURNAL).where(_journaled(customer_id), JOURNAL.c.serial <= newest_to_go)


def _journaled(customer_id: str | None) -> ColumnElement[bool]:
    return JOURNAL.c.customer_id == customer_id


def cost_of(batch_ids: Sequence[str]) -> Select[Any]:
    """Return the statement that sums what batches, and all forgotten before, came to."""
    return select(func.sum(LEDGER.c.amount)).where(_entries_of(batch_ids))


def forget(batch_ids: Sequence[str]) -> tuple[Delete, ...]:
    """Return the statements that remove batches, their messages and their ledger entries."""
    return (delete(LEDGER).where(_entries_of(batch_ids)), *_deletions(batch_ids))


def _deletions(batch_ids: Sequence[str]) -> Iterator[Delete]:
    for table in (DEEDS, MESSAGES, BATCHES):
        of_customer = table.c.customer_id == _OF_CUSTOMER
        yield delete(table).where(of_customer, table.c.batch_id.in_(batch_ids))


def _entries_of(batch_ids: Sequence[str]) -> ColumnElement[bool]:
    of_them = or_(LEDGER.c.batch_id.in_(batch_ids), LEDGER.c.reason == Reason.CARRIED.value)
    return and_(LEDGER.c.customer_id == _OF_CUSTOMER, of_them)
