"""`vimmerse-mock serve`."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click

from vimmerse_contracts.vocabulary import MOTION_TYPES, SAMPLE_API_KEY, SAMPLE_CUSTOMER_ID
from vimmerse_mock.cli.options import (
    FILE,
    ON_COMMAND_LINE,
    PORT,
    Parsed,
    fail,
    option,
    pairs,
    token_of,
    whole,
)
from vimmerse_mock.model.account import DEFAULT_CREDITS, PERMISSIONS, Opening
from vimmerse_mock.model.bounds import CREDITS, EXCHANGES, MEBIBYTES, PRICE, WORKERS
from vimmerse_mock.model.clock import CLOCK_MODES
from vimmerse_mock.model.credits import PriceList
from vimmerse_mock.model.exchange import JOURNAL_LENGTH
from vimmerse_mock.model.limits import MEBIBYTE, Limits, parse_keep
from vimmerse_mock.model.scenarios import SCENARIOS
from vimmerse_mock.model.snapshot import Snapshot
from vimmerse_mock.serve import MEMORY, ServeSettings, serve


@click.command()
@option("--host", default="127.0.0.1", help="Address to listen on.")
@option("--port", default=8765, type=PORT, help="Port to listen on; 0 takes a free one.")
@option(
    "--store",
    default=MEMORY,
    help="Where to keep data: memory:, sqlite:///path.db or postgresql://user@host/name.",
)
@option("--workers", default=1, type=whole(WORKERS), help="Number of processes.")
@option(
    "--clock",
    default="live",
    type=click.Choice(CLOCK_MODES),
    help="What moves time: real time (live), your calls (manual), or each read (stepping).",
)
@option("--speed", default=1.0, help="Speed of a live clock: 60 is 60 times as fast as real time.")
@option("--step", default="1s", help="How far a stepping clock moves with each read, such as 2s.")
@option("--credits", default=DEFAULT_CREDITS, type=whole(CREDITS), help="Credits to start with.")
@option("--api-key", default=SAMPLE_API_KEY, help="The account's API key.")
@option("--customer-id", default=SAMPLE_CUSTOMER_ID, help="The account's customer id.")
@option(
    "--id-seed",
    "seed",
    default="",
    help="Seed for ids: the same calls get the same ids in each run.",
)
@option(
    "--seed",
    "seed_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Start with the accounts of this file (see export), instead of the one above.",
)
@option(
    "--account",
    type=pairs("KEY:CREDITS", ":", CREDITS),
    multiple=True,
    help="Another account, by its API key and credits; repeatable.",
)
@option(
    "--scenario",
    default="success",
    type=click.Choice(list(SCENARIOS)),
    callback=lambda _context, _option, name: SCENARIOS[name],
    help="What happens to every batch.",
)
@option(
    "--price",
    type=pairs("MOTION_TYPE=CREDITS", "=", PRICE, MOTION_TYPES),
    multiple=True,
    help="Credits for one second of video of a motion type; repeatable.",
)
@option("--concat-price", default=0, type=whole(PRICE), help="Credits for a concat.")
@option("--max-image-mib", default=32, type=whole(MEBIBYTES), help="Largest image, in MiB.")
@option("--max-request-mib", default=256, type=whole(MEBIBYTES), help="Largest request, in MiB.")
@option(
    "--keep",
    default="",
    type=Parsed("AGE|NUMBER", parse_keep),
    help="Delete ended batches older than an age (7d, 12h, 30m), or all but the newest (100000).",
)
@option(
    "--journal",
    default=JOURNAL_LENGTH,
    type=whole(EXCHANGES),
    help="Number of requests to keep in the journal of each account.",
)
@option(
    "--admin-token",
    default="",
    help=f"Token for the control plane; {ON_COMMAND_LINE}.",
)
@option(
    "--admin-token-file",
    type=FILE,
    help="File with that token; beyond the loopback one is generated if you give none.",
)
@option(
    "--webhook-allow",
    multiple=True,
    metavar="HOST",
    help="Host that may get webhooks: a name, *.name, an address or a network; repeatable.",
)
@option(
    "--fetch-images",
    is_flag=True,
    help="Fetch image URLs, from hosts that may get webhooks; one that fails is a failed media.",
)
@option("--strict", is_flag=True, help="Refuse forms with fields that the API does not know.")
@option(
    "--permission",
    default="full",
    type=click.Choice(PERMISSIONS),
    help="What the account's key may do; the rest is answered with 403.",
)
@option(
    "--lenient-words",
    is_flag=True,
    help="Accept words that no source lists; an unlisted motion type becomes Auto.",
)
@option("--no-why", is_flag=True, help="Leave out the header of refusals that says why.")
@option("--public-url", default="", help="URL of the mock for clients, if it runs behind a proxy.")
@option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the URL to, as soon as the mock answers.",
)
def command(
    *,
    seed_file: Path | None,
    account: tuple[tuple[str, int], ...],
    price: tuple[tuple[str, int], ...],
    concat_price: int,
    max_image_mib: int,
    max_request_mib: int,
    admin_token: str,
    admin_token_file: Path | None,
    **settings: Any,  # noqa: ANN401 - click's own; named as `Opening` and `ServeSettings` have them
) -> None:
    """Start a mock server; SIGTERM or Ctrl-C stops it."""
    settings["why"] = not settings.pop("no_why")
    begin = Opening(**{field.name: settings.pop(field.name) for field in fields(Opening)})
    accounts = [begin]
    snapshots: tuple[Snapshot, ...] = ()
    if seed_file is not None:
        from vimmerse_mock.cli.snapshots import read_file  # noqa: PLC0415 - a start without a file does without

        file = read_file(seed_file, f"--seed {seed_file}")
        accounts, snapshots = [each.opening() for each in file.accounts], file.snapshots
        if not accounts and not snapshots:
            fail(f"--seed {seed_file}: the file has no account")
    accounts += [replace(begin, api_key=key, customer_id="", credits=n) for key, n in account]
    keys = [opening.api_key for opening in accounts if opening.api_key]
    if len(set(keys)) < len(keys):
        fail("two accounts have the same API key: give each --account a key of its own")
    serve(
        ServeSettings(
            accounts=tuple(accounts),
            snapshots=snapshots,
            why=begin.why,
            prices=PriceList({**PriceList().per_second, **dict(price)}, concat_price),
            admin_token=token_of(admin_token, admin_token_file),
            limits=Limits(max_image_mib * MEBIBYTE, max_request_mib * MEBIBYTE),
            **settings,
        )
    )
