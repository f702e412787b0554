"""`vimmerse-mock openapi`."""

from __future__ import annotations

import json

import click

from vimmerse_contracts.openapi import openapi_document


@click.command()
def command() -> None:
    """Print the OpenAPI 3.1 document of the API."""
    click.echo(json.dumps(openapi_document(), indent=2))
