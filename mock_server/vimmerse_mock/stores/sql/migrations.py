"""The schema's versions: a numbered list, applied forward, once, whoever starts first.

Alembic would bring revisions, branches and downgrades; there is one line of history here, and a
database from the future is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, insert, inspect, select, text, update

from vimmerse_mock.model.outbox import Message
from vimmerse_mock.model.timeline import PLAN_VERSION
from vimmerse_mock.stores import StoreRefusedError
from vimmerse_mock.stores.sql.tables import JOURNAL, MESSAGES, META, METADATA

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
    """Let a submission have several messages, in lanes.

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
    """Tell the version of the schema that is there; 0 for an empty database."""
    tables = set(inspect(connection).get_table_names())
    if META.name in tables:
        return _noted(connection, "schema") or 0
    if tables & set(METADATA.tables):
        raise StoreRefusedError(
            "the database has tables of something else "
            f"({', '.join(sorted(tables & set(METADATA.tables)))}): use a database of its own"
        )
    return 0


def _require_plan(connection: Connection) -> None:
    planned_by = _noted(connection, "plan")
    if planned_by is None:
        _note(connection, "plan", PLAN_VERSION)
    elif planned_by != PLAN_VERSION:
        raise StoreRefusedError(
            f"the database was planned by plan version {planned_by}, this vimmerse-mock plans by "
            f"{PLAN_VERSION}, so its batches would change: use that version, or another database"
        )


def _noted(connection: Connection, name: str) -> int | None:
    value: int | None = connection.scalar(select(META.c.value).where(META.c.name == name))
    return value


def _note(connection: Connection, name: str, value: int) -> None:
    if _noted(connection, name) is None:
        connection.execute(insert(META).values(name=name, value=value))
    else:
        connection.execute(update(META).where(META.c.name == name).values(value=value))
