"""Calling the control plane: over HTTP, or in process; what it refuses is raised as what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlencode

import msgspec

from vimmerse_contracts.network import is_loopback_url
from vimmerse_contracts.secrecy import Secrets, without_credentials
from vimmerse_contracts.vocabulary import CONTROL_HEADER
from vimmerse_mock.control.messages import ENCODER, Refusal
from vimmerse_mock.control.operations import Listed, Operation
from vimmerse_mock.errors import (
    ControlError,
    MockError,
)

if TYPE_CHECKING:
    from requests import PreparedRequest

    from vimmerse_mock.control.route import ControlRoute

Takes = TypeVar("Takes")
Gives = TypeVar("Gives")
Listing = TypeVar("Listing", bound=Listed)
_SECONDS: Final = 600
"""Advancing delivers webhooks, of which each receiver may take its ten seconds."""
_ERROR: Final = 400


def _refusals(kind: type[MockError] = MockError) -> Iterator[tuple[str, type[MockError]]]:
    for each in kind.__subclasses__():
        yield each.__name__, each
        yield from _refusals(each)


REFUSALS: Final[Mapping[str, type[MockError]]] = MappingProxyType(dict(_refusals()))
"""What the control plane's word for a refusal is raised as."""


class Caller(Protocol):
    """A way to the control plane."""

    def send(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Send a request, and return status and body."""

    def close(self) -> None:
        """Close the connections."""


class ControlClient:
    """The control plane's operations, called by one way or another."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    def call(
        self,
        operation: Operation[Takes, Gives],
        body: Takes | None = None,
        *,
        query: Mapping[str, str] = MappingProxyType({}),
        **path: str,
    ) -> Gives:
        """Call an operation and read its answer.

        Raises:
            ControlError: it was refused, or not reached; refusals that have a class of their own
                (`REFUSALS`) are raised as that.
        """
        where = operation.path.format(**{name: quote(part, "") for name, part in path.items()})
        asked = f"?{urlencode(query)}" if query else ""
        sent = b"" if body is None else ENCODER.encode(body)
        status, said = self._caller.send(operation.method, where + asked, sent)
        if status >= _ERROR:
            raise _refusal(operation, status, said)
        return msgspec.json.decode(said or b"null", type=operation.gives)

    def pages(self, operation: Operation[Any, Listing], **path: str) -> Iterator[Listing]:
        """Call an operation that lists something for one page after another.

        Raises:
            ControlError: as `call` does.
        """
        query: Mapping[str, str] = {}
        while True:
            page = self.call(operation, query=query, **path)
            yield page
            if not page.next:
                return
            query = {"after": page.next}


def _refusal(operation: Operation[Any, Any], status: int, said: bytes) -> Exception:
    try:
        refusal = msgspec.json.decode(said, type=Refusal)
    except msgspec.MsgspecError:
        text = said[:200].decode(errors="replace")
        return ControlError(f"{operation.id}: HTTP {status}, which is no mock's answer: {text!r}")
    return REFUSALS.get(refusal.error, ControlError)(refusal.message)


class _Token:
    """Sends the token. An object, so that no traceback shows the token among a frame's locals."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Put it into a request, as an authentication of `requests`."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class HttpCaller:
    """Calls the control plane of a mock that runs elsewhere.

    `base_url` is where the mock is; loopback is never reached through a proxy.
    """

    def __init__(self, base_url: str, token: str = "") -> None:
        import requests  # noqa: PLC0415 - only who calls over HTTP pays for it

        self._base_url = base_url.rstrip("/")
        self._token = _Token(token) if token else None
        self._secrets = Secrets([token])
        self._session = requests.Session()
        self._session.trust_env = not is_loopback_url(base_url)
        self._session.headers.update({"Content-Type": "application/json", CONTROL_HEADER: "1"})
        self._failures = (requests.RequestException, ValueError)

    def __repr__(self) -> str:
        return f"HttpCaller({without_credentials(self._base_url)!r})"

    def send(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Send a request."""
        try:
            answer = self._session.request(
                method,
                self._base_url + path,
                data=body,
                auth=self._token,
                timeout=_SECONDS,
                allow_redirects=False,
            )
        except self._failures as error:
            reason = type(error).__name__
        else:
            status, said = answer.status_code, answer.content
            return status, said if status < _ERROR else self._without_token(said)
        # Raised out here: the frames of http.client, which would come along, hold the token.
        raise ControlError(
            f"no control plane at {without_credentials(self._base_url)} ({reason}): start a mock "
            "there, or correct the address (VIMMERSE_ADMIN_URL)"
        )

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _without_token(self, said: bytes) -> bytes:
        """Hide the token in what a server says: some echo what they were sent."""
        return self._secrets.hide(said.decode(errors="replace")).encode()


class InProcessCaller:
    """Calls the control plane of a mock in this process, without a socket; it needs no access."""

    def __init__(self, route: ControlRoute) -> None:
        self._route = route

    def send(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Call the control plane."""
        path, _, query = path.partition("?")
        return self._route.api.carry_out(method, unquote(path), dict(parse_qsl(query)), body)

    def close(self) -> None:
        """Do nothing: there is no connection."""
