"""What only a store in a database can do, or do wrong."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from sqlalchemy import BindParameter, Connection, Inspector, create_engine, inspect, text
from sqlalchemy.sql import visitors

from support.frozen_time import NOON
from vimmerse_mock.app import create_mock
from vimmerse_mock.errors import StoreRefusedError
from vimmerse_mock.model.account import SAMPLE_ACCOUNT
from vimmerse_mock.model.batch import Batch
from vimmerse_mock.model.clock import SECOND, wall_clock
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.server import MockServer
from vimmerse_mock.stores import open_store
from vimmerse_mock.stores.sql import statements
from vimmerse_mock.stores.sql.engine import open_engine, writing
from vimmerse_mock.stores.sql.schema import MIGRATIONS, migrate
from vimmerse_mock.stores.sql.store import SqlStore

SAMPLES = Path(__file__).parent / "samples"
PROGRAM = str(Path(sys.executable).with_name("vimmerse-mock"))
KEY = {"X-Api-Key": "YOUR_API_KEY"}
FORM = {"image_urls": "http://images.example/1.jpg"}


def server_on(database_url: str) -> MockServer:
    """A server on a store."""
    return MockServer(create_mock(store=open_store(database_url)))


def test_what_was_created_is_there_after_a_restart(database_url: str) -> None:
    """Batch, credits, ledger and the account's clock survive the end of the process's mock."""
    with server_on(database_url) as server:
        created = requests.post(f"{server.url}/batch", headers=KEY, data=FORM, timeout=60).json()
        ledger = server.mock.courier.store.ledger("YOUR_CUSTOMER_ID")
    store = open_store(database_url)
    mock = create_mock(store=store)
    answer = mock.app.test_client().get(f"/batch/{created['data']['id']}", headers=KEY).json
    assert answer is not None
    assert answer["data"]["medias"] == created["data"]["medias"]
    assert store.ledger("YOUR_CUSTOMER_ID") == ledger
    assert store.balance("YOUR_CUSTOMER_ID") == 99_995
    mock.close()


def test_two_who_share_a_database_are_one_mock(database_url: str) -> None:
    """What one creates the other reads, at the same time of the same clock."""
    with server_on(database_url) as one:
        other = create_mock(store=open_store(database_url))
        two = other.app.test_client()
        created = requests.post(f"{one.url}/batch", headers=KEY, data=FORM, timeout=60).json()
        path = f"/batch/{created['data']['id']}"
        assert two.get(path, headers=KEY).status_code == 200
        one.account.clock.advance(3600)
        seen = two.get(path, headers=KEY).json
        assert seen is not None
        assert seen["data"]["status"] == "success"
        other.close()


def test_everybody_tells_the_databases_time(database_url: str) -> None:
    """Real time is the database's, which on one machine is this machine's."""
    store = open_store(database_url)
    assert abs(store.real_time() - wall_clock()) < SECOND
    store.close()


class TestRefusals:
    """A store that cannot be used is a clear sentence at start, with exit code 2."""

    @pytest.mark.parametrize(
        ("store", "says"),
        [
            ("mysql://root@localhost/x", "use memory:, sqlite:///path.db or postgresql://"),
            ("mock.db", "use memory:, sqlite:///path.db or postgresql://"),
            ("postgresql://user:port:x/y", "cannot be understood"),
            ("sqlite:////nowhere/at/all/mock.db", "unable to open database file"),
            ("postgresql://postgres:secret@127.0.0.1:1/x", "refused"),
            ("postgresql://postgres@127.0.0.1:1/x?password=secret", "refused"),
            ("postgresql://postgres:secr@secret@127.0.0.1:1/x", "refused|%40"),
            ("postgres:postgres:secret@127.0.0.1/x", "unknown store 'postgres'"),
            ("memory", "use memory:"),
            ("sqlite:///", "a SQLite store is a file"),
            ("sqlite:///:memory:", "a SQLite store is a file"),
            ("sqlite:///a.db?mode=ro", "a SQLite store is a file"),
        ],
    )
    def test_a_url_that_leads_nowhere(self, store: str, says: str) -> None:
        """The sentence says what was wrong, and shows no password."""
        with pytest.raises(StoreRefusedError, match=says) as refusal:
            open_store(store)
        assert "secret" not in str(refusal.value)

    def test_a_directory(self, tmp_path: Path) -> None:
        """A path to a directory is no database."""
        with pytest.raises(StoreRefusedError, match="unable to open database file"):
            open_store(f"sqlite:///{tmp_path}")

    def test_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        """Somebody's notes are not overwritten."""
        notes = tmp_path / "notes.txt"
        notes.write_text("Milk, bread and much more that is no database.\n" * 50)
        with pytest.raises(StoreRefusedError, match="not a database"):
            open_store(f"sqlite:///{notes}")
        assert notes.read_text().startswith("Milk")

    def test_a_file_without_permission(self, unwritable: Path) -> None:
        """A file that may not be written is refused."""
        with pytest.raises(StoreRefusedError, match=r"readonly|read-only|unable to open"):
            open_store(f"sqlite:///{unwritable}")

    def test_the_command_ends_with_exit_code_2(self, tmp_path: Path) -> None:
        """`serve` on a store that cannot be used says so in a line, without a trace."""
        command = [PROGRAM, "serve", "--store", f"sqlite:///{tmp_path}"]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        assert ended.returncode == 2
        assert len(ended.stderr.strip().splitlines()) == 1
        assert "unable to open database file" in ended.stderr

    def test_a_memory_store_cannot_be_shared(self) -> None:
        """Several workers on memory are refused, saying why and what to use."""
        command = [PROGRAM, "serve", "--workers", "2"]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        assert ended.returncode == 2
        assert "cannot share a store in memory" in ended.stderr
        assert "sqlite:///mock.db" in ended.stderr

    def test_an_account_that_contradicts_the_store(self, tmp_path: Path) -> None:
        """A customer whom the store knows by another key is refused."""
        store = f"sqlite:///{tmp_path / 'mock.db'}"
        with server_on(store):
            pass
        command = [PROGRAM, "serve", "--store", store, "--api-key", "sesame", "--port", "0"]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        assert ended.returncode == 2
        assert "'YOUR_CUSTOMER_ID'" in ended.stderr
        assert "sesame" not in ended.stderr


