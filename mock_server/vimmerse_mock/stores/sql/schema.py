"""The schema: its tables, and its versions, a numbered list applied forward once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    String,
    Table,
    UniqueConstraint,
    and_,
    insert,
    inspect,
    select,
    text,
    update,
)

from vimmerse_mock.errors import StoreRefusedError
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.model.timeline import PLAN_VERSION

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
"""Requests with their answers; those without a known key belong to no customer."""
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


Migration = Callable[[Connection], None]

_MIGRATING: Final = 7_624_662
"""The advisory lock that PostgreSQL's starters queue for."""
_AT_ONCE: Final = 1_000
_FORMER_INDEXES: Final = (
    "messages_of_customer",
    "messages_due",
    "messages_due_of_customer",
    "messages_not_foreseen",
    "messages_leased",
)


def _begin(_connection: Connection) -> None:
    """Do nothing: version 1 is where history begins."""


def _add_journal(connection: Connection) -> None:
    JOURNAL.create(connection, checkfirst=True)


def _several_messages(connection: Connection) -> None:
    """Several messages of one submission, in lanes.

    The table is made anew, since SQLite cannot take a constraint off. A later migration of this
    table has to write down here what it looks like before.
    """
    connection.execute(text("ALTER TABLE messages RENAME TO messages_1"))
    for index in _FORMER_INDEXES:
        connection.execute(text(f"DROP INDEX {index}"))
    MESSAGES.create(connection)
    rows = connection.execute(text("SELECT * FROM messages_1 ORDER BY serial")).mappings()
    while some := rows.fetchmany(_AT_ONCE):
        connection.execute(insert(MESSAGES), [_in_lane(row) for row in some])
    connection.execute(text("DROP TABLE messages_1"))


def _in_lane(row: RowMapping) -> dict[str, Any]:
    message = msgspec.json.decode(row["body"], type=Message)
    fields = {name: value for name, value in row.items() if name != "serial"}
    return {**fields, "number": 1, "receiver": message.receiver, "lane": message.lane}


MIGRATIONS: Final[tuple[Migration, ...]] = (_begin, _add_journal, _several_messages)
"""The second leads from version 1 to version 2, and so on.

An empty database is given the newest tables at once.
"""


def migrate(connection: Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring a database to the newest version, within the connection's transaction.

    Raises:
        StoreRefusedError: the database is from a newer version, was planned by another version of
            the plan, or holds tables of something else.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
    present = _version(connection)
    if present > len(migrations):
        raise StoreRefusedError(
            f"the database has schema version {present}, this vimmerse-mock knows "
            f"{len(migrations)}: upgrade vimmerse-mock, or use another database"
        )
    if present == 0:
        METADATA.create_all(connection)
        present = len(MIGRATIONS)
    for migration in migrations[present:]:
        migration(connection)
    _note(connection, "schema", len(migrations))
    _require_plan(connection)


def _version(connection: Connection) -> int:
    """Return the version of the schema that is there; 0 for an empty database."""
    tables = set(inspect(connection).get_table_names())
    if META.name in tables:
        return _noted(connection, "schema") or 0
    if tables & set(METADATA.tables):
        raise StoreRefusedError(
            "the database has tables of another application "
            f"({', '.join(sorted(tables & set(METADATA.tables)))}): use a database of its own"
        )
    return 0


def _require_plan(connection: Connection) -> None:
    planned_by = _noted(connection, "plan")
    if planned_by is None:
        _note(connection, "plan", PLAN_VERSION)
    elif planned_by != PLAN_VERSION:
        raise StoreRefusedError(
            f"the database was written with plan version {planned_by}, this vimmerse-mock has "
            f"version {PLAN_VERSION}, so its batches would change: use that version, or another "
            "database"
        )


def _noted(connection: Connection, name: str) -> int | None:
    value: int | None = connection.scalar(select(META.c.value).where(META.c.name == name))
    return value


def _note(connection: Connection, name: str, value: int) -> None:
    if _noted(connection, name) is None:
        connection.execute(insert(META).values(name=name, value=value))
    else:
        connection.execute(update(META).where(META.c.name == name).values(value=value))
