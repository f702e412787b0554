"""The options of the plugin."""

from __future__ import annotations

import pytest


def add_options(parser: pytest.Parser) -> None:
    """Add the options that point, limit and record the contract suite."""
    group = parser.getgroup("vimmerse", "Vimmerse batch API")
    group.addoption(
        "--vimmerse-target",
        default="mock",
        metavar="mock|intercept|real|URL",
        help="what the contract suite is run against: a mock in a thread, in process, the real "
        "service, or a URL",
    )
    group.addoption(
        "--vimmerse-key",
        default=None,
        metavar="KEY",
        help="API key for a URL (default: VIMMERSE_API_KEY, or the samples' YOUR_API_KEY)",
    )
    group.addoption(
        "--vimmerse-other-key",
        default=None,
        metavar="KEY",
        help="API key of a second customer of a URL; without it some tests are skipped",
    )
    group.addoption(
        "--vimmerse-broke-key",
        default=None,
        metavar="KEY",
        help="API key of a customer of a URL who can pay for one cheapest batch (1 s of one image)",
    )
    group.addoption(
        "--vimmerse-evidence",
        default=None,
        metavar="FILE",
        help="write the contract suite's exchanges and verdicts to this file, without secrets",
    )
    _add_spending_options(group)
    _add_waiting_options(group)


def _add_spending_options(group: pytest.OptionGroup) -> None:
    group.addoption(
        "--vimmerse-max-credits",
        type=_natural,
        default=None,
        metavar="N",
        help="what a run may spend at most; nothing runs without it against anything but the mock",
    )
    group.addoption(
        "--vimmerse-price",
        action="append",
        default=[],
        metavar="MOTION_TYPE=CREDITS",
        help="credits for a second of video, or compose=CREDITS for a composition; repeatable",
    )
    group.addoption(
        "--vimmerse-prices",
        default=None,
        metavar="FILE",
        help='a price list: JSON like {"Auto": 1, "concat": 0}',
    )


def _add_waiting_options(group: pytest.OptionGroup) -> None:
    group.addoption(
        "--vimmerse-poll",
        type=float,
        default=None,
        metavar="SECONDS",
        help="how often a batch behind a URL is read (default: 30; the mock: 0.2)",
    )
    group.addoption(
        "--vimmerse-patience",
        type=float,
        default=1800.0,
        metavar="SECONDS",
        help="how long a batch behind a URL may take (default: 1800)",
    )
    group.addoption(
        "--vimmerse-webhook-relay",
        default=None,
        metavar="URL",
        help="a public URL that forwards to our listener, whatever path follows it",
    )
    group.addoption(
        "--vimmerse-webhook-port",
        type=int,
        default=0,
        metavar="PORT",
        help="port of the listener for webhooks, for a relay to forward to (default: a free one)",
    )


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(f"{text} is negative")
    return number
