"""`vimmerse-mock schemas`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from vimmerse_contracts.json_schemas import EXPORTED, json_schemas
from vimmerse_mock.cli.options import fail, option


@click.command()
@click.argument("name", required=False, type=click.Choice(list(EXPORTED)))
@option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write a file for each schema into, NAME.schema.json, instead of printing.",
)
def command(name: str | None, out: Path | None) -> None:
    """Print the JSON Schemas (2020-12) of Batch, webhook and errors: all, or one by NAME."""
    schemas = json_schemas()
    chosen = {name: schemas[name]} if name else schemas
    if out is not None:
        _write(chosen, out)
    else:
        click.echo(json.dumps(schemas[name] if name else schemas, indent=2))


def _write(schemas: dict[str, dict[str, object]], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, schema in schemas.items():
            path = folder / f"{name}.schema.json"
            path.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
            click.echo(path)
    except OSError as error:
        fail(f"the schemas cannot be written into {folder}: {error.strerror}")
