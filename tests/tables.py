"""The tables of the documents that are made from the code; `make docs` writes them.

A page marks each with a comment, `<!-- table: serve -->`, in the line above.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from pytest_vimmerse import plugin
from pytest_vimmerse.options import add_options
from vimmerse_mock.cli import COMMANDS, main
from vimmerse_mock.cli.listings import timings
from vimmerse_mock.model.credits import PriceList
from vimmerse_mock.model.delivery_plans import VERBS
from vimmerse_mock.model.scenarios import PRESETS

DOCS: Final = Path(__file__).parent.parent / "docs"
_MARKED: Final = re.compile(r"(<!-- table: (.+) -->\n)(?:\|.*\n)*")
Row = tuple[str, ...]


def tables() -> dict[str, list[Row]]:
    """Make every table, a heading and rows, by its name."""
    made = {name: options(command) for name, command in commands()}
    for same in ("import", "webhooks show", "webhooks redeliver"):  # the tables before them say it
        del made[same]
    made["commands"] = [("command", "what it does")]
    made["commands"] += [(f"`{name}`", text) for name, (_, text) in COMMANDS.items()]
    made["pytest"] = pytest_options()
    made["fixtures"] = fixtures()
    made["presets"] = [("name", "what happens to a batch", "queue", "processing")]
    for name, preset in PRESETS.items():
        made["presets"].append((f"`{name}`", preset.outcome, *timings(preset.scenario)))
    made["steps"] = [("step", "what it does")]
    made["steps"] += [(f"`{verb.written}`", verb.meaning) for verb in VERBS.values()]
    made["prices"] = [("motion type", "credits")]
    made["prices"] += [(name, str(price)) for name, price in PriceList().per_second.items()]
    return made


def commands(name: str = "", group: click.Command = main) -> Iterator[tuple[str, click.Command]]:
    """Yield each command of the mock by its name, and those below it."""
    if not isinstance(group, click.Group):
        yield name, group
        return
    context = click.Context(group)
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        assert command is not None
        yield from commands(f"{name} {each}".strip(), command)


def options(command: click.Command) -> list[Row]:
    """Make a row for each option; there is a column for variables where one has any."""
    listed = [each for each in command.params if isinstance(each, click.Option)]
    columns = 4 if any(each.envvar for each in listed) else 3
    rows: list[Row] = [("option", "what it does", "default", "variable")[:columns]]
    for each in listed:
        choices = each.type.choices if isinstance(each.type, click.Choice) else ()
        said = f"{each.help} {', '.join(f'`{choice}`' for choice in choices)}".strip()
        default = "needed" if each.required else "off" if each.is_flag else each.default
        shown = str(default) if isinstance(default, str | int | float) and default != "" else "none"
        variable = f"`{each.envvar}`" if each.envvar else ""
        rows.append((f"`{each.opts[0]}`", said, shown, variable)[:columns])
    return rows if listed else []


class _Parser:
    """What the plugin adds to pytest's parser."""

    def __init__(self) -> None:
        self.rows: list[Row] = [("option", "what it does")]

    def getgroup(self, *_: str) -> _Parser:
        return self

    def addoption(self, name: str, **attributes: Any) -> None:
        self.rows.append((f"`{name}`", attributes["help"]))


def pytest_options() -> list[Row]:
    """Make a row for each option of pytest."""
    parser = _Parser()
    add_options(parser)  # type: ignore[arg-type] # it has what is used of pytest's own
    return parser.rows


def fixtures() -> list[Row]:
    """Make a row for each fixture of the plugin."""
    rows: list[Row] = [("fixture", "scope", "what it is")]
    for name, value in vars(plugin).items():
        if type(value).__name__ == "FixtureFunctionDefinition":
            scope = value._fixture_function_marker.scope.replace("function", "test")
            rows.append((f"`{name}`", scope, (value.__doc__ or "").partition("\n")[0]))
    return rows


def rewritten(page: str) -> str:
    """Return the text of a page with its tables as they are now."""
    made = tables()

    def table(marked: re.Match[str]) -> str:
        heading, *rows = made[marked[2]]
        lines = [heading, ("---",) * len(heading), *rows]
        return marked[1] + "".join(
            f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n"
            for line in lines
        )

    return _MARKED.sub(table, page)


if __name__ == "__main__":
    for path in DOCS.glob("*.md"):
        path.write_text(rewritten(path.read_text()))
