"""The command line `vimmerse-mock`: one module for each command, imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

import click

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "serve": "serve:command",
        "run": "run:command",
        "export": "snapshots:export_command",
        "import": "snapshots:import_command",
        "check": "check:command",
        "webhooks": "webhooks:command",
        "scenarios": "listings:scenarios_command",
        "openapi": "listings:openapi_command",
        "drift": "drift:command",
        "listen": "listen:command",
        "trigger": "trigger:command",
        "schemas": "listings:schemas_command",
    }
)
"""The commands by name, in the order of the help; and where each is."""


class _Commands(click.Group):
    """A group that imports a command when it is run: `serve` must not pay for all the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"vimmerse_mock.cli.{module}"), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vimmerse-mock")
def main() -> None:
    """A fake of the Vimmerse batch API that behaves, in time."""
