"""The one route to the control plane, which is imported at its first use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import flask
from werkzeug.routing import Rule

from vimmerse_contracts.vocabulary import CONTROL_ROOT
from vimmerse_mock.control.access import Access
from vimmerse_mock.control.registry import AccountRegistry
from vimmerse_mock.service import BatchService

if TYPE_CHECKING:
    from vimmerse_mock.control.http import ControlApi


def rules() -> Iterator[Rule]:
    """Write the routes of everything at and below the control plane's root."""
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE")
    for path in (CONTROL_ROOT, f"{CONTROL_ROOT}/<path:_rest>"):
        yield Rule(path, endpoint="control", methods=methods, strict_slashes=False)


@dataclass(frozen=True)
class ControlRoute:
    """Hands requests for the control plane to it; a mock that serves none starts the sooner."""

    accounts: AccountRegistry
    service: BatchService
    access: Access

    def enter(self, _rest: str = "") -> flask.Response:
        """Answer a request that the application was sent."""
        return self.api.answer(flask.request)

    @cached_property
    def api(self) -> ControlApi:
        """The control plane, imported at its first use."""
        from vimmerse_mock.control.http import ControlApi  # noqa: PLC0415 - see the module's docstring
        from vimmerse_mock.control.plane import ControlPlane  # noqa: PLC0415 - as above

        return ControlApi(ControlPlane(self.accounts, self.service), self.access)
