"""Who may use the control plane: whoever has its token, or this machine's programs."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import flask

from vimmerse_mock.addresses import is_loopback
from vimmerse_mock.marks import IN_PROCESS

_BEARER = "Bearer "


class TokenMissingError(Exception):
    """The control plane asks for its token."""


class StrangerError(Exception):
    """The request came by way of a web page, or by another name than the loopback's."""


@dataclass(frozen=True, slots=True)
class Access:
    """The rule: with a `token`, whoever sends it; without, loopback only.

    A web page that is open on this machine reaches the loopback too. The browser then tells its
    `Origin`, and, if a name was bound to the loopback's address to get here, that name as `Host`.
    """

    token: str = field(default="", repr=False)

    def require(self, request: flask.Request) -> None:
        """Let a request pass, or raise.

        Raises:
            TokenMissingError: the token is missing, or another.
            StrangerError: Host or Origin are not the loopback's.
        """
        if request.environ.get(IN_PROCESS) is True:
            return
        if self.token:
            self._require_token(request.headers.get("Authorization", ""))
            return
        if not _names_loopback(f"//{request.headers.get('Host', '')}"):
            raise StrangerError(
                "without --admin-token the control plane answers to 127.0.0.1 and localhost only, "
                "not to another Host"
            )
        origin = request.headers.get("Origin")
        if origin is not None and not _names_loopback(origin):
            raise StrangerError("the control plane does not answer to web pages of other origins")

    def _require_token(self, authorization: str) -> None:
        given = authorization.removeprefix(_BEARER).encode()
        if not authorization.startswith(_BEARER) or not hmac.compare_digest(
            given, self.token.encode()
        ):
            raise TokenMissingError(
                "the control plane asks for its token: send Authorization: Bearer TOKEN "
                "(--admin-token, VIMMERSE_ADMIN_TOKEN)"
            )


def _names_loopback(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
