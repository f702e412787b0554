"""A mock in a process of its own, behind granian: what `vimmerse-mock serve` runs."""

from __future__ import annotations

import http.client
import multiprocessing
import os
import secrets
import signal
import socket
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.util import Finalize
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from vimmerse_contracts.network import is_loopback
from vimmerse_contracts.vocabulary import CONTROL_ROOT
from vimmerse_mock.control.registry import AccountRegistry
from vimmerse_mock.delivery import Allowlist, Courier, HttpSender
from vimmerse_mock.errors import (
    AllowlistError,
    DuplicateAccountError,
    ServeError,
    StoreRefusedError,
)
from vimmerse_mock.model.account import SAMPLE_ACCOUNT, AccountState, Opening
from vimmerse_mock.model.credits import PriceList
from vimmerse_mock.model.exchange import JOURNAL_LENGTH
from vimmerse_mock.model.limits import Keep, Limits
from vimmerse_mock.model.snapshot import Snapshot
from vimmerse_mock.stores import Store, open_store
from vimmerse_mock.wsgi import resolved, url_of

if TYPE_CHECKING:
    from multiprocessing.synchronize import Lock
    from wsgiref.types import WSGIApplication

    from vimmerse_mock.app import Mock

THREADS: Final = 4
"""How many requests a worker answers at once."""
_LOOK_AGAIN_SECONDS: Final = 0.005
_PARENT_SECONDS: Final = 0.5
_STOP_SECONDS: Final = 20
MEMORY: Final = "memory:"
_ANY_HOST: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - recognised, not bound to
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """What `serve` was asked for.

    `accounts` are opened and `snapshots` restored, unless the store has them already; the first of
    them is announced.
    """

    host: str = "127.0.0.1"
    port: int = 0
    store: str = MEMORY
    workers: int = 1
    accounts: tuple[Opening, ...] = (SAMPLE_ACCOUNT,)
    snapshots: tuple[Snapshot, ...] = ()
    prices: PriceList = field(default_factory=PriceList)
    limits: Limits = field(default_factory=Limits)
    keep: Keep = field(default_factory=Keep)
    journal: int = JOURNAL_LENGTH
    admin_token: str = field(default="", repr=False)
    webhook_allow: tuple[str, ...] = ()
    public_url: str = ""
    ready_file: Path | None = None

    @property
    def is_lasting(self) -> bool:
        """Whether the store outlives a process, and can be shared by several."""
        return self.store != MEMORY


def serve(settings: ServeSettings) -> None:
    """Serve until SIGTERM or SIGINT; what is under way is answered first.

    Raises:
        ServeError: the address is taken, the store cannot be used, or an account contradicts it.

    Beyond the loopback the control plane asks for a token, which is made up if none is given.
    """
    from granian import Granian  # noqa: PLC0415 - only who serves pays for it
    from granian.constants import Interfaces  # noqa: PLC0415 - as above

    if not settings.admin_token and not _is_private(settings.host):
        settings = replace(settings, admin_token=secrets.token_urlsafe(24))
    _prepare(settings)
    with _reserve(settings.host, settings.port) as reserved:
        host, port = reserved.getsockname()[:2]
        first = multiprocessing.Lock()
        os.register_at_fork(after_in_child=_stop_by_signal)
        Granian(
            "vimmerse_mock",
            address=host,
            port=port,
            interface=Interfaces.WSGI,
            workers=settings.workers,
            blocking_threads=THREADS,
            respawn_failed_workers=settings.is_lasting,
            workers_kill_timeout=_STOP_SECONDS,
            log_enabled=False,
        ).serve(target_loader=partial(_load, settings, port, first, os.getpid()), wrap_loader=False)


def _prepare(settings: ServeSettings) -> None:
    """Find out what is wrong before anything is started."""
    if settings.workers > 1 and not settings.is_lasting:
        raise ServeError(
            f"{settings.workers} workers cannot share a store in memory, each would answer for "
            "itself: use --store sqlite:///mock.db or postgresql://..., or one worker"
        )
    if settings.ready_file is not None and not settings.ready_file.parent.is_dir():
        raise ServeError(f"--ready-file: there is no folder {settings.ready_file.parent}")
    try:
        Allowlist(settings.webhook_allow)
    except AllowlistError as error:
        raise ServeError(f"--webhook-allow: {error}") from error
    if settings.is_lasting:
        store = _open(settings.store)
        _ensure_accounts(AccountRegistry(Courier(store, HttpSender(), store.real_time)), settings)
        store.close()


