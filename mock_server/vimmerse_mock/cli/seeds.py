"""Reading seed files for `serve`: what is wrong ends the command with exit code 2."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vimmerse_mock.cli.options import fail
from vimmerse_mock.control.openings import read_opening
from vimmerse_mock.control.snapshots import SnapshotError, read_snapshots
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Seeds:
    """The accounts to begin with: to be opened, and to be restored."""

    openings: tuple[Opening, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()


def read_seeds(path: Path) -> Seeds:
    """Read the accounts of a seed file, or end the command."""
    try:
        read = read_snapshots(path.read_bytes())
    except (SnapshotError, OSError) as error:
        fail(f"--seed {path}, {error}")
    seeds = Seeds(tuple(map(read_opening, read.accounts)), read.snapshots)
    if not seeds.openings and not seeds.snapshots:
        fail(f"--seed {path}: there is no account in it")
    return seeds
