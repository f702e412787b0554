"""`GET /health`."""

from __future__ import annotations

from vimmerse_contracts.checks import check_json, check_status
from vimmerse_contracts.suite.api import Api
from vimmerse_contracts.suite.target import Target


def test_health_asks_for_no_key(vimmerse_target: Target) -> None:
    """The service says that it is up to whoever asks (health.no_key)."""
    with Api(vimmerse_target, None) as anonymous:
        check_status(anonymous.health(), 200)


def test_health_says_ok(contract_api: Api) -> None:
    """The service says in JSON that it is up (health.body)."""
    assert check_json(contract_api.health()) == {"status": "ok"}
