"""Starts, stops, and breaks a PostgreSQL server for tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

_HOMES = "usr/lib/postgresql/*/bin"
_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


def find_binaries() -> Path | None:
    """Return where initdb and postgres are: on PATH, or where Debian puts them."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).parent] if on_path else []
    places += sorted(Path("/").glob(_HOMES), reverse=True)
    return next((place for place in places if (place / "postgres").exists()), None)


class Postgres:
    """One server on a free port of the loopback, its data in a folder.

    PostgreSQL refuses to run as root; then the user `postgres` of Debian's package runs it.
    """

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._data = folder / "data"
        self._folder = folder
        self._user = "postgres" if os.geteuid() == 0 else None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

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
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
        )
        sockets = f"-c unix_socket_directories={self._folder}"
        log = str(self._folder / "log")
        self._run(
            "pg_ctl", "-D", str(self._data), "-w", "-l", log, "-o", f"{options} {sockets}", "start"
        )

    def stop(self) -> None:
        """Stop the server at once, cutting every connection."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", "fast", "stop")

    def cut_connections(self) -> None:
        """End every connection but our own, as an administrator or a failing network would."""
        self.execute(_CUT)

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        self.execute(f"CREATE DATABASE {name}")
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
