"""Options that commands share, and how a command ends that cannot be carried out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import click
from click.core import ParameterSource

from vimmerse_mock.model.bounds import Bounds, quoted

_PREFIX: Final = "VIMMERSE_MOCK"
_OF_SERVICE: Final = ("tcp://", "udp://", "sctp://")
_ADMIN_URL: Final = "http://127.0.0.1:8765"
_DIGITS: Final = 18
PORT: Final = click.IntRange(0, 65535)
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
ON_COMMAND_LINE: Final = "other users see it in the process list: better in a file or a variable"

F = TypeVar("F", bound=Callable[..., Any])


def fail(sentence: str) -> NoReturn:
    """End a command that cannot be carried out: the sentence on stderr, and exit code 2."""
    say(f"vimmerse-mock: {sentence}", err=True)
    sys.exit(2)


def say(text: str, *, err: bool = False) -> None:
    """Print text that may have come from elsewhere: what would steer the terminal is escaped."""
    click.echo(escaped(text), err=err)


def escaped(text: str) -> str:
    """Return a text with what is neither printable nor a line's end as escapes of JSON."""
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def whole(bounds: Bounds) -> click.IntRange:
    """Make the type of a whole number within bounds."""
    return click.IntRange(round(bounds.least), round(bounds.most))


class _Option(click.Option):
    """An option whose variable Kubernetes may have set, for a Service that is called as the mock.

    Every pod then has `VIMMERSE_MOCK_PORT=tcp://10.0.0.1:8765`, which is nobody's setting.
    """

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the variable's value, none if it is a Service's."""
        value = super().resolve_envvar_value(ctx)
        if value is None or not value.startswith(_OF_SERVICE):
            return value
        click.echo(
            f"vimmerse-mock: {self.envvar}={value} is ignored: Kubernetes and Docker set it for a "
            f"service of that name; set {self.opts[0]} instead",
            err=True,
        )
        return None


def option(
    *names: str,
    of: str = "",
    **attributes: Any,  # noqa: ANN401 - click's own
) -> Callable[[F], F]:
    """Make an option that an environment variable sets as well.

    `names` are click's: the option, and its parameter where that is called otherwise. `of` is the
    command that the variable names, where it should not be set for all.
    """
    variable = "_".join(filter(None, [_PREFIX, of, *names[0].lstrip("-").split("-")])).upper()
    shown: dict[str, Any] = {"show_envvar": True, "show_default": True}
    return click.option(*names, cls=_Option, envvar=variable, **shown, **attributes)


def with_control_plane(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name a running mock; the command gets its control plane first."""

    @click.option(
        "--admin-url",
        default=_ADMIN_URL,
        envvar="VIMMERSE_ADMIN_URL",
        show_envvar=True,
        show_default=True,
        help="URL of the running mock.",
    )
    @click.option(
        "--admin-token",
        default="",
        envvar="VIMMERSE_ADMIN_TOKEN",
        show_envvar=True,
        help=f"Token for its control plane, if it needs one; {ON_COMMAND_LINE}.",
    )
    @click.option(
        "--admin-token-file",
        type=FILE,
        envvar="VIMMERSE_ADMIN_TOKEN_FILE",
        show_envvar=True,
        help="File with that token.",
    )
    @wraps(command)
    def connected(
        *, admin_url: str, admin_token: str, admin_token_file: Path | None, **options: object
    ) -> None:
        from vimmerse_mock.control.calls import ControlClient, HttpCaller  # noqa: PLC0415 - requests

        token = token_of(admin_token, admin_token_file)
        control = ControlClient(HttpCaller(admin_url, token))
        try:
            command(control, **options)
        finally:
            control.close()

    return connected


def token_of(given: str, file: Path | None) -> str:
    """Return the token of `--admin-token-file`, or of `--admin-token`, which others can see."""
    source = click.get_current_context().get_parameter_source("admin_token")
    if source is ParameterSource.COMMANDLINE:
        click.echo(f"vimmerse-mock: --admin-token: {ON_COMMAND_LINE}", err=True)
    if file is None:
        return given
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"--admin-token-file: {file} cannot be read ({type(error).__name__})")
    return token or fail(f"--admin-token-file: {file} is empty")


class Parsed(click.ParamType):  # type: ignore[type-arg] # it is generic since click 8.4 only
    """The type of an option whose text a function reads; its ValueError says what is expected."""

    def __init__(self, name: str, read: Callable[[str], object]) -> None:
        self.name = name
        self._read = read

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's own
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401 - what it reads
        """Read the text; a default that was read already stays as it is."""
        try:
            return self._read(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _url(text: str) -> str:
    from vimmerse_contracts.fields import url_problem  # noqa: PLC0415 - marshmallow is slow to import

    if text and url_problem(text) is not None:
        raise ValueError(f"{quoted(text)} is not like http://127.0.0.1:5000/hook")
    return text


URL: Final = Parsed("URL", _url)


def pairs(form: str, separator: str, bounds: Bounds, known: Sequence[str] = ()) -> Parsed:
    """Make the type of a word and a number: `KEY:CREDITS`, `MOTION_TYPE=CREDITS`."""

    def read(text: str) -> tuple[str, int]:
        word, _, number = text.rpartition(separator)
        is_number = number.isascii() and number.isdecimal() and len(number) <= _DIGITS
        if not word or not is_number or int(number) not in bounds:
            raise ValueError(f"{quoted(text)} is not like {form}, with {bounds} credits")
        if known and word not in known:
            raise ValueError(f"{quoted(word)} is not one of {', '.join(known)}")
        return word, int(number)

    return Parsed(form, read)
