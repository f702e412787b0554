"""Engines for PostgreSQL: no connection waits for ever."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import psycopg
from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event

from vimmerse_contracts.unfrozen import monotonic
from vimmerse_mock.errors import StoreRefusedError
from vimmerse_mock.stores.sql.patience import CONNECT_SECONDS, LOCKED, LockWait, Patience

_CONNECTIONS: Final = 48
_LOOK_AGAIN_SECONDS: Final = 0.1


def postgresql_engine(url: URL, patience: Patience) -> Engine:
    """Return an engine for PostgreSQL.

    Raises:
        StoreRefusedError: the URL is ambiguous.
    """
    if "@" in (url.host or ""):
        raise StoreRefusedError("the store's URL has two @: in a password, write %40")
    wait = LockWait(patience)
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "vimmerse-mock"},
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=patience.queue,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",  # rows are locked: whatever the database's default is
        hide_parameters=True,
    )

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: object, _record: object, _args: object, settings: dict[str, Any]) -> Any:  # noqa: ANN401 - the driver's own
        connection = _Connection.connect(**settings, autocommit=True)
        connection.answer_seconds = patience.answer
        connection.execute(b"SET lock_timeout = %d" % (patience.lock * 1000))
        connection.autocommit = False
        return connection

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if wait.is_short:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {wait.seconds * 1000:.0f}")

    @event.listens_for(engine, "handle_error")
    def _fail(failure: ExceptionContext) -> None:
        if getattr(failure.original_exception, "sqlstate", None) == LOCKED:
            wait.note_failure()

    return engine


class _Connection(psycopg.Connection[Any]):
    """Closes itself, and raises an `OperationalError`, if its server is silent for too long."""

    answer_seconds = float(CONNECT_SECONDS)

    def wait(self, gen: Generator[Any, Any, Any], *_args: Any, **_kwargs: Any) -> Any:  # noqa: ANN401 - the driver's signature, which differs by its version
        """Wait for the server, and look at the time now and then."""
        return super().wait(self._within(gen), _LOOK_AGAIN_SECONDS)

    def _within(self, waiting: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        deadline = monotonic() + self.answer_seconds
        try:
            wanted = next(waiting)
            while True:
                ready = yield wanted
                if not ready and monotonic() > deadline:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(
                        f"no answer from the database within {self.answer_seconds:g} s"
                    )
                wanted = waiting.send(ready)
        except StopIteration as end:
            return end.value
