"""How the commands that talk to a running mock find its control plane."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click

from vimmerse_mock.cli.options import fail
from vimmerse_mock.control.calls import ControlClient, HttpCaller
from vimmerse_mock.errors import MockError

DEFAULT_ADMIN: Final = "http://127.0.0.1:8765"
F = TypeVar("F", bound=Callable[..., Any])


def admin_options(command: F) -> F:
    """Add the options that name a running mock."""
    for add in (
        click.option(
            "--admin-token",
            default="",
            envvar="VIMMERSE_ADMIN_TOKEN",
            show_envvar=True,
            help="Token of its control plane, if that asks for one.",
        ),
        click.option(
            "--admin-url",
            default=DEFAULT_ADMIN,
            envvar="VIMMERSE_ADMIN_URL",
            show_envvar=True,
            show_default=True,
            help="Where the mock runs.",
        ),
    ):
        command = add(command)
    return command


@contextmanager
def control_plane(admin_url: str, admin_token: str) -> Iterator[ControlClient]:
    """Open a way to a running mock's control plane; what it refuses ends the command."""
    control = ControlClient(HttpCaller(admin_url, admin_token))
    try:
        yield control
    except MockError as error:
        fail(str(error))
    finally:
        control.close()
