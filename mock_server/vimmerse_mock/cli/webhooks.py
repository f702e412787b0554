"""`vimmerse-mock webhooks list|show|redeliver`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

import click
import msgspec

from vimmerse_mock.cli.control import admin_options, control_plane
from vimmerse_mock.cli.options import option
from vimmerse_mock.control import messages as r
from vimmerse_mock.control import operations as o
from vimmerse_mock.control.calls import ControlClient
from vimmerse_mock.errors import UnknownMessageError

F = TypeVar("F", bound=Callable[..., Any])
_SPACE: Final = "    "


def _common(command: F) -> F:
    """Add the options of every subcommand."""
    customer = option("--customer-id", default="", help="Whose webhooks; by default everybody's.")
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    return customer(as_json(admin_options(command)))


@click.group()
def command() -> None:
    """Look at the webhooks of a running mock, or send one again."""


@command.command("list")
@_common
def list_webhooks(*, customer_id: str, as_json: bool, admin_url: str, admin_token: str) -> None:
    """List webhooks, oldest first: state, attempts, batch, URL."""
    with control_plane(admin_url, admin_token) as control:
        found = [one for _, one in _all(control, customer_id)]
    _print(found, map(_line, found), as_json=as_json)
    if not found and not as_json:
        click.echo("no webhooks yet: create a batch with a webhook_url", err=True)


@command.command("show")
@click.argument("message_id")
@_common
def show(
    *, message_id: str, customer_id: str, as_json: bool, admin_url: str, admin_token: str
) -> None:
    """Show one webhook with everything that was sent and came back."""
    with control_plane(admin_url, admin_token) as control:
        _, found = _one(control, customer_id, message_id)
    _print(found, _story(found), as_json=as_json)


@command.command("redeliver")
@click.argument("message_id")
@_common
def redeliver(
    *, message_id: str, customer_id: str, as_json: bool, admin_url: str, admin_token: str
) -> None:
    """Send a webhook again, as a further attempt, and show what came of it."""
    with control_plane(admin_url, admin_token) as control:
        owner, _ = _one(control, customer_id, message_id)
        sent = control.call(o.REDELIVER, r.WebhookInfo, customer_id=owner, message_id=message_id)
    _print(sent, [_line(sent), *_attempt(len(sent.attempts), sent.attempts[-1])], as_json=as_json)


def _all(control: ControlClient, customer_id: str) -> Iterator[tuple[str, r.WebhookInfo]]:
    """Yield webhooks with their owners."""
    listed = [customer_id]
    if not customer_id:
        accounts = control.call(o.LIST_ACCOUNTS, r.AccountList).accounts
        listed = [account.customer_id for account in accounts]
    for owner in listed:
        for one in control.call(o.LIST_WEBHOOKS, r.WebhookList, customer_id=owner).webhooks:
            yield owner, one


def _one(control: ControlClient, customer_id: str, message_id: str) -> tuple[str, r.WebhookInfo]:
    for owner, one in _all(control, customer_id):
        if one.id == message_id:
            return owner, one
    raise UnknownMessageError(
        f"no webhook {message_id!r}: `vimmerse-mock webhooks list` shows what there is"
    )


def _print(found: object, lines: Iterable[str], *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.format(r.ENCODER.encode(found), indent=1))
        return
    for line in lines:
        click.echo(line)


def _line(one: r.WebhookInfo) -> str:
    variant = f" ({one.variant.value})" if one.variant else ""
    last = f", last: {one.attempts[-1].came}" if one.attempts else ""
    return (
        f"{one.id}  {one.state.value:<9}  {one.status}{variant} of batch {one.batch_id}, "
        f"submission {one.submission}, to {one.url}: {len(one.attempts)} attempts{last}"
    )


def _story(one: r.WebhookInfo) -> Iterator[str]:
    yield _line(one)
    if not one.attempts:
        yield f"{_SPACE}due at {one.due_at}"
    for number, attempt in enumerate(one.attempts, start=1):
        yield from _attempt(number, attempt)


def _attempt(number: int, attempt: r.AttemptInfo) -> Iterator[str]:
    yield f"attempt {number} at {attempt.at}, {attempt.took:.3f} s: {attempt.came}"
    yield f"{_SPACE}POST {attempt.url}"
    yield from (f"{_SPACE}{name}: {value}" for name, value in attempt.request_headers.items())
    yield f"{_SPACE}{attempt.request_body}"
    if attempt.status is not None and not attempt.pretended:
        yield f"{_SPACE}-> {attempt.status}"
        yield from (f"{_SPACE}{name}: {value}" for name, value in attempt.response_headers.items())
        yield from (f"{_SPACE}{line}" for line in attempt.response_body.splitlines())
