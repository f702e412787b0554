"""What the `vimmerse` fixture hands to a test: one account, and everything around it."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from vimmerse_client import Client
from vimmerse_mock.account import Account, Accounts
from vimmerse_mock.listener import Inbox, Listener
from vimmerse_mock.model.account import Opening


class Vimmerse(Account):
    """A fresh, isolated account for one test, with a client and an inbox for webhooks.

    Its clock stands still until the test moves it; the client's own waiting moves it too, so that
    `client.wait(...)` takes milliseconds.
    """

    def __init__(self, account: Account, listener: Listener) -> None:
        super().__init__(account.control, account.url, account.info)
        self._listener = listener

    @classmethod
    def open(cls, accounts: Accounts, listener: Listener) -> Self:
        """Open an account on a mock."""
        return cls(accounts.open_account(Opening(speed=0)), listener)

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
        """A real listener: `webhooks.url` to hand out, `webhooks.received` to look at."""
        return self._listener.open_inbox()

    def close(self) -> None:
        """Remove the account, and forget its webhooks."""
        super().close()
        if "client" in self.__dict__:
            self.client.close()
        if "webhooks" in self.__dict__:
            self._listener.close_inbox(self.webhooks)
