"""`vimmerse-mock import`."""

from __future__ import annotations

from pathlib import Path

import click

from vimmerse_mock.cli.control import admin_options, control_plane
from vimmerse_mock.cli.options import fail
from vimmerse_mock.control import operations as o
from vimmerse_mock.control import resources as r
from vimmerse_mock.control.snapshots import SnapshotError, read_snapshots


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@admin_options
def command(*, file: Path, admin_url: str, admin_token: str) -> None:
    """Import accounts from a snapshot or seed file into a running mock: all of them, or none."""
    try:
        read = read_snapshots(file.read_bytes())
    except (SnapshotError, OSError) as error:
        fail(f"{file}, {error}")
    with control_plane(admin_url, admin_token) as control:
        loaded = control.call(o.IMPORT, r.AccountList, read)
    for account in loaded.accounts:
        click.echo(f"{account.customer_id}   credits: {account.credits}")
