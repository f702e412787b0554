"""A deadline for a whole request.

The timeouts of `requests` are for each read, so an answer that drips would never end. Here every
read and every piece that is sent gets the time that is left until the deadline.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Any, Final

from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool
    from urllib3.poolmanager import PoolManager

SLOWEST_BYTES_PER_SECOND: Final = 16 * 1024
"""A transfer that is slower than this on the whole has no right to go on."""

_SLICE_BYTES: Final = 64 * 1024


class Deadline:
    """The instant until which a request must be done.

    `now` gives monotonic seconds. `nothing_sent` is True as long as it is certain that no byte of
    the request has left.
    """

    def __init__(self, now: Callable[[], float], seconds: float) -> None:
        self._now = now
        self._end = now() + seconds
        self.nothing_sent = False

    def left(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: there are none.
        """
        left = self._end - self._now()
        if left <= 0:
            raise TimeoutError("the deadline of the request passed")
        return left

    def extend(self, size: int) -> None:
        """Move the deadline by the time that so many bytes may take."""
        self._end += size / SLOWEST_BYTES_PER_SECOND

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Make it the deadline of what a `DeadlineAdapter` sends and receives in this context."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)


_CURRENT: Final[ContextVar[Deadline | None]] = ContextVar("deadline", default=None)


class DeadlineAdapter(HTTPAdapter):
    """An adapter whose connections keep the deadline that is applied."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as requests has them
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        _keep_deadlines(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as requests has them
        """Return the pools of connections through a proxy."""
        manager = super().proxy_manager_for(*args, **kwargs)
        _keep_deadlines(manager)
        return manager

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as requests has them
        """Prepare a connection: from here on this adapter knows whether anything is sent."""
        if deadline := _CURRENT.get():
            deadline.nothing_sent = True
        super().cert_verify(*args, **kwargs)  # type: ignore[no-untyped-call] # requests' own


def _keep_deadlines(manager: PoolManager) -> None:
    pools: dict[str, type[HTTPConnectionPool]] = manager.pool_classes_by_scheme
    if all(issubclass(pool.ConnectionCls, _Connection) for pool in pools.values()):
        return
    manager.pool_classes_by_scheme = {
        scheme: type(pool.__name__, (pool,), {"ConnectionCls": _keeping(pool.ConnectionCls)})
        for scheme, pool in pools.items()
    }


def _keeping(connection: type[Any]) -> type[Any]:
    return type(connection.__name__, (_Connection, connection), {})


class _Connection:
    """Goes before a connection class of urllib3, whichever it is: HTTP, HTTPS or SOCKS."""

    if TYPE_CHECKING:
        sock: socket.socket | None

    _is_connecting = False

    def connect(self) -> None:
        # Connecting sends as well: to a proxy, in `CONNECT`. That is nothing of the request.
        self._is_connecting = True
        try:
            super().connect()  # type: ignore[misc] # of the class behind this one
        finally:
            self._is_connecting = False

    def send(self, data: bytes) -> None:
        deadline = _CURRENT.get()
        if deadline is None:
            super().send(data)  # type: ignore[misc] # as above
            return
        if self.sock is None:
            self.connect()
        if not self._is_connecting:
            deadline.nothing_sent = False
        content = memoryview(data)
        for start in range(0, len(content), _SLICE_BYTES):
            if self.sock is not None:
                self.sock.settimeout(deadline.left())
            super().send(content[start : start + _SLICE_BYTES])  # type: ignore[misc] # as above

    @staticmethod
    def response_class(sock: socket.socket, *args: Any, **kwargs: Any) -> HTTPResponse:  # noqa: ANN401 - as http.client has them
        response = HTTPResponse(sock, *args, **kwargs)
        if deadline := _CURRENT.get():
            response.fp = BufferedReader(_Reader(response.fp.detach(), sock, deadline))
        return response


class _Reader(RawIOBase):
    """Reads from a socket, with the time that is left as the timeout of each read."""

    def __init__(self, raw: RawIOBase, sock: socket.socket, deadline: Deadline) -> None:
        self._raw, self._sock, self._deadline = raw, sock, deadline
        self._longest = sock.gettimeout() or float("inf")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - any writable buffer
        self._sock.settimeout(min(self._longest, self._deadline.left()))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
