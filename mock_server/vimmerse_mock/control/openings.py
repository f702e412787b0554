"""How an account begins, from the control plane's words to the model's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from vimmerse_mock.control.resources import ClockSetting, OpenAccount
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.clock import ClockError, ClockMode, Span, in_seconds
from vimmerse_mock.model.scenarios import Scenario, scenario
from vimmerse_mock.model.spans import parse_span


def read_opening(body: OpenAccount) -> Opening:
    """Read how an account begins.

    Raises:
        SpanError: the clock's step is no span.
        ClockError: the clock's step is 0.
        UnknownScenarioError: no scenario has that name.
        ValueError: a scenario's details make no sense.
    """
    rate, step = read_clock(body.clock)
    return Opening(
        api_key=body.api_key,
        customer_id=body.customer_id,
        credits=body.credits,
        speed=rate,
        seed=body.seed,
        step=step,
        scenario=read_scenario(body.scenario),
    )


def write_opening(opening: Opening) -> OpenAccount:
    """Write how an account begins."""
    return OpenAccount(
        api_key=opening.api_key,
        customer_id=opening.customer_id,
        credits=opening.credits,
        clock=_written_clock(opening),
        seed=opening.seed,
        scenario=msgspec.to_builtins(opening.scenario),
    )


def _written_clock(opening: Opening) -> ClockSetting:
    if opening.speed:
        return ClockSetting(mode=ClockMode.LIVE, rate=opening.speed)
    if opening.step:
        return ClockSetting(mode=ClockMode.STEPPING, step=in_seconds(opening.step))
    return ClockSetting(mode=ClockMode.MANUAL)


def read_clock(setting: ClockSetting) -> tuple[float, Span]:
    """Read the rate and the step that a setting asks for.

    Raises:
        SpanError: the step is no span.
        ClockError: the step is 0.
    """
    match setting.mode:
        case ClockMode.LIVE:
            return setting.rate, 0
        case ClockMode.STEPPING:
            return 0.0, _checked_step(setting.step)
        case ClockMode.MANUAL:
            return 0.0, 0


def _checked_step(written: str | float) -> Span:
    step = parse_span(written)
    if not step:
        raise ClockError("the step of a clock that steps is longer than 0; 'manual' stands still")
    return step


def read_scenario(wanted: str | Mapping[str, Any]) -> Scenario:
    """Read a scenario: a preset's name, or its details.

    Raises:
        UnknownScenarioError: no preset has that name.
        ValueError: the details make no sense.
    """
    if isinstance(wanted, str):
        return scenario(wanted)
    return msgspec.convert(wanted, Scenario)
