"""Options and their types, and how a command ends that cannot be carried out."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn, TypeVar

import click

from vimmerse_contracts.fields import url_problem
from vimmerse_mock.errors import RetentionError
from vimmerse_mock.model.limits import Keep, parse_keep

_PREFIX: Final = "VIMMERSE_MOCK"
PORT: Final = click.IntRange(0, 65535)
NATURAL: Final = click.IntRange(0, 10**15)
POSITIVE: Final = click.IntRange(min=1)

F = TypeVar("F", bound=Callable[..., Any])


def option(
    name: str,
    *,
    of: str = "",
    **attributes: Any,  # noqa: ANN401 - click's own
) -> Callable[[F], F]:
    """Make an option that an environment variable can set as well.

    `of` is the command that the variable names, where it should not be set for all.
    """
    variable = "_".join(filter(None, [_PREFIX, of, *name.lstrip("-").split("-")])).upper()
    return click.option(name, envvar=variable, show_envvar=True, show_default=True, **attributes)


def fail(sentence: str) -> NoReturn:
    """Say on stderr why the command cannot be carried out, and end with exit code 2."""
    click.echo(f"vimmerse-mock: {sentence}", err=True)
    sys.exit(2)


class RateType(click.FloatRange):
    """A speed: a number in range, which `nan` slips past."""

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's own
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Read it, or say what is wrong with it."""
        rate = float(super().convert(value, param, ctx))
        if math.isnan(rate):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return rate


class UrlType(click.ParamType[str]):
    """An absolute http(s) URL."""

    name = "URL"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's own
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str:
        """Accept it, or say what it should be like."""
        if value and url_problem(value) is not None:
            self.fail(f"{value!r} is not like http://127.0.0.1:5000/hook", param, ctx)
        return str(value)


class PairType(click.ParamType[tuple[str, int]]):
    """A word and a number: `KEY:CREDITS`, `MOTION_TYPE=CREDITS`."""

    def __init__(self, name: str, separator: str, known: Sequence[str] = ()) -> None:
        self.name = name
        self._separator = separator
        self._known = known

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's own
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, int]:
        """Take the pair apart, or say how it is written."""
        word, _, number = str(value).rpartition(self._separator)
        if not word or not number.isdecimal():
            self.fail(f"{value!r} is not like {self.name}, with a number of credits", param, ctx)
        if self._known and word not in self._known:
            self.fail(f"{word!r} is none of {', '.join(self._known)}", param, ctx)
        return word, int(number)


class KeepType(click.ParamType[Keep]):
    """An age like `7d`, or a number of batches."""

    name = "AGE|NUMBER"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's own
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Keep:
        """Read it, or say how it is written."""
        try:
            return value if isinstance(value, Keep) else parse_keep(value)
        except RetentionError as error:
            self.fail(str(error), param, ctx)
