"""`vimmerse-mock trigger`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from vimmerse_contracts.vocabulary import SAMPLE_API_KEY, SAMPLE_CUSTOMER_ID
from vimmerse_mock.cli.options import URL, say, whole
from vimmerse_mock.model.bounds import Bounds
from vimmerse_mock.model.outbox import MessageState
from vimmerse_mock.model.scenarios import SCENARIOS

if TYPE_CHECKING:
    from vimmerse_mock.control.messages import WebhookInfo
    from vimmerse_mock.delivery import Post, Reply, Sender

_IMAGES: Final = Bounds(1, 1_000)
_LONGEST_SECONDS: Final = 30 * 86_400.0
"""On the mock's clock: longer than any batch, and any retry, takes."""


@click.command()
@click.argument("scenario", type=click.Choice(list(SCENARIOS)))
@click.option("--webhook-url", required=True, type=URL, help="URL to send the webhook to.")
@click.option(
    "--images",
    default=1,
    type=whole(_IMAGES),
    show_default=True,
    help="Number of images of the batch.",
)
@click.option(
    "--customer-id",
    default=SAMPLE_CUSTOMER_ID,
    show_default=True,
    help="Customer id in the webhook.",
)
def command(*, scenario: str, webhook_url: str, images: int, customer_id: str) -> None:
    """Send your receiver the webhook of a batch that ended by SCENARIO, with retries.

    The command runs the batch in a mock of its own, whose clock skips all waiting. Exit code 0: the
    receiver accepted the webhook; 1: it did not.
    """
    from vimmerse_mock.app import create_mock  # noqa: PLC0415 - only who runs a mock pays for it
    from vimmerse_mock.delivery import Allowlist, HttpSender  # noqa: PLC0415 - as above
    from vimmerse_mock.model.account import Opening  # noqa: PLC0415 - as above

    anywhere = Allowlist(patterns=("*",))  # whoever types a URL means it
    mock = create_mock(sender=_PrintingSender(HttpSender(allowlist=anywhere)))
    try:
        opening = Opening(api_key=SAMPLE_API_KEY, customer_id=customer_id, clock="manual")
        account = mock.open_account("http://in-process.test", opening)
        account.use_scenario(scenario)
        urls = [f"http://images.example/{number}.jpg" for number in range(1, images + 1)]
        answer = mock.app.test_client().post(
            "/batch",
            headers={"X-Api-Key": account.key},
            data={"image_urls": urls, "webhook_url": webhook_url, "title": "Triggered"},
        )
        batch = answer.get_json()["data"]
        click.echo(f"batch {batch['id']} of {images} images is {batch['status']}")
        account.clock.advance(_LONGEST_SECONDS)
        webhooks = account.outbox
    finally:
        mock.close()
    if not webhooks:
        click.echo(f"nothing was sent: a batch that is {scenario} never ends", err=True)
        sys.exit(1)
    _conclude(webhooks[0])


class _PrintingSender:
    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def send(self, post: Post) -> Reply:
        """Send a webhook, and print what came of it."""
        say(f"POST {post.url} {post.body.decode()}")
        reply = self._sender.send(post)
        say(f"  answered {reply.status}" if reply.status else f"  no answer: {reply.error}")
        return reply


def _conclude(webhook: WebhookInfo) -> None:
    first, last = webhook.attempts[0].at, webhook.attempts[-1].at
    several = f"s over {(last - first).total_seconds():g} s of its clock" if last > first else ""
    tried = f"{webhook.state.value} after {len(webhook.attempts)} attempt{several}"
    if webhook.state is MessageState.DELIVERED:
        click.echo(tried)
        return
    click.echo(f"{tried}: a receiver must answer with 2xx within 10 seconds", err=True)
    sys.exit(1)
