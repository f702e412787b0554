"""A mock server in a thread of this process, with real sockets, for tests."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from vimmerse_mock.account.account import Account
from vimmerse_mock.app import Mock, MockApplication, create_mock
from vimmerse_mock.control.access import is_private
from vimmerse_mock.delivery import Allowlist, HttpSender
from vimmerse_mock.errors import ServeError
from vimmerse_mock.model.account import SAMPLE_ACCOUNT, Opening
from vimmerse_mock.receiving.in_process import InProcessSender
from vimmerse_mock.serving.thread import FrontThread


class MockServer:
    """A mock server on the loopback, on a free port by default.

    Use it as a context manager, or call `start` and `stop`. It starts with one account, by default
    that of the documentation's samples. `open_account` opens more, each isolated from the others.

    Beyond the loopback the control plane asks for `admin_token`, and webhooks go nowhere unless the
    mock's allowlist names their hosts.

    Raises:
        ServeError: beyond the loopback, the mock would call what is nearby.
    """

    def __init__(
        self,
        mock: Mock | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        opening: Opening = SAMPLE_ACCOUNT,
    ) -> None:
        is_ours_alone = is_private(host)
        allowlist = Allowlist(local=is_ours_alone)
        self.mock = mock or create_mock(
            sender=InProcessSender(HttpSender(allowlist=allowlist)), allowlist=allowlist
        )
        if self.mock.calls_nearby and not is_ours_alone:
            raise ServeError(
                f"others reach {host}, so the mock must not call what is near this machine: give "
                "create_mock an allowlist=Allowlist((...,), local=False) that names the receivers"
            )
        self._thread = FrontThread(MockApplication(self.mock), host, port, self.mock.limits.request)
        self._opening = opening
        self._account: Account | None = None

    @property
    def url(self) -> str:
        """The base URL.

        Raises:
            RuntimeError: the server is not running.
        """
        return self._thread.url

    @property
    def admin_token(self) -> str:
        """The token of the control plane; on the loopback nobody needs it who gave none."""
        return self.mock.admin_token

    @property
    def account(self) -> Account:
        """The account that the server started with.

        Raises:
            RuntimeError: the server was never started.
        """
        if self._account is None:
            raise RuntimeError("the server has not been started: it has no account yet")
        return self._account

    @property
    def in_process(self) -> InProcessSender | None:
        """What delivers webhooks within this process, for `Listener.open_inbox`, if it can."""
        sender = self.mock.courier.sender
        return sender if isinstance(sender, InProcessSender) else None

    def start(self) -> Self:
        """Start to answer. Starting twice is no error.

        Raises:
            DuplicateAccountError: the store has the key with another customer, or the reverse.
            OSError: the port is taken, or the host is not one of this machine.
        """
        self._thread.start()
        try:
            self._account = self._account or self._ensure_account()
        except Exception:
            self.stop()
            raise
        self.mock.dispatcher.start()
        return self

    def _ensure_account(self) -> Account:
        state = self.mock.accounts.ensure(self._opening)
        return self.mock.find_account(self.url, state.customer_id)

    def open_account(self, opening: Opening | None = None) -> Account:
        """Open an account on this server.

        Raises:
            DuplicateAccountError: its key or customer id is taken.
        """
        return self.mock.open_account(self.url, opening)

    def stop(self) -> None:
        """Finish the requests that are being answered, then stop. Stopping twice is no error."""
        self._thread.stop()
        self.mock.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
