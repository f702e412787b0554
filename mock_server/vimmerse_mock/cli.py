"""The command line: `vimmerse-mock serve`, and `vimmerse-mock openapi`."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from vimmerse_contracts.vocabulary import MOTION_TYPES, SAMPLE_API_KEY, SAMPLE_CUSTOMER_ID
from vimmerse_mock.account import DEFAULT_CREDITS, FASTEST, Opening
from vimmerse_mock.model.ledger import PriceList
from vimmerse_mock.model.limits import MEBIBYTE, Limits
from vimmerse_mock.model.retention import Keep, RetentionError, parse_keep
from vimmerse_mock.model.scenarios import SCENARIOS
from vimmerse_mock.serve import MEMORY, ServeError, ServeSettings
from vimmerse_mock.serve import serve as serve_mock

_PREFIX: Final = "VIMMERSE_MOCK_"
_PORT: Final = click.IntRange(0, 65535)
_NATURAL: Final = click.IntRange(0, 10**15)
_POSITIVE: Final = click.IntRange(min=1)

F = TypeVar("F", bound=Callable[..., Any])


def _option(name: str, **attributes: Any) -> Callable[[F], F]:  # noqa: ANN401 - click's own
    """Make an option that an environment variable can set as well."""
    variable = _PREFIX + name.lstrip("-").replace("-", "_").upper()
    return click.option(name, envvar=variable, show_envvar=True, show_default=True, **attributes)


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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vimmerse-mock")
def main() -> None:
    """A fake of the Vimmerse batch API that behaves, in time."""


@main.command()
@_option("--host", default="127.0.0.1", help="Address to listen on.")
@_option("--port", default=8765, type=_PORT, help="Port to listen on; 0 takes a free one.")
@_option(
    "--store",
    default=MEMORY,
    help="Where to keep everything: memory:, sqlite:///path.db or postgresql://user@host/name.",
)
@_option("--workers", default=1, type=_POSITIVE, help="Processes that answer.")
@_option(
    "--speed",
    default=1.0,
    type=RateType(0, FASTEST, min_open=True),
    help="Run time this many times as fast.",
)
@_option("--credits", default=DEFAULT_CREDITS, type=_NATURAL, help="Credits to start with.")
@_option("--api-key", default=SAMPLE_API_KEY, help="The account's API key.")
@_option("--customer-id", default=SAMPLE_CUSTOMER_ID, help="The account's customer id.")
@_option("--seed", default="", help="Make the same identifiers for the same calls.")
@_option(
    "--account",
    type=PairType("KEY:CREDITS", ":"),
    multiple=True,
    help="A further account, with its key and its credits; repeatable.",
)
@_option(
    "--scenario",
    default="success",
    type=click.Choice(list(SCENARIOS)),
    help="What becomes of every batch.",
)
@_option(
    "--price",
    type=PairType("MOTION_TYPE=CREDITS", "=", MOTION_TYPES),
    multiple=True,
    help="Credits for a second of video of a motion type; repeatable.",
)
@_option("--compose-price", default=0, type=_NATURAL, help="Credits for a composition.")
@_option("--max-image-mib", default=32, type=_POSITIVE, help="Largest image, in MiB.")
@_option("--max-request-mib", default=256, type=_POSITIVE, help="Largest request, in MiB.")
@_option(
    "--keep",
    default="",
    type=KeepType(),
    help="Forget ended batches: of an age (7d, 12h, 30m) or beyond the newest so many (100000).",
)
@_option("--public-url", default="", help="Where clients reach the mock, if behind a proxy.")
@_option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the real address to this file, once the mock answers.",
)
def serve(
    *,
    host: str,
    port: int,
    store: str,
    workers: int,
    speed: float,
    credits: int,  # noqa: A002 - the option's name
    api_key: str,
    customer_id: str,
    seed: str,
    account: tuple[tuple[str, int], ...],
    scenario: str,
    price: tuple[tuple[str, int], ...],
    compose_price: int,
    max_image_mib: int,
    max_request_mib: int,
    keep: Keep,
    public_url: str,
    ready_file: Path | None,
) -> None:
    """Serve the mock until it is told to stop (SIGTERM, or Ctrl-C)."""
    first = Opening(api_key, customer_id, credits, speed, seed)
    others = tuple(Opening(key, credits=n, speed=speed, seed=seed) for key, n in account)
    default = PriceList()
    settings = ServeSettings(
        host=host,
        port=port,
        store=store,
        workers=workers,
        accounts=(first, *others),
        scenario=scenario,
        prices=replace(
            default, per_second={**default.per_second, **dict(price)}, compose=compose_price
        ),
        limits=Limits(max_image_mib * MEBIBYTE, max_request_mib * MEBIBYTE),
        keep=keep,
        public_url=public_url,
        ready_file=ready_file,
    )
    try:
        _require_distinct_keys(settings.accounts)
        serve_mock(settings)
    except ServeError as error:
        _fail(str(error))


def _require_distinct_keys(accounts: tuple[Opening, ...]) -> None:
    if len({opening.api_key for opening in accounts}) < len(accounts):
        _fail("two accounts have the same API key: give each --account a key of its own")


def _fail(sentence: str) -> None:
    click.echo(f"vimmerse-mock: {sentence}", err=True)
    sys.exit(2)


@main.command()
def openapi() -> None:
    """Print the OpenAPI 3.1 document of the API."""
    from vimmerse_contracts.openapi import openapi_document  # noqa: PLC0415 - only here

    click.echo(json.dumps(openapi_document(), indent=2))
