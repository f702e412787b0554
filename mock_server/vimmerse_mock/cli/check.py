"""`vimmerse-mock check`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import click

from vimmerse_mock.cli.options import NATURAL, PORT, fail, option

_SUITE: Final = "vimmerse_contracts.suite"
_PLUGINS: Final = ("pytest_vimmerse.plugin", "pytest_vimmerse.check")
_WITHOUT: Final = ("terminal", "cacheprovider")
_LEAKING: Final = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")
"""Variables by which a user's own pytest runs are set up."""


@click.command()
@option(
    "--target",
    of="check",
    default="mock",
    metavar="mock|intercept|real|URL",
    help="What is held to the contract.",
)
@click.option("--key", envvar="VIMMERSE_API_KEY", show_envvar=True, help="API key for a URL.")
@option("--other-key", of="check", help="API key of a second customer.")
@option("--broke-key", of="check", help="API key of a customer who can pay for one cheapest batch.")
@option("--max-credits", of="check", type=NATURAL, help="What may be spent at most.")
@option("--price", of="check", multiple=True, metavar="MOTION_TYPE=CREDITS", help="A price.")
@option("--prices", of="check", type=click.Path(exists=True), help="A price list, in JSON.")
@option("--poll", of="check", type=click.FloatRange(min=0), help="Seconds between two readings.")
@option("--patience", of="check", type=click.FloatRange(min=0), help="Seconds for one batch.")
@option("--webhook-relay", of="check", metavar="URL", help="A public URL that forwards to us.")
@option("--webhook-port", of="check", type=PORT, help="Where the relay forwards to.")
@option("--evidence", of="check", metavar="FILE", help="Write exchanges and verdicts there.")
@option(
    "--explain",
    of="check",
    metavar="RULE",
    help="Print a rule, its source, and what depends on it.",
)
def command(explain: str | None, **options: Any) -> None:  # noqa: ANN401 - click's own
    """Hold a target to the contract: exit code 0 if held, 1 if broken, 2 if it could not run."""
    if explain is not None:
        _explain(explain)
        return
    for name in _LEAKING:
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest  # noqa: PLC0415 - only this command pays for it

    code = int(pytest.main([*_isolated(), *_arguments(options)]))
    sys.exit(code if code in (0, 1) else 2)


def _explain(rule: str) -> None:
    from vimmerse_contracts.suite.rules import UnknownRuleError, explain  # noqa: PLC0415 - as above

    try:
        click.echo("\n".join(explain(rule)))
    except UnknownRuleError as error:
        fail(str(error))


def _isolated() -> Iterator[str]:
    """Give the arguments that keep out whatever pytest finds around the user's own tests."""
    suite = _suite_folder()
    yield from (f"--rootdir={suite}", f"--confcutdir={suite}", f"-c{os.devnull}")
    yield from (f"-p{name}" for name in _PLUGINS)
    yield from (f"-pno:{name}" for name in _WITHOUT)
    yield str(suite)


def _suite_folder() -> Path:
    found = find_spec(_SUITE)
    if found is None or found.origin is None:
        fail(f"the suite {_SUITE} is not installed")
    return Path(found.origin).parent


def _arguments(options: Mapping[str, Any]) -> Iterator[str]:
    """Write the options as pytest's."""
    for name, value in options.items():
        for each in value if isinstance(value, tuple) else (value,):
            if each is not None:
                yield f"--vimmerse-{name.replace('_', '-')}={each}"
