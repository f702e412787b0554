"""The tables. What is asked for by column has one; the rest of a value is JSON in `body`."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    and_,
)

METADATA: Final = MetaData()
_SERIAL: Final = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up by itself only where the type is INTEGER."""


def _customer(*, primary: bool = False) -> Column[str]:
    return Column(
        "customer_id",
        ForeignKey("accounts.customer_id", ondelete="CASCADE"),
        primary_key=primary,
        nullable=False,
    )


META: Final = Table(
    "meta",
    METADATA,
    Column("name", String, primary_key=True),
    Column("value", Integer, nullable=False),
)
ACCOUNTS: Final = Table(
    "accounts",
    METADATA,
    Column("customer_id", String, primary_key=True),
    Column("api_key", String, nullable=False, unique=True),
    Column("balance", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
BATCHES: Final = Table(
    "batches",
    METADATA,
    _customer(primary=True),
    Column("batch_id", String, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("batches_by_creation", "customer_id", "created_at"),
    Index("batches_by_end", "customer_id", "ends_at"),
)
LEDGER: Final = Table(
    "ledger",
    METADATA,
    Column("serial", _SERIAL, primary_key=True),
    _customer(),
    Column("at", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("balance", BigInteger, nullable=False),
    Column("reason", String, nullable=False),
    Column("batch_id", String, nullable=False),
    Column("submission", Integer, nullable=False),
    Index("ledger_of_customer", "customer_id", "serial"),
    Index("ledger_of_batch", "customer_id", "batch_id"),
)
MESSAGES: Final = Table(
    "messages",
    METADATA,
    Column("serial", _SERIAL, primary_key=True),
    _customer(),
    Column("batch_id", String, nullable=False),
    Column("submission", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("receiver", String, nullable=False),
    Column("lane", String, nullable=False),
    Column("state", String, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("real_due", BigInteger),
    Column("lease_until", BigInteger),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("customer_id", "batch_id", "submission", "number"),
    Index("messages_of_customer", "customer_id", "serial"),
)
JOURNAL: Final = Table(
    "journal",
    METADATA,
    Column("serial", _SERIAL, primary_key=True),
    Column("customer_id", ForeignKey("accounts.customer_id", ondelete="CASCADE")),
    Column("body", LargeBinary, nullable=False),
    Index("journal_of_customer", "customer_id", "serial"),
)
"""Requests with their answers; those of strangers belong to no customer."""
_PENDING: Final = MESSAGES.c.state == "pending"
_NOT_FORESEEN: Final = and_(_PENDING, MESSAGES.c.real_due.is_(None))
_LEASED: Final = MESSAGES.c.lease_until.is_not(None)


def _index(name: str, condition: ColumnElement[bool], *columns: Column[Any]) -> None:
    Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


_index("messages_due", _PENDING, MESSAGES.c.real_due, MESSAGES.c.serial)
_index(
    "messages_due_of_customer",
    _PENDING,
    MESSAGES.c.customer_id,
    MESSAGES.c.due_at,
    MESSAGES.c.serial,
)
_index("messages_not_foreseen", _NOT_FORESEEN, MESSAGES.c.customer_id, MESSAGES.c.due_at)
_index(
    "messages_leased",
    _LEASED,
    MESSAGES.c.customer_id,
    MESSAGES.c.lane,
    MESSAGES.c.lease_until,
)