def _open(url: str) -> Store:
    try:
        return open_store(url)
    except StoreRefusedError as error:
        raise ServeError(str(error)) from error


def _is_private(host: str) -> bool:
    """Whether a host is the loopback; an address that cannot be had is refused later."""
    try:
        return is_loopback(resolved(host))
    except OSError:
        return True


def _ensure_accounts(registry: AccountRegistry, settings: ServeSettings) -> list[AccountState]:
    try:
        accounts = [registry.ensure(opening) for opening in settings.accounts]
        return accounts + [registry.ensure_restored(each) for each in settings.snapshots]
    except DuplicateAccountError as error:
        raise ServeError(f"{error}: use the key and the customer id it was made with") from error


def _reserve(host: str, port: int) -> socket.socket:
    """Bind the address without listening, so that the port is known and stays ours.

    granian's workers bind it once more, which SO_REUSEPORT allows. That would also let two mocks
    share a port unknowingly, so the port must first be had alone.
    """
    try:
        address = resolved(host)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as alone:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind((address, port))
            port = alone.getsockname()[1]
        shared = socket.socket(family)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind((address, port))
    except OSError as error:
        raise ServeError(
            f"cannot listen on {host or repr(host)}:{port} ({error.strerror or error}): "
            "choose another --port (0 takes a free one) or --host"
        ) from error
    return shared


def _load(settings: ServeSettings, port: int, first: Lock, parent: int) -> WSGIApplication:
    """Wire the mock in a worker process; the first of them announces it, once it answers."""
    url = _url(settings.host, port)
    mock = _wire(settings)
    accounts = _ensure_accounts(mock.accounts, settings)
    mock.dispatcher.start()
    Finalize(None, mock.close, exitpriority=10)
    announced = _announcement(mock, settings, url, accounts[0])
    watched = (settings, url, announced if first.acquire(block=False) else "", parent)
    Thread(target=_watch, args=watched, name="vimmerse-watch", daemon=True).start()
    return mock.app


def _stop_by_signal() -> None:
    """Make SIGTERM and SIGINT end a worker that does not answer yet.

    A forked one has the parent's handlers, which would not; granian sets its own only later.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def _wire(settings: ServeSettings) -> Mock:
    """Wire the mock; only a worker has to have Flask in its memory."""
    from vimmerse_mock.app import create_mock  # noqa: PLC0415 - see above
    from vimmerse_mock.web.render import FILES_PATH  # noqa: PLC0415 - see above

    public = settings.public_url.rstrip("/")
    return create_mock(
        store=_open(settings.store),
        prices=settings.prices,
        limits=settings.limits,
        keep=settings.keep,
        allowlist=Allowlist(settings.webhook_allow, local=_is_private(settings.host)),
        journal=settings.journal,
        admin_token=settings.admin_token,
        files_url=public + FILES_PATH if public else None,
    )


def _announcement(mock: Mock, settings: ServeSettings, url: str, first: AccountState) -> str:
    """Say where the mock is, and with which account to begin."""
    credits_left, speed = mock.courier.store.balance(first.customer_id), first.clock.rate
    text = (
        f"Vimmerse mock at {url}\n"
        f"  X-Api-Key: {first.api_key}   customer: {first.customer_id}"
        f"   credits: {credits_left}   speed: {speed:g}"
    )
    if settings.admin_token:
        text += f"\n  control plane: {url}{CONTROL_ROOT}/   token: {settings.admin_token}"
    return text


def _watch(settings: ServeSettings, url: str, announcement: str, parent: int) -> None:
    """Announce the mock, and do not outlive the parent, should it be killed."""
    if announcement:
        _announce(settings, url, announcement)
    Event().wait(_PARENT_SECONDS)  # granian loses a signal that comes while it starts a worker
    while os.getppid() == parent:
        Event().wait(_PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    Event().wait(_STOP_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)  # should it have been lost all the same


def _url(host: str, port: int) -> str:
    return url_of("127.0.0.1" if host in _ANY_HOST else resolved(host), port)


def _announce(settings: ServeSettings, url: str, announcement: str) -> None:
    """Say where the mock is, once it answers there."""
    while not _answers(url):
        Event().wait(_LOOK_AGAIN_SECONDS)
    print(announcement, flush=True)  # noqa: T201 - it is what the command prints
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
