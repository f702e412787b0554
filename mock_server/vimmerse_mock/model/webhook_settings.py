"""How the webhooks of one account are delivered: retries, delivery plans, signing secrets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from vimmerse_contracts import signatures
from vimmerse_contracts.signatures import SECRET_PREFIX
from vimmerse_mock.errors import WebhookSettingsError
from vimmerse_mock.model.clock import Span
from vimmerse_mock.model.delivery_plans import DeliveryPlan
from vimmerse_mock.model.outbox import RETRY_DELAYS, MessageKey

MOST_SECRETS: Final = 2
"""The present secret and, during rotation, the one before."""
MOST_RETRIES: Final = 50
_SECRET_BYTES: Final = range(24, 65)


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """How the webhooks of one account are delivered.

    `retry_delays` follow one failed attempt each. `plan` holds for every submission that finds no
    plan of its own in `next_plans`. `swapping` is the message that waits for another to change
    places with. `secrets` sign, the newest first; without any, nothing is signed.
    """

    retry_delays: tuple[Span, ...] = RETRY_DELAYS
    plan: DeliveryPlan | None = None
    next_plans: tuple[DeliveryPlan, ...] = ()
    swapping: MessageKey | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be done.

        Raises:
            WebhookSettingsError: there are too many retries or secrets, or one makes no sense.
        """
        if len(self.retry_delays) > MOST_RETRIES or any(delay < 0 for delay in self.retry_delays):
            raise WebhookSettingsError(
                f"at most {MOST_RETRIES} retries, none after a negative span, "
                f"not {len(self.retry_delays)}"
            )
        if len(self.secrets) > MOST_SECRETS:
            raise WebhookSettingsError(
                f"at most {MOST_SECRETS} secrets, the new one and the one before it, "
                f"not {len(self.secrets)}"
            )
        for secret in self.secrets:
            secret_key(secret)

    def rotated(self, secret: str) -> WebhookSettings:
        """Return settings that sign with a new secret, and with the present one beside it.

        Raises:
            WebhookSettingsError: it is no secret.
        """
        return replace(self, secrets=(secret, *self.secrets[: MOST_SECRETS - 1]))

    def followed_by(self, plans: Sequence[DeliveryPlan]) -> WebhookSettings:
        """Return settings with further plans for the submissions to come."""
        return replace(self, next_plans=(*self.next_plans, *plans))

    def plan_taken(self) -> tuple[DeliveryPlan | None, WebhookSettings]:
        """Return the plan of the next submission, and the settings without it."""
        if not self.next_plans:
            return self.plan, self
        return self.next_plans[0], replace(self, next_plans=self.next_plans[1:])


def secret_key(secret: str) -> bytes:
    """Return the key that a secret stands for.

    Raises:
        WebhookSettingsError: it is no secret; the sentence does not repeat it.
    """
    try:
        key = signatures.secret_key(secret)
    except ValueError:
        key = b""
    if not secret.startswith(SECRET_PREFIX) or len(key) not in _SECRET_BYTES:
        raise WebhookSettingsError(
            f"a secret is {SECRET_PREFIX} followed by the Base64 of {_SECRET_BYTES.start} to "
            f"{_SECRET_BYTES.stop - 1} bytes, which this is not"
        )
    return key
