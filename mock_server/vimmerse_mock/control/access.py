"""Who may use the control plane, however the mock is served."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from vimmerse_contracts.network import is_loopback, is_loopback_url
from vimmerse_contracts.vocabulary import CONTROL_HEADER
from vimmerse_mock.errors import ForeignOriginError, TokenMissingError
from vimmerse_mock.wsgi import resolved

if TYPE_CHECKING:
    import flask

_BEARER: Final = "Bearer "
_READS: Final = frozenset({"GET", "HEAD"})
_FROM_OUR_PAGE: Final = frozenset({"same-origin", "none"})
_BY_A_PROXY: Final = ("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip")
_ADVICE: Final = "send Authorization: Bearer TOKEN (VIMMERSE_ADMIN_TOKEN, --admin-token-file)"


def is_private(host: str, public_url: str = "") -> bool:
    """Whether nobody but this machine reaches a mock that listens at a host.

    An address that cannot be had is refused when it is bound.
    """
    try:
        address = resolved(host)
    except OSError:
        return True
    return is_loopback(address) and (not public_url or is_loopback_url(public_url))


def new_token() -> str:
    """Make up a token."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class Access:
    """The rule: with the `token`, anybody; without, if none was given, programs on this machine.

    Those come from the loopback to the loopback, and call it so. A web page that is open on this
    machine comes that way, too: the browser then sends its `Origin`, or `Sec-Fetch-Site`, or a name
    that was bound to the loopback's address as `Host`. So does whatever a proxy passes on. And what
    changes something needs a header that no form of a web page and no webhook can have.
    """

    token: str = field(repr=False)
    trusts_this_machine: bool

    @classmethod
    def by(cls, given: str) -> Access:
        """Use the token that was given; without one, one is made up."""
        return cls(given or new_token(), trusts_this_machine=not given)

    def require(self, request: flask.Request) -> None:
        """Refuse a request that has no access.

        Raises:
            TokenMissingError: the token is missing, or another.
            ForeignOriginError: no token was given, and the request may not be this machine's.
        """
        if self._has_token(request.headers.get("Authorization", "")):
            return
        if not self.trusts_this_machine or not is_loopback(request.environ["SERVER_NAME"]):
            raise TokenMissingError(f"the control plane needs its token: {_ADVICE}")
        _require_this_machine(request)
        _require_no_web_page(request)
        if request.method not in _READS and not request.headers.get(CONTROL_HEADER):
            raise ForeignOriginError(
                f"what changes something needs the header {CONTROL_HEADER}, with any value, such "
                f"as {CONTROL_HEADER}: 1; no web page's form and no webhook has it"
            )

    def _has_token(self, authorization: str) -> bool:
        given = authorization.removeprefix(_BEARER).encode()
        return authorization.startswith(_BEARER) and hmac.compare_digest(given, self.token.encode())


def _require_this_machine(request: flask.Request) -> None:
    """Decide by the peer, by the Host, and by what proxies say of themselves."""
    if not is_loopback(request.environ.get("REMOTE_ADDR", "")):
        raise ForeignOriginError(
            f"from another machine the control plane needs its token: {_ADVICE}"
        )
    if not is_loopback_url(f"//{request.headers.get('Host', '')}"):
        raise ForeignOriginError(
            "without --admin-token-file the control plane answers to 127.0.0.1 and localhost only, "
            "not to another Host"
        )
    names = (name.lower() for name, _ in request.headers)
    by_proxy = any(name in _BY_A_PROXY or name.startswith("x-forwarded-") for name in names)
    if by_proxy or request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        raise ForeignOriginError(f"through a proxy the control plane needs its token: {_ADVICE}")


def _require_no_web_page(request: flask.Request) -> None:
    host, origin = request.headers["Host"].lower(), request.headers.get("Origin")
    is_ours = origin is None or origin.lower() == f"http://{host}"
    if not is_ours or request.headers.get("Sec-Fetch-Site", "none") not in _FROM_OUR_PAGE:
        raise ForeignOriginError(
            "the control plane refuses requests from web pages of another origin"
        )
