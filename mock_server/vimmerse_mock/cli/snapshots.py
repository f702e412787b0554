"""`vimmerse-mock export` and `import`, and the files that they share with `serve --seed`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from vimmerse_mock.cli.control import admin_options, control_plane
from vimmerse_mock.cli.options import fail, option
from vimmerse_mock.control import messages as r
from vimmerse_mock.control import operations as o
from vimmerse_mock.control.calls import ControlClient
from vimmerse_mock.control.messages import read_opening
from vimmerse_mock.control.snapshots import FORMAT, VERSION, SnapshotFile, read_snapshots
from vimmerse_mock.errors import SnapshotError
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


@click.command("export")
@click.argument("customer_ids", nargs=-1, metavar="[CUSTOMER_ID]...")
@option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="File to write; without it the snapshot is printed.",
)
@admin_options
def export_command(
    *, customer_ids: tuple[str, ...], output: Path | None, admin_url: str, admin_token: str
) -> None:
    """Export the whole state of accounts, by default of all, from a running mock.

    The file holds the accounts' API keys. `import` and `serve --seed` read it.
    """
    with control_plane(admin_url, admin_token) as control:
        text = msgspec.json.format(msgspec.json.encode(_exported(control, customer_ids)), indent=1)
    if output is None:
        click.echo(text)
        return
    try:
        output.write_bytes(text + b"\n")
    except OSError as error:
        fail(f"cannot write {output}: {error.strerror}")


def _exported(control: ControlClient, customer_ids: tuple[str, ...]) -> SnapshotFile:
    listed = customer_ids or _all(control)
    files = [control.call(o.EXPORT, SnapshotFile, customer_id=each) for each in listed]
    snapshots = tuple(snapshot for file in files for snapshot in file.snapshots)
    return SnapshotFile(format=FORMAT, version=VERSION, snapshots=snapshots)


def _all(control: ControlClient) -> tuple[str, ...]:
    accounts = control.call(o.LIST_ACCOUNTS, r.AccountList).accounts
    return tuple(account.customer_id for account in accounts)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@admin_options
def import_command(*, file: Path, admin_url: str, admin_token: str) -> None:
    """Import accounts from a snapshot or seed file into a running mock: all of them, or none."""
    try:
        read = read_snapshots(file.read_bytes())
    except (SnapshotError, OSError) as error:
        fail(f"{file}, {error}")
    with control_plane(admin_url, admin_token) as control:
        loaded = control.call(o.IMPORT, r.AccountList, read)
    for account in loaded.accounts:
        click.echo(f"{account.customer_id}   credits: {account.credits}")
