"""The schema: its tables, and its versions, a numbered list applied forward once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from hashlib import sha256
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
    bindparam,
    insert,
    inspect,
    select,
    text,
    update,
)

from vimmerse_mock.errors import StoreRefusedError
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.model.timeline import NEVER, PLAN_VERSION, ends_at, plan

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
    Column("moves_from", BigInteger, nullable=False),
    Column("moves_until", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("batches_by_creation", "customer_id", "created_at", "batch_id"),
    Index("batches_by_end", "customer_id", "ends_at"),
    Index("batches_by_course", "customer_id", "moves_until", "moves_from"),
)
"""`moves_from` and `moves_until` are the first and last instants at which a batch moves on."""
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
    Column("message_id", String, nullable=False),
    Column("receiver", String, nullable=False),
    Column("lane", String, nullable=False),
    Column("state", String, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("real_due", BigInteger),
    Column("lease_until", BigInteger),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("customer_id", "batch_id", "submission", "number"),
    Index("messages_of_customer", "customer_id", "serial"),
    Index("messages_by_id", "customer_id", "message_id"),
)
DEEDS: Final = Table(
    "deeds",
    METADATA,
    Column("serial", _SERIAL, primary_key=True),
    _customer(),
    Column("batch_id", String, nullable=False),
    Column("submission", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    UniqueConstraint("customer_id", "batch_id", "submission", "number", "attempt"),
    Index("deeds_of_customer", "customer_id", "serial"),
)
"""Submissions and attempts (`Deed`), in the order in which they were written."""
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
_NAMED: Final = 5


def _change_nothing(_connection: Connection) -> None:
    """Do nothing: version 1 is where history begins, and version 4 does what version 3 did."""


def _add_journal(connection: Connection) -> None:
    JOURNAL.create(connection, checkfirst=True)


def _find_what_is_new(connection: Connection) -> None:
    """Columns by which a batch's course and a message's id are found, and the deeds.

    The tables are made anew, since SQLite cannot take a constraint off. A later migration of them
    has to write down here what they look like before.
    """
    DEEDS.create(connection)
    _remake(connection, BATCHES, ("created_at", "batch_id"), _batch_row)
    _remake(connection, MESSAGES, ("serial",), _message_row)


def _remake(
    connection: Connection,
    table: Table,
    order: Sequence[str],
    read: Callable[[RowMapping], dict[str, Any]],
) -> None:
    """Make a table anew, with the rows that it has."""
    former = f"{table.name}_former"
    for index in inspect(connection).get_indexes(table.name):
        if not index.get("duplicates_constraint"):
            connection.execute(text(f"DROP INDEX {index['name']}"))
    connection.execute(text(f"ALTER TABLE {table.name} RENAME TO {former}"))
    table.create(connection)
    ordered = f"SELECT * FROM {former} ORDER BY {', '.join(order)}"  # noqa: S608 - names of this module
    rows = connection.execute(text(ordered)).mappings()
    while some := rows.fetchmany(_AT_ONCE):
        connection.execute(insert(table), [read(row) for row in some])
    connection.execute(text(f"DROP TABLE {former}"))


def _batch_row(row: RowMapping) -> dict[str, Any]:
    return batch_row(msgspec.json.decode(row["body"], type=Batch))


def _message_row(row: RowMapping) -> dict[str, Any]:
    message = msgspec.json.decode(row["body"], type=Message)
    return message_row(message, real_due=row["real_due"], lease_until=row["lease_until"])


def batch_row(batch: Batch) -> dict[str, Any]:
    """Return a row of a batch."""
    instants = plan(batch.submission, len(batch.medias)).instants - {NEVER}
    return {
        "customer_id": batch.customer_id,
        "batch_id": batch.id,
        "created_at": batch.created_at,
        "ends_at": ends_at(batch),
        "moves_from": min(instants),
        "moves_until": max(instants),
        "body": msgspec.json.encode(batch),
    }


def message_row(
    message: Message, *, real_due: Instant | None, lease_until: Instant | None = None
) -> dict[str, Any]:
    """Return a row of a message that falls due at a real instant, None if not by itself."""
    return {
        "customer_id": message.customer_id,
        "batch_id": message.batch_id,
        "submission": message.submission,
        "number": message.number,
        "message_id": message.id,
        "receiver": message.receiver,
        "lane": _lane(message),
        "state": message.state.value,
        "due_at": message.due_at,
        "real_due": real_due,
        "lease_until": lease_until,
        "body": msgspec.json.encode(message),
    }


def _shorten_lanes(connection: Connection) -> None:
    rows = connection.execute(select(MESSAGES.c.serial, MESSAGES.c.body))
    new = update(MESSAGES).where(MESSAGES.c.serial == bindparam("of_serial"))
    while some := rows.fetchmany(_AT_ONCE):
        messages = [(serial, msgspec.json.decode(body, type=Message)) for serial, body in some]
        connection.execute(new, [{"of_serial": n, "lane": _lane(each)} for n, each in messages])


def _lane(message: Message) -> str:
    """Return a short name of a message's lane: an index takes no long URL."""
    return sha256(message.lane.encode()).hexdigest()


MIGRATIONS: Final[tuple[Migration, ...]] = (
    _change_nothing,
    _add_journal,
    _change_nothing,
    _find_what_is_new,
    _shorten_lanes,
)
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
    require_own(tables & set(METADATA.tables))
    return 0


def require_own(tables: AbstractSet[str]) -> None:
    """Refuse a database that has tables, and not the mock's.

    Raises:
        StoreRefusedError: it has.
    """
    if tables and META.name not in tables:
        listed = sorted(tables)
        named = ", ".join(listed[:_NAMED]) + (", ..." if len(listed) > _NAMED else "")
        raise StoreRefusedError(
            f"the database has tables of another application ({named}): use a database of its own"
        )


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
