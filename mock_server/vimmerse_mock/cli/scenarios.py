"""`vimmerse-mock scenarios`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click

from vimmerse_mock.model.magic import IMAGE_MARKERS
from vimmerse_mock.model.scenarios import FIELDS, PRESETS, Pace, Scenario, write_fields

if TYPE_CHECKING:
    from rich.table import Table

_MARKERS: Final = f"""
As usual is {Pace().queue:g} s in the queue, then {Pace().per_video_second:g} s for each second of \
video, then {Pace().compose:g} s to compose.

Without a control plane, ask for it by a marker:
  in a title, about the batch:          [vimmerse:NAME], [vimmerse:FIELD=VALUE, ...], or both
  in a name or URL, about that image:   {" or ".join(f"vimmerse--{name}" for name in IMAGE_MARKERS)}
  fields: {", ".join(FIELDS[:4])},
          {", ".join(FIELDS[4:])}
  such as [vimmerse:stuck]   [vimmerse:slow, fail_medias=0,2]   cat.vimmerse--fail.png
"""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON, for programs.")
def command(*, as_json: bool) -> None:
    """List the scenarios: what becomes of a batch, how long it takes, and how to ask for one."""
    if as_json:
        click.echo(json.dumps(_document(), indent=2))
        return
    from rich.console import Console  # noqa: PLC0415 - only who looks at the table pays for it

    Console(highlight=False).print(_table())
    click.echo(_MARKERS, nl=False)


def _document() -> dict[str, Any]:
    return {
        "scenarios": [
            {
                "name": name,
                "outcome": preset.outcome,
                "scenario": write_fields(preset.scenario),
                "marker": f"[vimmerse:{name}]",
            }
            for name, preset in PRESETS.items()
        ],
        "fields": list(FIELDS),
        "image_markers": {f"vimmerse--{name}": what for name, what in IMAGE_MARKERS.items()},
    }


def _table() -> Table:
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(
        "name", "what becomes of a batch", "queue", "processing", box=None, pad_edge=False
    )
    for name, preset in PRESETS.items():
        table.add_row(name, preset.outcome, *timings(preset.scenario))
    return table


def timings(scenario: Scenario) -> tuple[str, str]:
    """Tell how long the batch waits, and how long it then takes."""
    queue = "as usual" if scenario.queue is None else str(scenario.queue)
    if scenario.stuck_at is not None:
        return queue, "for ever"
    return queue, "as usual" if scenario.processing is None else str(scenario.processing)
