"""The commands that print what there is: `openapi`, `schemas`, `scenarios`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click

from vimmerse_contracts.openapi import EXPORTED, json_schemas, openapi_document
from vimmerse_mock.cli.options import fail
from vimmerse_mock.model.magic import IMAGE_MARKERS
from vimmerse_mock.model.scenarios import FIELDS, PRESETS, Pace, Scenario, write_fields


@click.command("openapi")
def openapi_command() -> None:
    """Print the OpenAPI 3.1 document of the API."""
    click.echo(json.dumps(openapi_document(), indent=2))


@click.command("schemas")
@click.argument("name", required=False, type=click.Choice(list(EXPORTED)))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write the schemas to, each as NAME.schema.json, instead of printing.",
)
def schemas_command(name: str | None, out: Path | None) -> None:
    """Print the JSON Schemas (2020-12) of Batch, webhook and errors: all of them, or one."""
    schemas = json_schemas()
    if out is None:
        click.echo(json.dumps(schemas[name] if name else schemas, indent=2))
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        for each in [name] if name else schemas:
            path = out / f"{each}.schema.json"
            path.write_text(json.dumps(schemas[each], indent=2) + "\n", encoding="utf-8")
            click.echo(path)
    except OSError as error:
        fail(f"the schemas cannot be written into {out}: {error.strerror}")


_MARKERS: Final = f"""
"As usual": {Pace().queue:g} s in the queue, {Pace().per_video_second:g} s for each second of \
video, {Pace().concat:g} s to concat.

Choose a scenario by a magic marker, with the public API alone:
  in a title, for the batch:       [vimmerse:NAME], [vimmerse:FIELD=VALUE, ...], or both
  in the name or URL of an image:  {" or ".join(f"vimmerse--{name}" for name in IMAGE_MARKERS)}
  fields: {", ".join(FIELDS[:4])},
          {", ".join(FIELDS[4:])}
  such as [vimmerse:stuck]   [vimmerse:slow, fail_medias=0,2]   cat.vimmerse--fail.png
"""


@click.command("scenarios")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def scenarios_command(*, as_json: bool) -> None:
    """List the scenarios: what happens to a batch, how long it takes, how to choose one."""
    if as_json:
        listed = [
            {
                "name": name,
                "outcome": preset.outcome,
                "scenario": write_fields(preset.scenario),
                "marker": f"[vimmerse:{name}]",
            }
            for name, preset in PRESETS.items()
        ]
        markers = {f"vimmerse--{name}": what for name, what in IMAGE_MARKERS.items()}
        document = {"scenarios": listed, "fields": list(FIELDS), "image_markers": markers}
        click.echo(json.dumps(document, indent=2))
        return
    from rich.console import Console  # noqa: PLC0415 - only who looks at the table pays for it
    from rich.table import Table  # noqa: PLC0415 - as above

    columns = ("name", "what happens to a batch", "queue", "processing")
    table = Table(*columns, box=None, pad_edge=False)
    for name, preset in PRESETS.items():
        table.add_row(name, preset.outcome, *timings(preset.scenario))
    Console(highlight=False).print(table)
    click.echo(_MARKERS, nl=False)


def timings(scenario: Scenario) -> tuple[str, str]:
    """Return how long the batch waits, and how long it then takes."""
    fields = write_fields(scenario)
    ends = "forever" if scenario.stuck_at is not None else "as usual"
    return fields.get("queue", "as usual"), fields.get("processing", ends)
