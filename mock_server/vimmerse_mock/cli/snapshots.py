"""`vimmerse-mock export` and `import`."""

from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile

import click
import msgspec

from vimmerse_mock.cli.options import fail, say, with_control_plane
from vimmerse_mock.control import operations as o
from vimmerse_mock.control.calls import ControlClient
from vimmerse_mock.control.snapshots import FORMAT, VERSION, SnapshotFile, read_snapshots
from vimmerse_mock.errors import SnapshotError


def read_file(path: Path, name: str) -> SnapshotFile:
    """Read a snapshot or seed file; end the command, with its name, if it cannot be used."""
    try:
        return read_snapshots(path.read_bytes())
    except (SnapshotError, OSError) as error:
        fail(f"{name}, {error}")


@click.command("export")
@click.argument("customer_ids", nargs=-1, metavar="[CUSTOMER_ID]...")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="File to write; by default the snapshot is printed.",
)
@with_control_plane
def export_command(
    control: ControlClient, *, customer_ids: tuple[str, ...], output: Path | None
) -> None:
    """Save the whole state of accounts of a running mock, by default of all accounts.

    The file contains the API keys and signing secrets, so only its owner can read it. `import` and
    `serve --seed` read it.
    """
    pages = () if customer_ids else control.pages(o.LIST_ACCOUNTS)
    everybody = [account.customer_id for page in pages for account in page.accounts]
    files = [control.call(o.EXPORT, customer_id=each) for each in customer_ids or everybody]
    snapshots = tuple(snapshot for file in files for snapshot in file.snapshots)
    whole = SnapshotFile(format=FORMAT, version=VERSION, snapshots=snapshots)
    text = msgspec.json.format(msgspec.json.encode(whole), indent=1)
    if output is None:
        click.echo(text)
        return
    try:
        _write_private(output, text + b"\n")
    except OSError as error:
        fail(f"cannot write {output}: {error.strerror}")


def _write_private(output: Path, content: bytes) -> None:
    """Write a file that nobody but its owner can read, also where one that others can is there."""
    if output.exists() and not output.is_file():  # a pipe, /dev/stdout
        output.write_bytes(content)
        return
    target = output.resolve()
    with NamedTemporaryFile(prefix=f".{target.name}.", dir=target.parent, delete=False) as file:
        written = Path(file.name)  # only its owner can read it
        try:
            file.write(content)
            file.flush()
            written.replace(target)
        except OSError:
            written.unlink()
            raise


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_control_plane
def import_command(control: ControlClient, *, file: Path) -> None:
    """Load accounts from a snapshot or seed file into a running mock: all of them, or none."""
    loaded = control.call(o.IMPORT, read_file(file, str(file)))
    for account in loaded.accounts:
        say(f"{account.customer_id}   credits: {account.credits}")
