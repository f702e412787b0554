"""The courier: delivers messages, records every attempt, and moves clocks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Final

from vimmerse_contracts.secrecy import without_credentials
from vimmerse_contracts.unfrozen import monotonic
from vimmerse_contracts.vocabulary import WEBHOOK_TIMEOUT_SECONDS
from vimmerse_mock.delivery.sending import Post, Reply, Sender, for_the_log, post_of, secrets_of
from vimmerse_mock.errors import (
    InvalidRequestError,
    MockError,
    StoreFullError,
    StoreUnavailableError,
    UnknownAccountError,
    UnknownMessageError,
)
from vimmerse_mock.model.clock import Instant, Span, seconds, wall_clock
from vimmerse_mock.model.delivery_plans import OK, REFUSED, TIMEOUT
from vimmerse_mock.model.outbox import LEASE, MOST_ATTEMPTS, Attempt, Message, MessageState
from vimmerse_mock.stores import Store, Transaction
from vimmerse_mock.stores.conflicts import retried

_LOOK_AGAIN_SECONDS: Final = 0.005
_LOG = logging.getLogger("vimmerse_mock.delivery")

_PRETENCES: Final = {
    TIMEOUT: Reply(None, f"TimeoutError: no answer within {WEBHOOK_TIMEOUT_SECONDS} s (pretended)"),
    REFUSED: Reply(None, "ConnectionRefusedError: the connection was refused (pretended)"),
}


@dataclass(frozen=True, slots=True)
class _Tried:
    """A message that was tried, at a real instant, and what came of it."""

    message: Message
    post: Post
    reply: Reply
    started: Instant
    took: Span
    pretended: bool = False

    def attempt(self, at: Instant) -> Attempt:
        """Return what the log says of it."""
        secrets = secrets_of(self.post)
        return Attempt(
            at=at,
            status=self.reply.status,
            error=secrets.hide(without_credentials(self.reply.error)),
            took=self.took,
            url=without_credentials(self.post.url),
            request_headers=for_the_log(self.post.headers, secrets),
            request_body=self.post.body.decode(),
            response_headers=for_the_log(self.reply.headers, secrets),
            response_body=secrets.hide(self.reply.body.decode("utf-8", "replace")),
            pretended=self.pretended,
        )


@dataclass(frozen=True, slots=True)
class _Claim:
    """What comes next, None if the clock has arrived, and the secrets to sign it with."""

    message: Message | None
    secrets: Sequence[str]


@dataclass(frozen=True, slots=True)
class Courier:
    """Delivers claimed messages, and records every attempt."""

    store: Store
    sender: Sender
    real_time: Callable[[], Instant] = wall_clock
    _awaited: list[str] = field(default_factory=list, compare=False)
    """Accounts of which somebody waits for a receiver, who may move the clock himself."""

    def deliver(self, message: Message) -> Span:
        """Try a message once and record what came of it; return how long the receiver took.

        No lock is held while it is under way. Never raises: the lease brings back what could not be
        recorded for want of the store, and what cannot be recorded at all is set aside.
        """
        try:
            tried = self._try(message, self._secrets(message))
            self._record(tried)
        except UnknownAccountError:
            _LOG.debug("account of message %s was removed meanwhile", message.id)
            return 0
        except (StoreUnavailableError, StoreFullError) as error:
            _LOG.warning("message %s could not be recorded, and comes again: %s", message.id, error)
            return 0
        except Exception:  # noqa: BLE001 - a sender outlives it, and an early webhook's batch is made
            self._set_aside(message)
            return 0
        return 0 if tried.pretended else tried.took

    def deliver_early(self, message: Message) -> None:
        """Deliver a message that a caller of its account waits for, as `deliver` does."""
        with self._awaiting(message.customer_id):
            self.deliver(message)

    def message(self, customer_id: str, message_id: str) -> Message:
        """Return one message of an account.

        Raises:
            UnknownAccountError: there is no such account.
            UnknownMessageError: it has no such message.
        """
        self.store.account(customer_id)
        message = self.store.message(customer_id, message_id)
        if message is None:
            raise UnknownMessageError(
                f"no webhook {message_id!r}: list the webhooks to see their ids"
            )
        return message

    def redeliver(self, customer_id: str, message_id: str) -> Message:
        """Send a message again, really, as a new attempt; return it as it is afterwards.

        Raises:
            UnknownAccountError: there is no such account.
            UnknownMessageError: it has no such message.
            InvalidRequestError: it was sent too often.
        """
        message = self.message(customer_id, message_id)
        if len(message.attempts) >= MOST_ATTEMPTS:
            raise InvalidRequestError(f"a webhook is sent {MOST_ATTEMPTS} times at most")
        self._lease(message)
        with self._awaiting(customer_id):
            tried = self._send(message, self._secrets(message))
        return self._record(tried)

    def advance(self, customer_id: str, until: Instant) -> None:
        """Move an account's clock forward, delivering what falls due at its own instant.

        Steps from message to message, each delivered before the clock moves on, so that a receiver
        that calls back sees consistent time. What the dispatcher has under way is waited for. A
        receiver may move the clock, too: it does not wait for its own delivery.
        """
        claim = self._next(customer_id, until, None)
        while (message := claim.message) is not None:
            try:
                with self._awaiting(customer_id):
                    tried = self._try(message, claim.secrets)
                claim = self._next(customer_id, until, tried)
            except MockError:
                raise
            except Exception:  # noqa: BLE001 - it must not keep the clock from moving on
                self._set_aside(message)
                claim = self._next(customer_id, until, None)

    def _next(self, customer_id: str, until: Instant, tried: _Tried | None) -> _Claim:
        """Record what was tried, and step on as soon as nothing of the account is under way.

        Waits at most for the webhook timeout, and not at all if it may be called by a receiver.
        """
        patience = 0 if customer_id in self._awaited else WEBHOOK_TIMEOUT_SECONDS
        deadline = monotonic() + patience
        claim = self._record_and_step(customer_id, until, tried, deadline)
        while claim is None:
            Event().wait(_LOOK_AGAIN_SECONDS)
            claim = self._record_and_step(customer_id, until, None, deadline)
        return claim

    @retried
    def _record_and_step(
        self, customer_id: str, until: Instant, tried: _Tried | None, deadline: float
    ) -> _Claim | None:
        """In one transaction, record what was tried and claim what comes next.

        None: something else is under way, so the clock does not move yet.
        """
        with self.store.transaction(customer_id) as tx:
            if tried is not None:
                _note(tx, tried)
            real, is_patient = self.real_time(), monotonic() < deadline
            message = tx.claim(until, real + LEASE, alone=is_patient)
            if message is None and is_patient and tx.in_flight():
                return None
            clock, target = tx.account.clock, until if message is None else message.due_at
            moved = clock.moved_to(max(clock.at(real), target), real)
            if not clock.is_manual or moved.origin != clock.origin:
                tx.save_account(replace(tx.account, clock=moved))
            return _Claim(message, tx.account.webhooks.secrets)

    def _try(self, message: Message, secrets: Sequence[str]) -> _Tried:
        """Send a message, or pretend to, as its delivery plan wants it."""
        answer = message.pretended_answer
        if answer in ("", OK):
            return self._send(message, secrets)
        started = self.real_time()
        reply = _PRETENCES.get(answer) or Reply(int(answer))
        took = seconds(WEBHOOK_TIMEOUT_SECONDS) if answer == TIMEOUT else 0
        post = post_of(message, secrets, started)
        return _Tried(message, post, reply, started, took, pretended=True)

    def _send(self, message: Message, secrets: Sequence[str]) -> _Tried:
        started = self.real_time()
        post = post_of(message, secrets, started)
        reply = self.sender.send(post)
        return _Tried(message, post, reply, started, self.real_time() - started)

    def _set_aside(self, message: Message) -> None:
        """Give up a message that fails for a reason of its own, so that it hides no other."""
        _LOG.exception("message %s could not be sent or recorded: it is set aside", message.id)
        try:
            with self.store.transaction(message.customer_id) as tx:
                present = tx.message(*message.key) or message
                if present.state is MessageState.PENDING:
                    tx.save_message(replace(present, state=MessageState.SET_ASIDE))
        except Exception:  # noqa: BLE001 - the lease keeps it from the others for a while
            _LOG.exception("message %s could not be set aside", message.id)

    @contextmanager
    def _awaiting(self, customer_id: str) -> Iterator[None]:
        self._awaited.append(customer_id)
        try:
            yield
        finally:
            self._awaited.remove(customer_id)

    def _secrets(self, message: Message) -> Sequence[str]:
        return self.store.account(message.customer_id).webhooks.secrets

    @retried
    def _record(self, tried: _Tried) -> Message:
        with self.store.transaction(tried.message.customer_id) as tx:
            return _note(tx, tried)

    @retried
    def _lease(self, message: Message) -> None:
        """Keep a pending message from the dispatcher while it is sent by hand."""
        with self.store.transaction(message.customer_id) as tx:
            if message.state is MessageState.PENDING:
                tx.lease(message, self.real_time() + LEASE)


def _note(tx: Transaction, tried: _Tried) -> Message:
    """Record an attempt with the message as it is now."""
    sent = tried.message
    attempt = tried.attempt(tx.account.clock.at(tried.started))
    present = tx.message(sent.batch_id, sent.submission, sent.number) or sent
    if present.state is MessageState.PENDING:
        noted = present.after(attempt, tx.account.webhooks.retry_delays)
    else:
        noted = present.besides(attempt)
    tx.save_message(noted)
    return noted
