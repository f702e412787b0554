"""Receiving webhooks in production: parse, verify, confirm, and handle each end once.

The documented webhook is unsigned (S), so anybody who knows the address can send one. It is only a
hint that something ended: what counts is the state of the batch, read from the API. And it comes at
least once: a receiver that does not answer with 2xx within 10 seconds may get it again (P26).

    receiver = Receiver(client, handle, seen)
    receiver.receive(request.get_data())      # in the view; answer 204 when it returns
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final, Protocol

from marshmallow import ValidationError

from vimmerse_client.errors import (
    BadRequest,
    BatchNotDone,
    ConfigurationError,
    ForeignWebhook,
    InvalidWebhook,
    NotFound,
    SignatureExpired,
    SignatureMismatch,
    SignatureMissing,
    StaleStatus,
    UnknownBatch,
    ValidationFailed,
    excerpt,
)
from vimmerse_client.models import Batch
from vimmerse_contracts.schemas import WebhookSchema
from vimmerse_contracts.signatures import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    is_signed,
    secret_key,
)
from vimmerse_contracts.vocabulary import BatchStatus

_LONGEST_ID: Final = 200
_KNOWN: Final = ("customer_id", "batch_id", "status")
_AROUND_PATH: Final = re.compile(r"^[a-z]+://[^/?#]*|[?#].*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """The content of a webhook (S), which is not confirmed yet.

    `extra` holds the keys that the contract does not know.
    """

    customer_id: str
    batch_id: str
    status: BatchStatus
    extra: Mapping[str, Any] = field(default_factory=dict)


def parse_webhook(payload: bytes | bytearray | str | Mapping[str, Any]) -> WebhookEvent:
    """Read the body of a webhook, as it came or as parsed JSON.

    Raises:
        InvalidWebhook: it is not a JSON object with the fields of the contract.
    """
    if isinstance(payload, Mapping):
        data: Mapping[str, Any] = payload
    elif isinstance(payload, str | bytes | bytearray):
        data = _json_object(payload)
    else:
        raise InvalidWebhook(f"a body of type {type(payload).__name__}")
    try:
        loaded = WebhookSchema().load(data)
    except ValidationError as error:
        problems = error.messages_dict.items()
        listed = "; ".join(f"{name}: {' '.join(said)}" for name, said in problems)
        raise InvalidWebhook(listed) from None
    for name in ("customer_id", "batch_id"):
        if not 0 < len(loaded[name]) <= _LONGEST_ID:
            raise InvalidWebhook(f"{name} has {len(loaded[name])} characters")
    return WebhookEvent(
        customer_id=loaded["customer_id"],
        batch_id=loaded["batch_id"],
        status=BatchStatus(loaded["status"]),
        extra={name: value for name, value in data.items() if name not in _KNOWN},
    )


def _json_object(payload: bytes | bytearray | str) -> dict[str, Any]:
    text = payload if isinstance(payload, str) else payload.decode("utf-8", "replace")
    shown = repr(excerpt(text[:_LONGEST_ID])) if text else "an empty body"
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError):
        raise InvalidWebhook(f"{shown} is not JSON") from None
    if not isinstance(data, dict):
        raise InvalidWebhook(f"{shown} is not a JSON object")
    return data


class BatchReader(Protocol):
    """Reads batches, as `vimmerse_client.Client` does."""

    def get(self, batch_id: str) -> Batch:
        """Return a batch of the API key, or raise `NotFound`."""


def confirm_webhook(event: WebhookEvent, client: BatchReader) -> Batch:
    """Ask the API about the batch of a webhook, and return it if it ended as the webhook says.

    A webhook must be answered within 10 seconds (P26), so use a client that is quick:
    `Client(timeout=3, retry=RetryPolicy(attempts=1))`.

    Raises:
        UnknownBatch: the API key has no such batch.
        ForeignWebhook: the batch belongs to another customer.
        BatchNotDone: the batch still processes.
        StaleStatus: the batch ended with another status.
        ApiError, TransportError, UnexpectedResponse: the API could not be asked; answer with 503,
            so that the webhook is sent again.
    """
    try:
        batch = client.get(event.batch_id)
    except (NotFound, BadRequest, ValidationFailed, ConfigurationError) as refusal:
        raise UnknownBatch(event) from refusal
    if batch.customer_id != event.customer_id:
        raise ForeignWebhook(event, batch)
    if not batch.status.is_final:
        raise BatchNotDone(event, batch)
    if batch.status != event.status:
        raise StaleStatus(event, batch)
    return batch


def submission_key(batch: Batch) -> str:
    """Return a key for the end of the current submission of a batch, as the API shows it.

    A webhook does not say which submission ended (S), but the confirmed batch does. In this order:

    1. `finished_at`, which the object has since 2026 (P26): the instant of the end itself.
    2. The path of `video_url`: each submission that succeeds has a composed video of its own (A).
       The query is left out, since a signed link differs with every reading.
    3. `updated_at`, for a failure, which has nothing else of its own. Changing a title moves it as
       well, so a failure that is reported twice with such a change between counts twice: that is
       better than to lose the failure of a further submission.

    Where that is not enough, pass the submission to `Receiver.receive` yourself.
    """
    video = _AROUND_PATH.sub("", batch.video_url or "")
    updated = batch.updated_at.isoformat() if batch.updated_at else ""
    return f"{batch.id} {batch.status} {batch.extra.get('finished_at') or video or updated}"


class SeenStore(Protocol):
    """Remembers what was handled. Implement it on your database to drop duplicates for good."""

    def add(self, key: str) -> bool:
        """Remember a key; return whether it is new.

        Atomic: of two callers with one key, one gets True. A unique column does it (`INSERT ... ON
        CONFLICT DO NOTHING`, then look at the number of rows), or Redis' `SET NX`.
        """

    def discard(self, key: str) -> None:
        """Forget a key, since handling it failed; an unknown one is no error."""


class MemorySeen:
    """Remembers the last `most` keys, for as long as this process lives."""

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._keys: dict[str, None] = {}
        self._lock = Lock()

    def add(self, key: str) -> bool:
        """Remember a key; return whether it is new."""
        with self._lock:
            if key in self._keys:
                return False
            self._keys[key] = None
            if len(self._keys) > self._most:
                del self._keys[next(iter(self._keys))]
            return True

    def discard(self, key: str) -> None:
        """Forget a key."""
        with self._lock:
            self._keys.pop(key, None)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The result of a webhook: the confirmed batch, and whether it was handled now or before."""

    event: WebhookEvent
    batch: Batch
    is_new: bool


