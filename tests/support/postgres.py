"""Starts, stops, and breaks a PostgreSQL server for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final
from uuid import uuid4

from support.sockets import reserved_port

NO_POSTGRES: Final = (
    "there is no PostgreSQL server to start: install it (apt-get install postgresql, "
    "brew install postgresql), or put initdb and postgres on PATH"
)
_HOMES: Final = "usr/lib/postgresql/*/bin"
_CUT: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"


def find_binaries() -> Path | None:
    """Return where initdb and postgres are: on PATH, or where Debian puts them."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).parent] if on_path else []
    places += sorted(Path("/").glob(_HOMES), reverse=True)
    return next((place for place in places if (place / "postgres").exists()), None)


class Postgres:
    """One server on a port of the loopback, its data in a folder.

    PostgreSQL refuses to run as root; then the user `postgres` of Debian's package runs it.

    Raises:
        LookupError: its binaries are nowhere.
    """

    def __init__(self, folder: Path, port: int) -> None:
        binaries = find_binaries()
        if binaries is None:
            raise LookupError(NO_POSTGRES)
        self.port = port
        self._binaries = binaries
        self._folder = folder
        self._data = folder / "data"
        self._user = "postgres" if os.geteuid() == 0 else None

    def create(self) -> None:
        """Make an empty cluster, tuned for tests that care for answers and not for the disk."""
        if self._user:
            shutil.chown(self._folder, self._user)
        self._folder.chmod(0o755)
        trust = ["--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8"]
        self._run("initdb", *trust, "--locale=C", "-D", str(self._data))

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=400"
        )
        sockets = f"-c unix_socket_directories={self._folder}"
        start = ("-w", "-t", "300", "-l", str(self._folder / "log"), "-o", f"{options} {sockets}")
        self._run("pg_ctl", "-D", str(self._data), *start, "start")

    def stop(self) -> None:
        """Stop the server at once, cutting every connection."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-t", "300", "-m", "fast", "stop")

    def cut_connections(self, url: str) -> None:
        """End every connection to a database, as an administrator or a failing network would."""
        self.execute(_CUT.format(url.rpartition("/")[2]))

    def create_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"test_{uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str) -> None:
        """Run a statement as the superuser."""
        import psycopg

        url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def _run(self, program: str, *arguments: str) -> None:
        command: Sequence[str] = [str(self._binaries / program), *arguments]
        # Output goes to a file: a server that pg_ctl starts would hold a pipe open for ever.
        with (self._folder / f"{program}.out").open("w") as output:
            subprocess.run(
                command, check=True, stdout=output, stderr=output, user=self._user, cwd=self._folder
            )


def start_postgres(folder: Path) -> Postgres:
    """Start a server in an empty folder."""
    with reserved_port() as port:
        server = Postgres(folder, port)
        server.create()
        server.start()
    return server


def find_postgres(folder: Path) -> Postgres | None:
    """Return the server that was started in a folder."""
    pid_file = folder / "data" / "postmaster.pid"
    return Postgres(folder, int(pid_file.read_text().split("\n")[3])) if pid_file.exists() else None


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a server until the block ends, on a port that stays its own while it is stopped."""
    folder = Path(mkdtemp(prefix="vimmerse-pg-"))
    with reserved_port() as port:
        server = Postgres(folder, port)
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop()
            shutil.rmtree(folder, ignore_errors=True)
