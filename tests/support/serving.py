"""`vimmerse-mock serve` in a process group of its own, to be stopped or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

from support.waiting import DEADLINE_SECONDS, await_condition

PROGRAM: Final = Path(sys.executable).with_name("vimmerse-mock")
PROC: Final = Path("/proc")
NO_PROC: Final = "processes are looked up in /proc, which this system has not"
_ENDED: Final = frozenset("ZX")


class Victim(StrEnum):
    """Which processes of a running `serve` are killed."""

    EVERYTHING = "everything"
    MAIN = "the main process"
    WORKER = "one worker"


class Serve:
    """One `vimmerse-mock serve`, on a free port unless told otherwise; a context manager as well.

    What it prints goes to `serve.log` in the folder. Of the environment's settings of the mock it
    has only these `variables`.
    """

    def __init__(self, folder: Path, *options: str, **variables: str) -> None:
        self._ready = folder / f"ready-{uuid4().hex}"
        command = [str(PROGRAM), "serve", "--port", "0", "--ready-file", str(self._ready), *options]
        with (folder / "serve.log").open("a") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env=_without_settings() | variables,
                start_new_session=True,
            )

    @property
    def group(self) -> int:
        """The process group's number."""
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the main process runs."""
        return self.process.poll() is None

    @property
    def workers(self) -> list[int]:
        """The processes that answer."""
        return [pid for pid in members(self.group) if pid != self.process.pid]

    def await_url(self) -> str:
        """Wait until the mock answers, and return its address.

        Raises:
            RuntimeError: it ended instead.
        """
        await_condition(lambda: self._ready.exists() or not self.is_alive, "serve answers")
        if not self._ready.exists():
            raise RuntimeError(f"serve ended with code {self.process.returncode}: see serve.log")
        return self._ready.read_text().strip()

    def await_listening(self, workers: int) -> str:
        """Wait until so many workers listen; return the address."""
        url = self.await_url()
        await_condition(
            lambda: sum(map(_has_loop, self.workers or [self.process.pid])) == workers,
            f"{workers} workers listen",
        )
        return url

    def kill(self, victim: Victim, choose: Callable[[Sequence[int]], int] = min) -> None:
        """Kill with SIGKILL; of a whole group, everything dies at the same instant."""
        if victim is Victim.EVERYTHING:
            os.killpg(self.group, signal.SIGKILL)
        elif victim is Victim.MAIN:
            self.process.kill()
        elif workers := self.workers:
            killed = choose(workers)
            os.kill(killed, signal.SIGKILL)
            await_condition(lambda: killed not in members(self.group), "the worker is dead")
        if victim is not Victim.WORKER:
            self.process.wait()

    def await_end(self) -> None:
        """Wait until every process of the group has ended.

        Raises:
            TimeoutError: some still run.
        """
        self.process.poll()
        await_condition(
            lambda: not members(self.group),
            f"every process of group {self.group} has ended: {members(self.group)} have not",
        )

    def stop(self) -> int:
        """Stop it as an operator would, and return the exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=DEADLINE_SECONDS)
        self.await_end()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.destroy()

    def destroy(self) -> None:
        """Leave nothing running."""
        with suppress(ProcessLookupError):  # everything has ended already
            os.killpg(self.group, signal.SIGKILL)
        self.process.wait()


def _without_settings() -> dict[str, str]:
    return {name: v for name, v in os.environ.items() if not name.startswith("VIMMERSE")}


def members(group: int) -> list[int]:
    """List the processes of a group that have not ended."""
    return [pid for pid, state, of in _processes() if of == group and state not in _ENDED]


def _has_loop(worker: int) -> bool:
    """Whether a process has begun to wait for events, and so to answer."""
    try:
        return any(
            "eventpoll" in str(each.readlink()) for each in (PROC / str(worker) / "fd").iterdir()
        )
    except OSError:  # it ended while we looked, or closed what we looked at
        return False


def _processes() -> Iterator[tuple[int, str, int]]:
    """Go through all processes: id, state, group."""
    for folder in PROC.glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended while we looked
            continue
        yield int(folder.name), fields[0], int(fields[2])
