"""What the `vimmerse` fixture hands to a test: one account, and everything around it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from vimmerse_mock import Account, Inbox, Listener, Opening

if TYPE_CHECKING:
    from vimmerse_client import Client
    from vimmerse_mock import MockServer, RemoteMock


class Vimmerse(Account):
    """A fresh, isolated account for one test, with a client and an inbox for webhooks.

    Its clock stands still until the test moves it; the client's own waiting moves it too, so that
    `client.wait(...)` takes milliseconds.
    """

    def __init__(self, server: MockServer | RemoteMock, listener: Listener) -> None:
        account = server.open_account(Opening(clock="manual"))
        super().__init__(account.control, account.url, account.info)
        self._sender = server.in_process
        self._listener = listener

    def __repr__(self) -> str:
        return f"<Vimmerse {self.customer_id} at {self.url}>"

    @cached_property
    def client(self) -> Client:
        """The reference client of this account."""
        from vimmerse_client import Client  # noqa: PLC0415 - a test may bring a client of its own

        return Client(
            self.key,
            self.url,
            sleep=self.clock.advance,
            now=lambda: self.clock.now().timestamp(),
        )

    @cached_property
    def webhooks(self) -> Inbox:
        """A real listener: `webhooks.url` to hand out, `webhooks.expect(...)` to see what came.

        Expecting moves the account's clock.
        """
        return self._listener.open_inbox(self, self._sender)

    def close(self) -> None:
        """Remove the account, and forget its webhooks.

        Raises:
            Exception: what a receiver of `webhooks.deliver_to` raised, if nothing did before.
        """
        super().close()
        if "client" in self.__dict__:
            self.client.close()
        if "webhooks" in self.__dict__:
            self._listener.close_inbox(self.webhooks)
            self.webhooks.raise_errors()
