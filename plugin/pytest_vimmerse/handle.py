"""What the `vimmerse` fixture hands to a test: one account, and everything around it."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from vimmerse_client import Client
from vimmerse_mock import Account, Inbox, Listener, MockServer, Opening
from vimmerse_mock.account.account import Accounts
from vimmerse_mock.receiving.in_process import InProcessSender


class Vimmerse(Account):
    """A fresh, isolated account for one test, with a client and an inbox for webhooks.

    Its clock stands still until the test moves it; the client's own waiting moves it too, so that
    `client.wait(...)` takes milliseconds.
    """

    def __init__(
        self, account: Account, listener: Listener, sender: InProcessSender | None = None
    ) -> None:
        super().__init__(account.control, account.url, account.info)
        self._listener = listener
        self._sender = sender

    @classmethod
    def open(cls, accounts: Accounts, listener: Listener) -> Self:
        """Open an account on a mock."""
        sender = accounts.mock.courier.sender if isinstance(accounts, MockServer) else None
        in_process = sender if isinstance(sender, InProcessSender) else None
        return cls(accounts.open_account(Opening(clock="manual")), listener, in_process)

    def __repr__(self) -> str:
        return f"<Vimmerse {self.customer_id} at {self.url}>"

    @cached_property
    def client(self) -> Client:
        """The reference client of this account."""
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
