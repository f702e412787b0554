"""The command line `vimmerse-mock`: one module for each command, imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

import click

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "serve": "vimmerse_mock.cli.serve",
        "run": "vimmerse_mock.cli.run",
        "export": "vimmerse_mock.cli.export",
        "import": "vimmerse_mock.cli.import_",
        "check": "vimmerse_mock.cli.check",
        "webhooks": "vimmerse_mock.cli.webhooks",
        "scenarios": "vimmerse_mock.cli.scenarios",
        "openapi": "vimmerse_mock.cli.openapi",
        "drift": "vimmerse_mock.cli.drift",
        "listen": "vimmerse_mock.cli.listen",
        "trigger": "vimmerse_mock.cli.trigger",
        "schemas": "vimmerse_mock.cli.schemas",
    }
)
"""The commands by name, in the order of the help; each module has its `command`."""


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
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vimmerse-mock")
def main() -> None:
    """A fake of the Vimmerse batch API that behaves, in time."""
