"""How an account begins, from the control plane's words to the model's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from vimmerse_mock.control.resources import ChangeWebhooks, ClockSetting, OpenAccount
from vimmerse_mock.model import scenarios
from vimmerse_mock.model.account import Opening
from vimmerse_mock.model.clock import ClockError, ClockMode, Span, in_seconds
from vimmerse_mock.model.delivery_plans import parse_plan
from vimmerse_mock.model.scenarios import Scenario
from vimmerse_mock.model.spans import parse_span
from vimmerse_mock.model.webhooks import WebhookSettings


def read_opening(body: OpenAccount) -> Opening:
    """Read how an account begins.

    Raises:
        SpanError: the clock's step is no span.
        ClockError: the clock's step is 0.
        UnknownScenarioError: no scenario has that name.
        ScenarioError: a scenario's details make no sense.
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


def read_webhook_settings(body: ChangeWebhooks, present: WebhookSettings) -> WebhookSettings:
    """Read how webhooks are to be delivered; what is not given stays as it is.

    Raises:
        PlanError: a plan makes no sense.
        SpanError: a delay is no span.
        WebhookSettingsError: there are too many retries or secrets, or one is no secret.
    """
    changed: dict[str, Any] = {}
    if body.plan is not msgspec.UNSET:
        changed["plan"] = None if body.plan is None else parse_plan(body.plan)
    if body.next_plans is not msgspec.UNSET:
        changed["next_plans"] = tuple(map(parse_plan, body.next_plans))
    if body.retry_after is not msgspec.UNSET:
        changed["retry_delays"] = tuple(map(parse_span, body.retry_after))
    if body.secrets is not msgspec.UNSET:
        changed["secrets"] = body.secrets
    return replace(present, **changed)


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
        ScenarioError: the details make no sense.
    """
    return scenarios.read_scenario(wanted)
