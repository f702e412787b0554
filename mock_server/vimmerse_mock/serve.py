"""A mock in a process of its own, behind granian: what `vimmerse-mock serve` runs."""

from __future__ import annotations

import http.client
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.util import Finalize
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from vimmerse_mock.account import Opening
from vimmerse_mock.app import SAMPLE_ACCOUNT, Limits, Mock, create_mock
from vimmerse_mock.model.ledger import PriceList
from vimmerse_mock.web.render import FILES_PATH

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

_THREADS: Final = 4
_LOOK_AGAIN_SECONDS: Final = 0.005
_ANY_HOST: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - recognised, not bound to
_OK: Final = 200


class AddressError(Exception):
    """The address cannot be listened on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """What `serve` was asked for. The first account is the one that is announced."""

    host: str = "127.0.0.1"
    port: int = 0
    accounts: tuple[Opening, ...] = (SAMPLE_ACCOUNT,)
    scenario: str = "success"
    prices: PriceList = field(default_factory=PriceList)
    limits: Limits = field(default_factory=Limits)
    public_url: str = ""
    ready_file: Path | None = None


def serve(settings: ServeSettings) -> None:
    """Serve until SIGTERM or SIGINT; what is under way is answered first.

    Raises:
        AddressError: the address is taken, or not this machine's.
    """
    from granian import Granian  # noqa: PLC0415 - only who serves pays for it
    from granian.constants import Interfaces  # noqa: PLC0415 - as above

    with _reserve(settings.host, settings.port) as reserved:
        port = reserved.getsockname()[1]
        Granian(
            "vimmerse_mock",
            address=settings.host,
            port=port,
            interface=Interfaces.WSGI,
            blocking_threads=_THREADS,
            log_enabled=False,
        ).serve(target_loader=partial(_load, settings, port), wrap_loader=False)


def _reserve(host: str, port: int) -> socket.socket:
    """Bind the address without listening, so that the port is known and stays ours.

    granian's workers bind it once more, which SO_REUSEPORT allows. That would also let two mocks
    share a port unknowingly, so the port must first be had alone.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as alone:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind((host, port))
            port = alone.getsockname()[1]
        shared = socket.socket(family)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind((host, port))
    except OSError as error:
        raise AddressError(
            f"cannot listen on {host}:{port} ({error.strerror or error}): "
            "choose another --port (0 takes a free one) or --host"
        ) from error
    return shared


def _load(settings: ServeSettings, port: int) -> WSGIApplication:
    """Wire the mock in the worker process, and announce it once it answers."""
    url = _url(settings.host, port)
    public = settings.public_url.rstrip("/")
    mock = create_mock(
        prices=settings.prices,
        limits=settings.limits,
        files_url=public + FILES_PATH if public else None,
    )
    _open_accounts(mock, settings, public or url)
    mock.dispatcher.start()
    Finalize(None, mock.close, exitpriority=10)
    _in_background(lambda: _announce(settings, url))
    return mock.app


def _open_accounts(mock: Mock, settings: ServeSettings, url: str) -> None:
    for opening in settings.accounts:
        mock.open_account(url, opening).use_scenario(settings.scenario)


def _url(host: str, port: int) -> str:
    reachable = "127.0.0.1" if host in _ANY_HOST else host
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _in_background(work: Callable[[], None]) -> None:
    Thread(target=work, name="vimmerse-announcer", daemon=True).start()


def _announce(settings: ServeSettings, url: str) -> None:
    """Say where the mock is, once it answers there."""
    while not _answers(url):
        Event().wait(_LOOK_AGAIN_SECONDS)
    first = settings.accounts[0]
    print(  # noqa: T201 - the announcement is what the command prints
        f"Vimmerse mock at {url}\n"
        f"  X-Api-Key: {first.api_key}   customer: {first.customer_id}"
        f"   credits: {first.credits}   speed: {first.speed:g}",
        flush=True,
    )
    sys.stdout.flush()
    if settings.ready_file is not None:
        partial_file = settings.ready_file.with_name(settings.ready_file.name + ".partial")
        partial_file.write_text(f"{url}\n")
        partial_file.replace(settings.ready_file)


def _answers(url: str) -> bool:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == _OK
    except OSError:
        return False
    finally:
        connection.close()
