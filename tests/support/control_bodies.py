"""A sound body for each operation of the control plane that takes one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BODIES: Mapping[str, Any] = {
    "open_account": {"credits": 5, "clock": "stepping", "step": "2s"},
    "change_account": {"scenario": {"fail_medias": [0]}, "requests_per_minute": 1_000},
    "add_scenarios": {"scenarios": ["slow", {"name": "stuck", "message": "No."}]},
    "add_delivery_plans": {"plans": ["500, ok"]},
    "change_webhook_settings": {"plan": None, "retry_after": ["1s", 2], "secrets": []},
    "pay_in": {"amount": 5},
    "set_clock": {"mode": "live", "speed": 2.5},
    "advance": {"by": "90s"},
    "move_to": {"to": "2999-01-01T00:00:00Z"},
    "plan_fault": {"kind": "status", "status": 503, "headers": {"Retry-After": "1"}, "nth": 9},
}
