"""A mock in a process of its own, or in several: what `vimmerse-mock serve` runs."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from vimmerse_contracts.vocabulary import CONTROL_ROOT, SAMPLE_API_KEY
from vimmerse_mock.control.access import is_private, new_token
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
from vimmerse_mock.serving.thread import listen
from vimmerse_mock.stores import Store, open_store
from vimmerse_mock.wsgi import resolved, url_of

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from vimmerse_mock.app import Mock

_STOPS: Final = (signal.SIGTERM, signal.SIGINT)
_LOOK_AGAIN_SECONDS: Final = 0.1
_STOP_SECONDS: Final = 20
_COLLECTIONS: Final = (50_000, 20, 50)
MEMORY: Final = "memory:"
_ANY_HOST: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - recognised, not bound to


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """What `serve` was asked for.

    `accounts` are opened and `snapshots` restored, unless the store has them already; the first of
    them is announced.
    """

    host: str = "127.0.0.1"
    port: int = 0
    store: str = field(default=MEMORY, repr=False)
    workers: int = 1
    accounts: tuple[Opening, ...] = (SAMPLE_ACCOUNT,)
    snapshots: tuple[Snapshot, ...] = ()
    prices: PriceList = field(default_factory=PriceList)
    limits: Limits = field(default_factory=Limits)
    keep: Keep = field(default_factory=Keep)
    journal: int = JOURNAL_LENGTH
    why: bool = True
    lenient_words: bool = False
    admin_token: str = field(default="", repr=False)
    has_new_token: bool = False
    webhook_allow: tuple[str, ...] = ()
    public_url: str = ""
    ready_file: Path | None = None
    video_cache: Path | None = None
    fetch_images: bool = False

    @property
    def is_lasting(self) -> bool:
        """Whether the store outlives a process, and can be shared by several."""
        return self.store != MEMORY

    @property
    def given_keys(self) -> frozenset[str]:
        """Keys that somebody chose and so knows, except for that of the samples."""
        given = [opening.api_key for opening in self.accounts]
        given += [snapshot.account.api_key for snapshot in self.snapshots]
        return frozenset(given) - {SAMPLE_API_KEY}

    @property
    def is_private(self) -> bool:
        """Whether nobody but this machine reaches it."""
        return is_private(self.host, self.public_url)


def serve(settings: ServeSettings) -> None:
    """Serve until SIGTERM or SIGINT; what is under way is answered first.

    Raises:
        ServeError: the address is taken, the store cannot be used, or an account contradicts it.

    Beyond the loopback, or behind a proxy, the control plane asks for a token, which is made up if
    none is given.
    """
    if not settings.admin_token and not settings.is_private:
        settings = replace(settings, admin_token=new_token(), has_new_token=True)
    _prepare(settings)
    try:
        listening = listen(settings.host, settings.port)
    except OSError as error:
        raise ServeError(
            f"cannot listen on {settings.host or repr(settings.host)}:{settings.port} "
            f"({error.strerror or error}): choose another --port (0 takes a free one) or --host"
        ) from error
    with listening:
        if settings.workers == 1:
            _work(settings, listening, os.getppid(), is_first=True)
        else:
            with TemporaryDirectory(prefix="vimmerse-") as folder:
                _supervise(replace(settings, video_cache=Path(folder)), listening)


def _work(
    settings: ServeSettings, listening: socket.socket, parent: int, *, is_first: bool
) -> None:
    """Wire a mock and serve it in this process; the first one says where it is."""
    from vimmerse_mock.app import MockApplication  # noqa: PLC0415 - only a worker needs Flask
    from vimmerse_mock.serving.front import Front, run_in_loop  # noqa: PLC0415 - as above

    mock = _wire(settings)
    accounts = _ensure_accounts(mock.accounts, settings)
    front = Front(MockApplication(mock), listening, settings.limits.request)

    def ready() -> None:
        for number in _STOPS:
            front.loop.add_signal_handler(number, front.stop)
        mock.dispatcher.start()
        if is_first:
            _announce(mock, settings, listening.getsockname()[1], accounts[0])

    gc.freeze()  # what is loaded by now stays, and what comes later is kept long or ends at once:
    gc.set_threshold(*_COLLECTIONS)  # to look through it all, as often as usual, holds everybody up
    front.goes_on = lambda: settings.workers == 1 or os.getppid() == parent
    try:
        run_in_loop(front, ready)
    finally:
        mock.close()


def _supervise(settings: ServeSettings, listening: socket.socket) -> None:
    """Keep so many workers at it; one that dies is replaced, until a signal."""
    forking = multiprocessing.get_context("fork")
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)

    def start(*, is_first: bool) -> BaseProcess:
        worker = forking.Process(
            target=_work_as_child,
            args=(settings, listening, os.getpid()),
            kwargs={"is_first": is_first},
        )
        worker.start()
        return worker

    workers = [start(is_first=number == 0) for number in range(settings.workers)]
    while signal.sigtimedwait(_STOPS, _LOOK_AGAIN_SECONDS) is None:
        workers = [each if each.is_alive() else start(is_first=False) for each in workers]
    for each in workers:
        each.terminate()
    for each in workers:
        each.join(_STOP_SECONDS)
        each.kill()


def _work_as_child(
    settings: ServeSettings, listening: socket.socket, parent: int, *, is_first: bool
) -> None:
    """Serve in a forked process; a signal that came meanwhile ends it here."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    _work(settings, listening, parent, is_first=is_first)


def _prepare(settings: ServeSettings) -> None:
    """Find out what is wrong before anything is started."""
    if settings.workers > 1 and not settings.is_lasting:
        raise ServeError(
            f"{settings.workers} workers cannot share a store in memory, each would have its "
            "own: use --store sqlite:///mock.db or postgresql://..., or one worker"
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


def _ensure_accounts(registry: AccountRegistry, settings: ServeSettings) -> list[AccountState]:
    try:
        accounts = [registry.ensure(opening) for opening in settings.accounts]
        return accounts + [registry.ensure_restored(each) for each in settings.snapshots]
    except DuplicateAccountError as error:
        raise ServeError(
            f"{error}: use the key and the customer id that it was created with"
        ) from error


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
        allowlist=Allowlist(settings.webhook_allow, local=settings.is_private),
        journal=settings.journal,
        why=settings.why,
        lenient_words=settings.lenient_words,
        admin_token=settings.admin_token,
        files_url=public + FILES_PATH if public else None,
        video_cache=settings.video_cache,
        fetch_images=settings.fetch_images,
    )


def _announce(mock: Mock, settings: ServeSettings, port: int, first: AccountState) -> None:
    """Say where the mock is, and with which account to begin."""
    host = "127.0.0.1" if settings.host in _ANY_HOST else resolved(settings.host)
    url, credits_left = url_of(host, port), mock.courier.store.balance(first.customer_id)
    is_secret = first.api_key in settings.given_keys
    key = "as you gave it" if is_secret else first.api_key
    lines = (
        f"Vimmerse mock at {url}\n"
        f"  X-Api-Key: {key}   customer: {first.customer_id}"
        f"   credits: {credits_left}   speed: {first.clock.rate:g}"
    )
    if settings.admin_token:
        token = settings.admin_token if settings.has_new_token else "as you gave it"
        lines += f"\n  control plane: {url}{CONTROL_ROOT}/   token: {token}"
    print(lines, flush=True)  # noqa: T201 - it is what the command prints
    if settings.ready_file is not None:
        partial_file = settings.ready_file.with_name(settings.ready_file.name + ".partial")
        partial_file.write_text(f"{url}\n")
        partial_file.replace(settings.ready_file)
