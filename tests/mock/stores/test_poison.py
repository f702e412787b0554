"""A message that cannot be claimed hides no other."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.clock import SECOND, Clock
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.model.snapshot import Snapshot
from vimmerse_mock.stores import Store, open_store
from vimmerse_mock.stores.sql.engine import open_engine, writing

_TRIGGERS = {
    "sqlite": """
        CREATE TRIGGER poison BEFORE UPDATE OF lease_until ON messages WHEN NEW.number = 1
        BEGIN SELECT RAISE(ABORT, 'poison'); END
        """,
    "postgresql": """
        CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE 'poison' USING ERRCODE = '54000'; END $$;
        CREATE TRIGGER poison BEFORE UPDATE OF lease_until ON messages FOR EACH ROW
        WHEN (NEW.number = 1 AND NEW.lease_until IS NOT NULL) EXECUTE FUNCTION poison()
        """,
}
"""What makes it fail to lease a first message, as an index does that takes no long text."""


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store with two messages of each of two accounts that run."""
    store = open_store(database_url)
    for customer in ("c1", "c2"):
        store.add(Snapshot(AccountState(customer, "m", f"key of {customer}", Clock(0, 0), "s")))
    for due_at, customer in enumerate(("c1", "c2", "c1", "c2"), 1):
        number = 1 if due_at == 1 else 2
        put(
            store,
            Message(f"m{due_at}", customer, f"b{due_at}", 1, URL, "success", due_at, number=number),
        )
    yield store
    store.close()


URL = "http://receiver.example/hook"


def put(store: Store, message: Message) -> None:
    """Put a message into the outbox."""
    with store.transaction(message.customer_id) as tx:
        tx.save_message(message)


def claimed(store: Store) -> list[str]:
    """Claim until nothing is left to claim."""
    claims = iter(lambda: store.claim(SECOND, 2 * SECOND), None)
    return [message.id for message in claims]


def change(database_url: str, statement: str, **values: object) -> None:
    """Change a database behind the store's back."""
    engine = open_engine(database_url)
    with writing(engine) as connection:
        connection.execute(text(statement), values)
    engine.dispose()


@pytest.mark.parametrize("body", [b"poison", b'{"id": 1}'])
def test_one_that_cannot_be_read_is_set_aside(
    store: Store, database_url: str, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    """The others come, of its account and of others, and the log names it."""
    change(database_url, "UPDATE messages SET body = :body WHERE number = 1", body=body)
    assert claimed(store) == ["m2", "m3"]
    assert "message m1 cannot be claimed: it is set aside" in caplog.text
    assert claimed(store) == []


def test_one_that_cannot_be_leased_is_set_aside(
    store: Store, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the database has against it, the others come."""
    change(database_url, _TRIGGERS[database_url.partition(":")[0]])
    assert claimed(store) == ["m2", "m3"]
    assert "message m1 cannot be claimed: it is set aside" in caplog.text


def test_no_url_is_too_long_for_an_index(store: Store) -> None:
    """Addresses that no form would take, and that nothing can compress, are claimed like others."""
    long = replace(
        Message("long", "c1", "b9", 1, "", "success", 0), url=f"{URL}/{secrets.token_hex(30_000)}"
    )
    put(store, long)
    assert claimed(store) == ["long", "m1", "m2"]
