"""`vimmerse-mock check`: the contract suite, without whatever configures pytest around it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import click

from pytest_vimmerse.options import SETTINGS, WITHOUT_ASSERTIONS, Setting
from vimmerse_mock.cli.options import fail

_SUITE: Final = "vimmerse_contracts.suite"
_PLUGINS: Final = ("pytest_vimmerse.plugin", "pytest_vimmerse.check")
_WITHOUT: Final = ("terminal", "cacheprovider")
_LEAKING: Final = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")
"""Variables by which a user's own pytest runs are set up."""


def _option(setting: Setting) -> click.Option:
    kind: click.ParamType[Any] = click.STRING
    if setting.number is not None:
        whole, most = setting.number.kind is int, setting.number.most
        kind = click.IntRange(0, int(most)) if whole else click.FloatRange(0, most)
    return click.Option(
        [f"--{setting.name}"],
        type=kind,
        metavar=setting.metavar,
        default=setting.default,
        show_default=setting.default is not None,
        multiple=setting.repeatable,
        envvar=setting.variable or None,
        show_envvar=True,
        help=f"{setting.help[0].upper()}{setting.help[1:]}.",
    )


@click.command(params=[*map(_option, SETTINGS)])
@click.option(
    "--explain",
    metavar="RULE",
    help="Print a rule, its source, and the tests that check it; runs nothing.",
)
def command(*, explain: str | None, **settings: Any) -> None:  # noqa: ANN401 - click's own
    """Run the contract suite against a target.

    Exit code 0: the target keeps the contract; 1: it breaks a rule; 2: the suite could not run.
    """
    if explain is not None:
        from vimmerse_contracts.suite import rules  # noqa: PLC0415 - only this option pays for it

        try:
            click.echo("\n".join(rules.explain(explain)))
        except rules.UnknownRuleError as error:
            fail(str(error))
        return
    if not __debug__:
        fail(WITHOUT_ASSERTIONS)
    for name in _LEAKING:
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest  # noqa: PLC0415 - only this command pays for it

    given = [
        f"--vimmerse-{name.replace('_', '-')}={each}"
        for name, value in settings.items()
        for each in (value if isinstance(value, tuple) else (value,))
        if each is not None
    ]
    code = int(pytest.main([*_isolated(), *given]))
    sys.exit(code if code in (0, 1) else 2)


def _isolated() -> Iterator[str]:
    """Yield the arguments that keep out whatever pytest finds around the user's own tests."""
    found = find_spec(_SUITE)
    if found is None or found.origin is None:
        fail(f"the suite {_SUITE} is not installed")
    suite = Path(found.origin).parent
    yield from (f"--rootdir={suite}", f"--confcutdir={suite}", f"-c{os.devnull}")
    yield from (f"-p{name}" for name in _PLUGINS)
    yield from (f"-pno:{name}" for name in _WITHOUT)
    yield str(suite)
