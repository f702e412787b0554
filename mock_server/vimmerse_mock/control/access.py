"""Who may use the control plane, and the one route to it; it is imported at its first use."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import flask
from werkzeug.routing import Rule

from vimmerse_contracts.network import is_loopback_url
from vimmerse_contracts.vocabulary import CONTROL_ROOT
from vimmerse_mock.control.registry import AccountRegistry
from vimmerse_mock.errors import ForeignOriginError, TokenMissingError
from vimmerse_mock.service import BatchService

if TYPE_CHECKING:
    from vimmerse_mock.control.http import ControlApi


_BEARER = "Bearer "


@dataclass(frozen=True, slots=True)
class Access:
    """The rule: with a `token`, whoever sends it; without, loopback only.

    A web page that is open on this machine reaches the loopback too. The browser then tells its
    `Origin`, and, if a name was bound to the loopback's address to get here, that name as `Host`.
    """

    token: str = field(default="", repr=False)

    def require(self, request: flask.Request) -> None:
        """Refuse a request that has no access.

        Raises:
            TokenMissingError: the token is missing, or another.
            ForeignOriginError: Host or Origin are not the loopback's.
        """
        if self.token:
            self._require_token(request.headers.get("Authorization", ""))
            return
        if not is_loopback_url(f"//{request.headers.get('Host', '')}"):
            raise ForeignOriginError(
                "without --admin-token the control plane answers to 127.0.0.1 and localhost only, "
                "not to another Host"
            )
        origin = request.headers.get("Origin")
        if origin is not None and not is_loopback_url(origin):
            raise ForeignOriginError(
                "the control plane refuses requests from web pages of another origin"
            )

    def _require_token(self, authorization: str) -> None:
        given = authorization.removeprefix(_BEARER).encode()
        if not authorization.startswith(_BEARER) or not hmac.compare_digest(
            given, self.token.encode()
        ):
            raise TokenMissingError(
                "the control plane needs its token: send Authorization: Bearer TOKEN "
                "(--admin-token, VIMMERSE_ADMIN_TOKEN)"
            )


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
