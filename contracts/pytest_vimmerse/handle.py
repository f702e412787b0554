"""What the `vimmerse` fixture hands to a test: one account, and everything around it."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from vimmerse_client import Client
from vimmerse_mock.account import Account, AccountClock, Opening
from vimmerse_mock.in_process import InProcessSender
from vimmerse_mock.inbox import Inbox
from vimmerse_mock.listener import Listener
from vimmerse_mock.model.ledger import LedgerEntry
from vimmerse_mock.model.outbox import Message
from vimmerse_mock.model.scenarios import Scenario
from vimmerse_mock.planned import AccountSource
from vimmerse_mock.server import MockServer


class Vimmerse:
    """A fresh, isolated account for one test.

    Its clock stands still until the test moves it; the client's own waiting moves it too, so that
    `client.wait(...)` takes milliseconds.
    """

    def __init__(
        self, account: Account, listener: Listener, sender: InProcessSender | None = None
    ) -> None:
        self._account = account
        self._listener = listener
        self._sender = sender

    @classmethod
    def open(cls, server: MockServer, listener: Listener) -> Self:
        """Open an account on a server."""
        sender = server.mock.courier.sender
        in_process = sender if isinstance(sender, InProcessSender) else None
        return cls(server.open_account(Opening(speed=0)), listener, in_process)

    def __repr__(self) -> str:
        return f"<Vimmerse {self._account!r}>"

    @property
    def url(self) -> str:
        """The base URL of the API, for `VIMMERSE_BASE_URL`."""
        return self._account.url

    @property
    def key(self) -> str:
        """The account's API key, for `VIMMERSE_API_KEY`."""
        return self._account.key

    @property
    def customer_id(self) -> str:
        """The account's customer id."""
        return self._account.customer_id

    @property
    def clock(self) -> AccountClock:
        """The account's clock: `clock.advance(seconds)`, `clock.now()`, `clock.move_to(moment)`."""
        return self._account.clock

    @property
    def credits(self) -> int:
        """The credits left."""
        return self._account.credits

    @property
    def ledger(self) -> tuple[LedgerEntry, ...]:
        """Where every credit went."""
        return self._account.ledger

    @property
    def outbox(self) -> tuple[Message, ...]:
        """Every webhook that was planned, with its attempts."""
        return self._account.outbox

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
        return self._listener.open_inbox(AccountSource(self._account), self._sender)

    def use_scenario(self, wanted: str | Scenario) -> None:
        """Decide what becomes of the submissions from now on.

        Raises:
            UnknownScenarioError: no preset has that name.
        """
        self._account.use_scenario(wanted)

    def close(self) -> None:
        """Remove the account, and forget its webhooks.

        Raises:
            Exception: what a receiver of `webhooks.deliver_to` raised, if nothing did before.
        """
        self._account.close()
        if "client" in self.__dict__:
            self.client.close()
        if "webhooks" in self.__dict__:
            self._listener.close_inbox(self.webhooks)
            self.webhooks.raise_errors()
