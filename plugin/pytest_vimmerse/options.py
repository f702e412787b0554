"""The settings of a run of the contract suite: options of pytest and of `vimmerse-mock check`.

A setting `name` is `--vimmerse-name` for pytest, `--name` for the command.
"""

from __future__ import annotations

import math
import os
from argparse import ArgumentTypeError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pytest

WITHOUT_ASSERTIONS: Final = (
    "Python leaves out assertions (PYTHONOPTIMIZE, or -O), so the contract suite would find "
    "nothing: unset PYTHONOPTIMIZE, and run it again"
)


@dataclass(frozen=True, slots=True)
class Number:
    """Numbers from 0 on; `most` is in the range, too."""

    kind: type[int | float]
    most: float = math.inf

    def __call__(self, text: str) -> float:
        """Read one.

        Raises:
            ArgumentTypeError: it is none, or not in the range.
        """
        try:
            number = self.kind(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is not a number") from None
        if not 0 <= number <= self.most:
            raise ArgumentTypeError(f"{text} is not in the range from 0 to {self.most}")
        return number


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; `variable` is the environment variable that it is taken from if not given."""

    name: str
    metavar: str
    help: str
    default: str | float | None = None
    number: Number | None = None
    repeatable: bool = False
    variable: str = ""


_CREDITS: Final = Number(int, most=10**15)
_SECONDS: Final = Number(float)

SETTINGS: Final = (
    Setting(
        "target",
        "mock|intercept|real|URL",
        "what to run the contract suite against: a mock in a thread (mock), a mock without a "
        "socket (intercept), the real service, or a URL",
        default="mock",
    ),
    Setting(
        "key",
        "KEY",
        "API key for a URL; YOUR_API_KEY by default",
        variable="VIMMERSE_API_KEY",
    ),
    Setting(
        "other-key",
        "KEY",
        "API key of a second customer, for a URL; without it some tests are skipped",
        variable="VIMMERSE_OTHER_API_KEY",
    ),
    Setting(
        "broke-key",
        "KEY",
        "API key, for a URL, of a customer who can pay for one batch of one second and no more",
        variable="VIMMERSE_BROKE_API_KEY",
    ),
    Setting(
        "read-only-key",
        "KEY",
        "API key, for a URL, that may only read; without it some tests are skipped",
        variable="VIMMERSE_READ_ONLY_API_KEY",
    ),
    Setting(
        "max-credits",
        "N",
        "the most credits that a run may spend; required for everything but the mock",
        number=_CREDITS,
        variable="VIMMERSE_MAX_CREDITS",
    ),
    Setting(
        "price",
        "MOTION_TYPE=CREDITS",
        "credits for one second of video of a motion type, or concat=CREDITS; repeatable",
        repeatable=True,
    ),
    Setting("prices", "FILE", 'price list in JSON, such as {"Auto": 1, "concat": 0}'),
    Setting(
        "poll",
        "SECONDS",
        "pause between two reads of a batch, for a URL (default: 30; this mock: 0.2)",
        number=_SECONDS,
    ),
    Setting(
        "patience",
        "SECONDS",
        "how long to wait for a batch, for a URL",
        default=1800.0,
        number=_SECONDS,
    ),
    Setting(
        "webhook-relay",
        "URL",
        "public URL that forwards to the suite's listener and keeps the path",
    ),
    Setting(
        "webhook-port",
        "PORT",
        "port of the suite's listener for webhooks; 0 takes a free one",
        default=0,
        number=Number(int, most=65535),
    ),
    Setting(
        "evidence",
        "FILE",
        "record requests, answers and verdicts in this file, without secrets",
    ),
)
_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


def add_options(parser: pytest.Parser) -> None:
    """Add the options that point, limit and record the contract suite."""
    group = parser.getgroup("vimmerse", "Vimmerse batch API")
    for setting in SETTINGS:
        if setting.repeatable:
            how: dict[str, Any] = {"action": "append", "default": []}
        else:
            how = {"type": setting.number or str, "default": None}
        group.addoption(
            f"--vimmerse-{setting.name}", metavar=setting.metavar, help=_help(setting), **how
        )


def _help(setting: Setting) -> str:
    notes = [f"default: {setting.default}"] if setting.default is not None else []
    notes += [f"else {setting.variable}"] if setting.variable else []
    return f"{setting.help} ({', '.join(notes)})" if notes else setting.help


def setting_of(config: pytest.Config, name: str) -> Any:  # noqa: ANN401 - as the setting says
    """Return a setting of a run: the option's, else the environment's, else the default.

    Raises:
        ArgumentTypeError: the environment variable has no such number.
    """
    setting = _BY_NAME[name]
    given = config.getoption(f"--vimmerse-{name}")
    if given is not None:
        return given
    text = os.environ.get(setting.variable) if setting.variable else None
    if not text:
        return setting.default
    return setting.number(text) if setting.number else text