class TestMigrations:
    """The schema's versions."""

    def test_an_empty_database_is_brought_to_the_newest_version(self, database_url: str) -> None:
        """After opening, every table is there and the version is noted; opening again is fine."""
        for _ in range(2):
            open_store(database_url).close()
        engine = open_engine(database_url)
        with writing(engine) as connection:
            tables = set(inspect(connection).get_table_names())
            version = connection.scalar(text("SELECT value FROM meta WHERE name = 'schema'"))
        engine.dispose()
        assert {"accounts", "batches", "ledger", "messages", "meta"} <= tables
        assert version == len(MIGRATIONS)

    def test_an_older_database_is_migrated_forward_and_keeps_what_it_has(
        self, database_url: str
    ) -> None:
        """A later migration runs once, on top of what is there."""
        with server_on(database_url) as server:
            requests.post(f"{server.url}/batch", headers=KEY, data=FORM, timeout=60)
        ran: list[str] = []

        def later(connection: Connection) -> None:
            connection.execute(text("ALTER TABLE batches ADD COLUMN extra INTEGER"))
            ran.append("later")

        engine = open_engine(database_url)
        for _ in range(2):
            with writing(engine) as connection:
                migrate(connection, (*MIGRATIONS, later))
        with writing(engine) as connection:
            count = connection.scalar(text("SELECT count(*) FROM batches WHERE extra IS NULL"))
        engine.dispose()
        assert (ran, count) == (["later"], 1)

    def test_a_database_of_version_1_is_brought_to_the_newest(self, database_url: str) -> None:
        """With all that it has: the account, batches, ledger, and webhooks that still go out."""
        _load_version_1(database_url)
        store = open_store(database_url)
        account = store.account("old")
        assert (account.batches, store.balance("old"), len(store.ledger("old"))) == (4, 99_975, 6)
        assert len(store.batches("old")) == 4
        before = store.messages("old")
        assert [(m.submission, m.number, m.state) for m in before] == [
            (1, 1, "delivered"),
            (1, 1, "pending"),
            (1, 1, "withdrawn"),
            (2, 1, "pending"),
        ]
        assert [(a.status, a.took, a.url) for a in before[0].attempts] == [(200, 0, "")]
        with store.transaction("old") as tx:
            clock = tx.account.clock
            tx.save_account(replace(tx.account, clock=clock.moved_to(before[1].due_at, NOON)))
        claimed = [store.claim(NOON, NOON + SECOND) for _ in range(3)]
        assert claimed == [before[3], before[1], None]
        store.close()

    def test_a_migrated_database_is_like_a_new_one(
        self, database_url: str, request: pytest.FixtureRequest, tmp_path: Path
    ) -> None:
        """Tables, columns, keys and indexes are the same, whatever way they came about."""
        _load_version_1(database_url)
        open_store(database_url).close()
        if database_url.startswith("sqlite"):
            fresh = f"sqlite:///{tmp_path / 'fresh.db'}"
        else:
            fresh = request.getfixturevalue("postgres").create_database()
        open_store(fresh).close()
        assert _shape(database_url) == _shape(fresh)

    @pytest.mark.parametrize(
        ("name", "says"),
        [("schema", "schema version 99.*upgrade vimmerse-mock"), ("plan", "plan version 99")],
    )
    def test_a_database_from_another_version_is_refused(
        self, database_url: str, name: str, says: str
    ) -> None:
        """A newer schema, and batches planned otherwise, are refused with a clear sentence."""
        open_store(database_url).close()
        engine = open_engine(database_url)
        with writing(engine) as connection:
            connection.execute(
                text("UPDATE meta SET value = 99 WHERE name = :name"), {"name": name}
            )
        engine.dispose()
        with pytest.raises(StoreRefusedError, match=says):
            open_store(database_url)

    def test_a_database_of_something_else_is_refused(self, database_url: str) -> None:
        """Tables that are not the mock's are left alone."""
        engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE accounts (id INTEGER)"))
        engine.dispose()
        with pytest.raises(StoreRefusedError, match=r"tables of another application \(accounts\)"):
            open_store(database_url)


