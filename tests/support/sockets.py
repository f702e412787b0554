"""Servers of one connection, written by hand, and ports that stay free."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.parser import BytesParser
from threading import Thread


@contextmanager
def answering(work: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept one connection of the loopback, and do with it what is wanted; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                work(connection)

        thread = Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def read_request(connection: socket.socket) -> None:
    """Read a request to its end.

    Closed with anything unread, a connection is reset, and the client may never see the answer.
    """
    with connection.makefile("rb") as stream:
        head = b"".join(iter(stream.readline, b"\r\n"))
        headers = BytesParser().parsebytes(head.partition(b"\r\n")[2])
        stream.read(int(headers["Content-Length"]))


@contextmanager
def reserved_port() -> Iterator[int]:
    """Give a port of the loopback that nobody else is given until the block ends.

    It can be listened on by whoever sets SO_REUSEADDR, as servers do.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