Handle = Callable[[WebhookEvent, Batch], object]


@dataclass(frozen=True, slots=True)
class Receiver:
    """Receives webhooks, and handles each submission that ended once.

    Args:
        client: Reads batches: a quick `Client`, see `confirm_webhook`.
        handle: Gets the event and the confirmed batch. It has to be quick: a webhook must be
            answered within 10 seconds (P26), so leave long work to a queue.
        seen: What was handled; shared by everything that receives.
    """

    client: BatchReader
    handle: Handle
    seen: SeenStore = field(default_factory=MemorySeen)

    def receive(
        self,
        payload: bytes | bytearray | str | Mapping[str, Any],
        *,
        submission: str | None = None,
    ) -> Receipt:
        """Parse and confirm a webhook, and handle it unless that was done before.

        If `handle` raises, the webhook counts as not handled, and the error is raised: answer with
        500, and the webhook is sent again.

        Args:
            payload: The body, as it came or as parsed JSON.
            submission: What identifies the submission, if you know better than `submission_key`:
                the message id that `verify_webhook` returned, or a word of your own that you put
                into the `webhook_url` of each submission.

        Raises:
            InvalidWebhook: it is no webhook.
            UnconfirmedWebhook: the API says otherwise, see `confirm_webhook`, which raises more.
        """
        event = parse_webhook(payload)
        batch = confirm_webhook(event, self.client)
        key = submission_key(batch) if submission is None else f"{batch.id} {submission}"
        if not self.seen.add(key):
            return Receipt(event, batch, is_new=False)
        try:
            self.handle(event, batch)
        except BaseException:
            self.seen.discard(key)
            raise
        return Receipt(event, batch, is_new=True)


