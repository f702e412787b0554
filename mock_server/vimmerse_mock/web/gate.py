"""The gate of the control plane: one route; what is behind it is imported at its first use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import flask

from vimmerse_contracts.vocabulary import CONTROL_ROOT
from vimmerse_mock.administration import Administration
from vimmerse_mock.service import BatchService
from vimmerse_mock.web.access import Access

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from vimmerse_mock.web.admin import ControlPlane

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Gate:
    """Hands requests for the control plane to it; a mock that serves none starts the sooner."""

    administration: Administration
    service: BatchService
    access: Access

    def register(self, app: flask.Flask) -> None:
        """Add the route of everything below the control plane's root."""
        for number, path in enumerate((CONTROL_ROOT, f"{CONTROL_ROOT}/<path:_rest>")):
            app.add_url_rule(
                path,
                f"control.{number}",
                self._enter,
                methods=_METHODS,
                strict_slashes=False,
                provide_automatic_options=False,
            )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as a WSGI application of its own, for callers in this process."""
        answer = self._plane.answer(flask.Request(environ))
        return answer(environ, start_response)

    def _enter(self, _rest: str = "") -> flask.Response:
        return self._plane.answer(flask.request)

    @cached_property
    def _plane(self) -> ControlPlane:
        from vimmerse_mock.web.admin import ControlPlane  # noqa: PLC0415 - see the module's docstring

        return ControlPlane(self.administration, self.service, self.access)
