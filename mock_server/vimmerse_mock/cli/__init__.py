"""The command line `vimmerse-mock`: one module for each command, imported when it is run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from io import TextIOWrapper
from types import MappingProxyType
from typing import Final

import click

from vimmerse_mock.cli.options import fail

COMMANDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "serve": ("serve:command", "Start a mock server."),
        "run": ("run:command", "Run a command, such as your tests, with its own mock."),
        "export": ("snapshots:export_command", "Save accounts of a running mock to a file."),
        "import": ("snapshots:import_command", "Load accounts from a file into a running mock."),
        "check": ("check:command", "Run the contract suite against a mock or a service."),
        "webhooks": ("webhooks:command", "List the webhooks of a running mock, or resend one."),
        "scenarios": (
            "listings:scenarios_command",
            "List the scenarios of a batch.",
        ),
        "openapi": ("listings:openapi_command", "Print the OpenAPI 3.1 document of the API."),
        "drift": ("drift:command", "Compare two runs of the contract suite, or two OpenAPI files."),
        "listen": ("listen:command", "Receive webhooks, and print each one."),
        "trigger": ("trigger:command", "Send the webhook of a finished batch."),
        "schemas": ("listings:schemas_command", "Print the JSON Schemas (2020-12) of the API."),
    }
)
"""Where each command is, and what `vimmerse-mock --help` says of it without importing it."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"vimmerse_mock.cli.{module}"), name)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        from vimmerse_mock.errors import MockError  # noqa: PLC0415 - `--help` needs no contract

        for stream in (sys.stdout, sys.stderr):  # a letter that the terminal lacks loses nothing
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except MockError as error:
            fail(str(error))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vimmerse-mock")
def main() -> None:
    """Run and control a mock server for the Vimmerse batch API."""