class HeaderItems(Protocol):
    """The headers of a request, as most frameworks have them."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Return names and values."""


class HeaderLists(Protocol):
    """Headers with a list of values each, such as AWS Lambda's `multiValueHeaders`."""

    def items(self) -> Iterable[tuple[str, list[str]]]:
        """Return names and their values."""


HeaderPairs = Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
"""Headers as pairs, such as those of an ASGI scope."""

Headers = HeaderItems | HeaderLists | HeaderPairs


def verify_webhook(
    headers: Headers,
    body: bytes | str,
    secrets: Iterable[str],
    now: float,
    tolerance: float = 300,
) -> str:
    """Verify a webhook that is signed by the Standard Webhooks specification.

    Args:
        headers: The request's headers: a mapping, also with lists of values as AWS Lambda has
            them, or pairs. The case of their names does not matter.
        body: The body exactly as it came: not parsed and written again. A text counts as UTF-8.
        secrets: The `whsec_` secrets in use; two while one replaces the other.
        now: The present, in seconds since 1970 (`time.time()`).
        tolerance: How many seconds the timestamp may lie in the past or in the future.

    Returns:
        The id of the message: the same for every attempt, and so what to drop duplicates by.

    Raises:
        SignatureMissing, SignatureExpired, SignatureMismatch: answer with 401.
        ConfigurationError: no secret, or one that is none; a body that was parsed.
    """
    if not isinstance(body, bytes | bytearray | str):
        raise ConfigurationError(
            f"verify_webhook: a body of type {type(body).__name__}; expected the bytes as they came"
        )
    content = body.encode("utf-8", "replace") if isinstance(body, str) else bytes(body)
    keys = _keys(secrets)
    message_id, timestamp, signatures = _signature_headers(headers)
    if abs(now - int(timestamp)) > tolerance:
        raise SignatureExpired(
            f"its timestamp {timestamp} is {abs(now - int(timestamp)):.0f} s "
            f"{'old' if now > int(timestamp) else 'ahead'}, and {tolerance:g} s are tolerated; "
            "check this machine's clock, or refuse it as a replay"
        )
    if not is_signed(signatures, keys, message_id, timestamp, content):
        raise SignatureMismatch(
            f"none of {len(keys)} secrets made it; check that the secrets are the sender's, and "
            "that the body is verified exactly as it came"
        )
    return message_id


def _keys(secrets: Iterable[str]) -> tuple[bytes, ...]:
    given = (secrets,) if isinstance(secrets, str) else tuple(secrets or ())
    if not all(isinstance(secret, str) for secret in given):
        raise ConfigurationError("verify_webhook: expected secrets that are texts")
    try:
        keys = tuple(secret_key(secret) for secret in given)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    if not keys:
        raise ConfigurationError("verify_webhook: expected at least one secret")
    return keys


def _signature_headers(headers: Headers) -> tuple[str, str, str]:
    try:
        pairs = headers.items() if hasattr(headers, "items") else headers
        lowered = {_header_text(name).lower(): _header_text(value) for name, value in pairs}
    except (TypeError, ValueError):
        raise SignatureMissing(
            f"headers of type {type(headers).__name__}; expected a mapping, or pairs"
        ) from None
    names = (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)
    missing = [name for name in names if not lowered.get(name)]
    if missing:
        raise SignatureMissing(
            f"missing header {', '.join(missing)}; does the sender sign its webhooks?"
        )
    message_id, timestamp, signatures = (lowered[name] for name in names)
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 20):
        raise SignatureMissing(
            f"{TIMESTAMP_HEADER} is {excerpt(timestamp)!r}; expected whole seconds since 1970"
        )
    return message_id, timestamp, signatures


def _header_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, list | tuple):
        return " ".join(map(_header_text, value))
    return value if isinstance(value, str) else ""
