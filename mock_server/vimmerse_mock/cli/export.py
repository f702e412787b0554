"""`vimmerse-mock export`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from vimmerse_mock.cli.control import admin_options, control_plane
from vimmerse_mock.cli.options import fail, option
from vimmerse_mock.control import operations as o
from vimmerse_mock.control import resources as r
from vimmerse_mock.control.calls import Control
from vimmerse_mock.control.snapshots import FORMAT, VERSION, SnapshotFile


@click.command()
@click.argument("customer_ids", nargs=-1, metavar="[CUSTOMER_ID]...")
@option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="File to write; without it the snapshot is printed.",
)
@admin_options
def command(
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


def _exported(control: Control, customer_ids: tuple[str, ...]) -> SnapshotFile:
    listed = customer_ids or _all(control)
    files = [control.call(o.EXPORT, SnapshotFile, customer_id=each) for each in listed]
    snapshots = tuple(snapshot for file in files for snapshot in file.snapshots)
    return SnapshotFile(format=FORMAT, version=VERSION, snapshots=snapshots)


def _all(control: Control) -> tuple[str, ...]:
    accounts = control.call(o.LIST_ACCOUNTS, r.AccountList).accounts
    return tuple(account.customer_id for account in accounts)
