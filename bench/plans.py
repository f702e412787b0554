"""How the databases look things up, as they say themselves: EXPLAIN of the mock's statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import BindParameter, ClauseElement, Connection
from sqlalchemy.sql import visitors

from bench.context import Context
from bench.databases import SQL_STORES, Database, NotHereError
from bench.figures import Aim, Figure, Section
from vimmerse_contracts import SAMPLE_API_KEY, SAMPLE_CUSTOMER_ID
from vimmerse_mock.model.clock import SECOND, Clock, Instant, wall_clock
from vimmerse_mock.model.limits import Keep
from vimmerse_mock.stores.sql import statements as s
from vimmerse_mock.stores.sql.engine import open_engine

_AIM: Final = Aim("<=", 0)
_EXPLAIN: Final = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN (COSTS OFF) "}
_MEANING: Final = (
    "The plans of the mock's statements (`vimmerse_mock/stores/sql/statements.py`) on the filled "
    "databases, of {size:,} batches. Counted are those that walk through a whole table without an "
    "index."
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a database says it would do."""

    statement: str
    lines: tuple[str, ...]

    @property
    def walks(self) -> bool:
        """Whether a table is gone through without an index."""
        return any("Seq Scan" in line or _is_scan(line) for line in self.lines)


def explain(context: Context) -> Section:
    """Ask every database for its plans."""
    size = context.sizes[-1]
    figures: list[Figure] = []
    absent: dict[str, str] = {}
    details: list[str] = []
    for kind in SQL_STORES:
        what = f"{kind}: look-ups without an index"
        context.step(what)
        try:
            plans = list(_plans(context.databases.filled(kind, size)))
        except NotHereError as error:
            absent[what] = str(error)
            continue
        walking = sum(plan.walks for plan in plans)
        figures.append(Figure(f"{what}, of {len(plans)}", walking, "statements", aim=_AIM))
        details += ["", f"## Plans of {kind}", "", "```text", *_written(plans), "```"]
    return Section("explain", _MEANING.format(size=size), figures, absent, details)


def _is_scan(line: str) -> bool:
    """Recognise SQLite's `SCAN table`; of a subquery or of constants it would say so."""
    words = line.split()
    return words[:1] == ["SCAN"] and "INDEX" not in words and not words[1].startswith("(")


def _written(plans: list[Plan]) -> Iterator[str]:
    for plan in plans:
        yield plan.statement + ("  -- WITHOUT AN INDEX" if plan.walks else "")
        yield from (f"    {line}" for line in plan.lines)


def _plans(database: Database) -> Iterator[Plan]:
    engine = open_engine(database.url)
    with ExitStack() as stack:
        stack.callback(engine.dispose)
        connection = stack.enter_context(engine.connect())
        for name, statement in _statements().items():
            wanted = _wanted(database.filled.sample[0])
            yield Plan(name, tuple(_explained(connection, statement, wanted)))


def _explained(
    connection: Connection, statement: ClauseElement, wanted: Mapping[str, Any]
) -> Iterator[str]:
    """Have a statement explained; nothing of it is done."""
    asked = visitors.cloned_traverse(statement, {}, {"bindparam": partial(_give, wanted)})
    compiled: Any = asked.compile(
        dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
    )
    values = compiled.params
    positions = compiled.positiontup
    given = values if positions is None else tuple(values[name] for name in positions)
    explained = _EXPLAIN[connection.dialect.name] + str(compiled)
    rows = connection.exec_driver_sql(explained, given).all()
    return (str(row[-1]) for row in rows)


def _give(wanted: Mapping[str, Any], parameter: BindParameter[Any]) -> None:
    """Put in the value that a statement would be executed with."""
    if parameter.key in wanted:
        parameter.value, parameter.required = wanted[parameter.key], False


def _statements() -> dict[str, ClauseElement]:
    now, later = wall_clock(), wall_clock() + SECOND
    return {
        "ACCOUNT_BY_KEY": s.ACCOUNT_BY_KEY,
        "ACCOUNT_LOCKED": s.ACCOUNT_LOCKED,
        "BALANCE": s.BALANCE,
        "BOOK": s.BOOK,
        "BATCH_BY_ID": s.BATCH_BY_ID,
        "MESSAGE_OF": s.MESSAGE_OF,
        "MESSAGES_OF_SUBMISSION": s.MESSAGES_OF_SUBMISSION,
        "LEASE": s.LEASE,
        "IN_FLIGHT": s.IN_FLIGHT,
        "CLAIM_OF (the next message of an account)": s.CLAIM_OF,
        "CLAIM_ALONE (the same, if none is under way)": s.CLAIM_ALONE,
        "NEXT_DUE (the next message of all)": s.NEXT_DUE,
        "CLAIMABLE (the account of the first due message of all)": s.CLAIMABLE,
        "CLAIM (the first due message of an account)": s.CLAIM,
        "LEDGER_OF (listing)": s.LEDGER_OF,
        "MESSAGES_OF (listing)": s.MESSAGES_OF,
        "reschedule, between manual clocks": s.reschedule(
            Clock(now, now, 0), Clock(later, later, 0)
        ),
        "forgettable, by age": s.forgettable(Keep(age=7 * 86_400 * SECOND), now),
        "forgettable, by number": s.forgettable(Keep(count=100_000), now),
    }


def _wanted(batch_id: str) -> dict[str, Any]:
    now: Instant = wall_clock()
    return {
        "of_customer": SAMPLE_CUSTOMER_ID,
        "api_key": SAMPLE_API_KEY,
        "batch_id": batch_id,
        "of_batch": batch_id,
        "submission": 1,
        "of_submission": 1,
        "number": 1,
        "of_number": 1,
        "until": now,
        "now": now,
        "lease": now + SECOND,
        "amount": -5,
    }
