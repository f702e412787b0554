"""`vimmerse-mock webhooks list|show|redeliver`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click
import msgspec

from vimmerse_mock.cli.options import say, with_control_plane
from vimmerse_mock.control import messages as r
from vimmerse_mock.control import operations as o
from vimmerse_mock.control.calls import ControlClient
from vimmerse_mock.errors import UnknownMessageError


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every subcommand."""
    customer = click.option(
        "--customer-id", default="", help="Customer id of an account; by default all accounts."
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    return customer(as_json(with_control_plane(command)))


@click.group()
def command() -> None:
    """List the webhooks of a running mock, or send one again."""


@command.command("list")
@_common
def list_webhooks(control: ControlClient, *, customer_id: str, as_json: bool) -> None:
    """List webhooks, oldest first: state, attempts, batch, URL."""
    found = [webhook for _, webhook in _all(control, customer_id)]
    _print(found, map(_line, found), as_json=as_json)
    if not found and not as_json:
        click.echo("no webhooks yet: create a batch with a webhook_url", err=True)


@command.command("show")
@click.argument("message_id")
@_common
def show(control: ControlClient, *, message_id: str, customer_id: str, as_json: bool) -> None:
    """Show one webhook, with every request and answer."""
    _, webhook = _one(control, customer_id, message_id)
    lines = [_line(webhook)]
    if not webhook.attempts:
        lines.append(f"    due at {webhook.due_at}")
    for number, attempt in enumerate(webhook.attempts, start=1):
        lines += _attempt_lines(number, attempt)
    _print(webhook, lines, as_json=as_json)


@command.command("redeliver")
@click.argument("message_id")
@_common
def redeliver(control: ControlClient, *, message_id: str, customer_id: str, as_json: bool) -> None:
    """Send a webhook again, and show the answer."""
    owner, _ = _one(control, customer_id, message_id)
    sent = control.call(o.REDELIVER, customer_id=owner, message_id=message_id)
    last = _attempt_lines(len(sent.attempts), sent.attempts[-1])
    _print(sent, [_line(sent), *last], as_json=as_json)


def _all(control: ControlClient, customer_id: str) -> Iterator[tuple[str, r.WebhookInfo]]:
    """Yield each webhook with its owner."""
    pages = () if customer_id else control.pages(o.LIST_ACCOUNTS)
    everybody = [account.customer_id for page in pages for account in page.accounts]
    for owner in [customer_id] if customer_id else everybody:
        for page in control.pages(o.LIST_WEBHOOKS, customer_id=owner):
            yield from ((owner, webhook) for webhook in page.webhooks)


def _one(control: ControlClient, customer_id: str, message_id: str) -> tuple[str, r.WebhookInfo]:
    for owner, webhook in _all(control, customer_id):
        if webhook.id == message_id:
            return owner, webhook
    raise UnknownMessageError(f"no webhook {message_id!r}: `vimmerse-mock webhooks list` lists all")


def _print(found: object, lines: Iterable[str], *, as_json: bool) -> None:
    if as_json:
        say(msgspec.json.format(r.ENCODER.encode(found), indent=1).decode())
        return
    for line in lines:
        say(line)


def _line(webhook: r.WebhookInfo) -> str:
    variant = f" ({webhook.variant.value})" if webhook.variant else ""
    last = f", last: {webhook.attempts[-1].came}" if webhook.attempts else ""
    return (
        f"{webhook.id}  {webhook.state.value:<9}  {webhook.status}{variant} of batch "
        f"{webhook.batch_id}, submission {webhook.submission}, to {webhook.url}: "
        f"{len(webhook.attempts)} attempts{last}"
    )


def _attempt_lines(number: int, attempt: r.AttemptInfo) -> Iterator[str]:
    yield f"attempt {number} at {attempt.at}, {attempt.took:.3f} s: {attempt.came}"
    yield f"    POST {attempt.url}"
    yield from (f"    {name}: {value}" for name, value in attempt.request_headers.items())
    yield f"    {attempt.request_body}"
    if attempt.status is not None and not attempt.pretended:
        yield f"    -> {attempt.status}"
        yield from (f"    {name}: {value}" for name, value in attempt.response_headers.items())
        yield from (f"    {line}" for line in attempt.response_body.splitlines())
