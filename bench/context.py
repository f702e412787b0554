"""What every benchmark is handed: how thorough to be, where to put files, whom to tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.databases import Databases
from bench.load import Generator


@dataclass(frozen=True, slots=True)
class Context:
    """A run of the bench.

    `busy` is the load average when it began. `scratch` is a folder that is gone after the run;
    `step` shows what is being done. `answer` is what the mock says of a batch with one image: the
    bare competitors say the same bytes. `sizes` are how many batches a store has, smallest first.
    """

    quick: bool
    busy: float
    scratch: Path
    generator: Generator
    answer: bytes
    step: Callable[[str], None]
    databases: Databases
    sizes: tuple[int, ...]

    @property
    def answer_file(self) -> Path:
        """The answer, for the competitors that are processes."""
        path = self.scratch / "answer.json"
        path.write_bytes(self.answer)
        return path

    @property
    def rounds(self) -> int:
        """How often each competitor has its turn."""
        return 1 if self.quick else 3

    def amount(self, quick: int, thorough: int) -> int:
        """Choose how many times, or seconds, to measure."""
        return quick if self.quick else thorough