def _load_version_1(database_url: str) -> None:
    """Put in what the first version of this package had put there."""
    dump = SAMPLES / f"version_1_{database_url.partition(':')[0]}.sql"
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(dump.read_text())
        return
    with psycopg.connect(database_url, autocommit=True) as loading:
        loading.execute(dump.read_bytes())


def _shape(database_url: str) -> dict[str, Any]:
    """Describe what a database looks like."""
    engine = open_engine(database_url)
    with writing(engine) as connection:
        looked = inspect(connection)
        shape = {table: _shape_of(looked, table) for table in looked.get_table_names()}
    engine.dispose()
    return shape


def _shape_of(looked: Inspector, table: str) -> tuple[Any, ...]:
    return (
        [(c["name"], str(c["type"]), c["nullable"]) for c in looked.get_columns(table)],
        sorted(c["column_names"] for c in looked.get_unique_constraints(table)),
        sorted(
            (str(i["name"]), i["column_names"])
            for i in looked.get_indexes(table)
            if not i.get("duplicates_constraint")
        ),
        looked.get_pk_constraint(table)["constrained_columns"],
        [(k["referred_table"], k["options"]) for k in looked.get_foreign_keys(table)],
    )


SINCE: dict[str, object] = {"of_customer": "c", "beyond": 1, "reached": 2}
STATEMENTS: dict[str, tuple[Any, dict[str, object], str]] = {
    "batch": (statements.BATCH_BY_ID, {"of_customer": "c", "batch_id": "b"}, ""),
    "key": (statements.ACCOUNT_BY_KEY, {"api_key": "k"}, ""),
    "messages": (statements.MESSAGES_OF, {"of_customer": "c"}, ""),
    "ledger": (statements.LEDGER_OF, {"of_customer": "c"}, "ledger_of_customer"),
    "claim of account": (
        statements.CLAIM_OF,
        {"of_customer": "c", "until": 1, "lease": 2},
        "messages_due_of_customer",
    ),
    "claim alone": (
        statements.CLAIM_ALONE,
        {"of_customer": "c", "until": 1, "lease": 2},
        "messages_leased",
    ),
    "submission": (
        statements.MESSAGES_OF_SUBMISSION,
        {"of_customer": "c", "batch_id": "b", "submission": 1},
        "",
    ),
    "claimable": (statements.CLAIMABLE, {"now": 1}, "messages_due"),
    "claim": (statements.CLAIM, {"now": 1, "lease": 2, "of_customer": "c"}, "messages_"),
    "message": (statements.MESSAGE_BY_ID, {"of_customer": "c", "message_id": "m"}, ""),
    "first move": (statements.FIRST_MOVE, {"of_customer": "c", "now": 1}, "batches_by_course"),
    "moved": (statements.MOVED, {"of_customer": "c", "now": 1, "until": 2}, "batches_by_course"),
    "page of batches": (
        statements.PAGES[Batch],
        {"of_customer": "c", "beyond": 1, "beyond_id": "b"},
        "batches_by_creation",
    ),
    "page of messages": (
        statements.PAGES[Message],
        {"of_customer": "c", "beyond": 1},
        "messages_of_customer",
    ),
    "new entries": (statements.LEDGER_SINCE, SINCE, "ledger_of_customer"),
    "new deeds": (statements.DEEDS_SINCE, SINCE, "deeds_of_customer"),
    "batches with something new": (statements.DONE_TO_BATCHES, SINCE, "deeds_of_customer"),
    "messages with something new": (statements.TRIED, SINCE, "deeds_"),
    "new exchanges": (statements.JOURNAL_SINCE, SINCE, "journal_of_customer"),
    "last serials": (statements.LAST_SERIALS, {"of_customer": "c"}, "deeds_of_customer"),
    "in flight": (statements.IN_FLIGHT, {"of_customer": "c"}, "messages_leased"),
    "next due": (statements.NEXT_DUE, {"now": 1}, "messages_due"),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_look_ups_use_indexes(database_url: str, name: str) -> None:
    """EXPLAIN shows an index, and no scan of a whole table, for every frequent look-up."""
    store = open_store(database_url)
    assert isinstance(store, SqlStore)
    statement, values, index = STATEMENTS[name]
    engine = open_engine(database_url)
    with writing(engine) as connection:
        plan = _explain(connection, statement, values)
    engine.dispose()
    store.close()
    assert "index" in plan.lower()
    assert index in plan
    assert "Seq Scan" not in plan
    assert "SCAN messages\n" not in plan + "\n"


def _explain(connection: Connection, statement: Any, values: dict[str, object]) -> str:
    given = visitors.cloned_traverse(statement, {}, {"bindparam": partial(_give, values)})
    compiled = given.compile(connection, compile_kwargs={"render_postcompile": True})
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL enable_seqscan = off"))  # the tables are empty here
        connection.execute(text("SET LOCAL enable_bitmapscan = off"))
    prefix = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    parameters = compiled.params
    if connection.dialect.name == "sqlite":
        ordered = tuple(parameters[name] for name in compiled.positiontup)
        rows = connection.exec_driver_sql(f"{prefix} {compiled}", ordered)
    else:
        rows = connection.exec_driver_sql(f"{prefix} {compiled}", parameters)
    return "\n".join(str(row[-1]) for row in rows)


def _give(values: dict[str, object], parameter: BindParameter[Any]) -> None:
    """Put in the value that a statement would be executed with."""
    if parameter.key in values:
        parameter.value, parameter.required = values[parameter.key], False


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own that is soon full."""
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mount.returncode:
        pytest.skip(f"a full disk needs one that may be mounted: {mount.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def unwritable(tmp_path: Path) -> Iterator[Path]:
    """A database that may not be written: by its mode, or for root by its file system."""
    if os.geteuid():
        yield _locked(tmp_path)
        return
    with small_disk(tmp_path, "1m") as disk:
        locked = _locked(disk)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        yield locked


def _locked(folder: Path) -> Path:
    path = folder / "locked.db"
    sqlite3.connect(path).close()
    path.touch()
    path.chmod(0o400)
    return path


class TestAFullDisk:
    """No room is 507, and nothing is half-written."""

    def test_while_running(self, tmp_path: Path) -> None:
        """Creations get 507 in JSON, reads go on, books balance; with room again all is well."""
        with small_disk(tmp_path, "600k") as disk:
            ballast = disk / "ballast"
            with server_on(f"sqlite:///{disk / 'mock.db'}") as server:
                created = _create(server).json()["data"]["id"]
                ballast.write_bytes(b"\0" * 100_000)
                answers = [_create(server, description="x" * 9_000) for _ in range(60)]
                refused = [answer for answer in answers if answer.status_code != 200]
                assert {answer.status_code for answer in refused} == {507}
                assert refused[0].json() == {"message": "INSUFFICIENT_STORAGE"}
                path = f"{server.url}/batch/{created}"
                assert requests.get(path, headers=KEY, timeout=60).status_code == 200
                ballast.unlink()
                assert _create(server).status_code == 200
                batches = 62 - len(refused)
                assert server.account.credits == 100_000 - 5 * batches
                assert (
                    sum(entry.amount for entry in server.account.ledger) == server.account.credits
                )

    def test_at_start(self, tmp_path: Path) -> None:
        """A database that finds no room is refused in a sentence."""
        with small_disk(tmp_path, "16k") as disk:
            (disk / "ballast").write_bytes(b"\0" * 12_000)
            with pytest.raises(StoreRefusedError, match=r"full|I/O"):
                open_store(f"sqlite:///{disk / 'mock.db'}")


def _create(server: MockServer, **fields: str) -> requests.Response:
    return requests.post(f"{server.url}/batch", headers=KEY, data=FORM | fields, timeout=60)


def test_only_a_database_imports_sqlalchemy() -> None:
    """A mock in memory does not pay for what it does not use."""
    code = (
        "import sys; from vimmerse_mock.stores import open_store; open_store('memory:')\n"
        "import vimmerse_mock.app; print('sqlalchemy' in sys.modules, 'msgspec' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("missing", "database_url", "extra"),
    [
        ("sqlalchemy", "sqlite:///mock.db", "sqlite"),
        ("sqlalchemy", "postgresql://localhost/mock", "postgres"),
        ("psycopg", "postgresql://localhost/mock", "postgres"),
    ],
)
def test_a_database_without_its_driver_names_the_extra(
    missing: str, database_url: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default install has no SQLAlchemy and no psycopg; the sentence says what to install."""
    monkeypatch.delitem(sys.modules, "vimmerse_mock.stores.sql.store", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(StoreRefusedError) as refusal:
        open_store(database_url)
    assert str(refusal.value).endswith(f"pip install 'vimmerse-mock[{extra}]'")
    assert missing in str(refusal.value)


def test_the_sample_account_can_be_found_again(database_url: str) -> None:
    """A second start on the same store keeps the account, its key and its credits."""
    with server_on(database_url) as server:
        _create(server)
    store = open_store(database_url)
    account = store.account_by_key(SAMPLE_ACCOUNT.api_key)
    store.close()
    assert account is not None
    assert account.customer_id == SAMPLE_ACCOUNT.customer_id
