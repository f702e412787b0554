"""`vimmerse-mock serve`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from vimmerse_contracts.vocabulary import MOTION_TYPES, SAMPLE_API_KEY, SAMPLE_CUSTOMER_ID
from vimmerse_mock.cli.options import (
    NATURAL,
    PORT,
    POSITIVE,
    KeepType,
    PairType,
    RateType,
    fail,
    option,
)
from vimmerse_mock.cli.snapshots import Seeds, read_seeds
from vimmerse_mock.errors import InvalidError, ServeError
from vimmerse_mock.model.account import DEFAULT_CREDITS, Opening
from vimmerse_mock.model.clock import CLOCK_MODES, FASTEST, ClockMode
from vimmerse_mock.model.credits import PriceList
from vimmerse_mock.model.exchange import JOURNAL_LENGTH
from vimmerse_mock.model.limits import MEBIBYTE, Keep, Limits
from vimmerse_mock.model.scenarios import SCENARIOS
from vimmerse_mock.model.scenarios import scenario as preset
from vimmerse_mock.serve import MEMORY, ServeSettings, serve


@click.command()
@option("--host", default="127.0.0.1", help="Address to listen on.")
@option("--port", default=8765, type=PORT, help="Port to listen on; 0 takes a free one.")
@option(
    "--store",
    default=MEMORY,
    help="Where to keep everything: memory:, sqlite:///path.db or postgresql://user@host/name.",
)
@option("--workers", default=1, type=POSITIVE, help="Processes that answer.")
@option(
    "--clock",
    default="live",
    type=click.Choice(CLOCK_MODES),
    help="What moves time: live is real time, manual is whoever advances it, stepping every read.",
)
@option(
    "--speed",
    default=1.0,
    type=RateType(0, FASTEST, min_open=True),
    help="Run a live clock this many times as fast.",
)
@option("--step", default="1s", help="How far a stepping clock moves at each read, such as 2s.")
@option("--credits", default=DEFAULT_CREDITS, type=NATURAL, help="Credits to start with.")
@option("--api-key", default=SAMPLE_API_KEY, help="The account's API key.")
@option("--customer-id", default=SAMPLE_CUSTOMER_ID, help="The account's customer id.")
@option("--id-seed", default="", help="Make the same identifiers for the same calls.")
@option(
    "--seed",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Begin with the accounts of this file (see export), in place of the one above.",
)
@option(
    "--account",
    type=PairType("KEY:CREDITS", ":"),
    multiple=True,
    help="A further account, with its key and its credits; repeatable.",
)
@option(
    "--scenario",
    default="success",
    type=click.Choice(list(SCENARIOS)),
    help="What becomes of every batch.",
)
@option(
    "--price",
    type=PairType("MOTION_TYPE=CREDITS", "=", MOTION_TYPES),
    multiple=True,
    help="Credits for a second of video of a motion type; repeatable.",
)
@option("--concat-price", default=0, type=NATURAL, help="Credits for a composition.")
@option("--max-image-mib", default=32, type=POSITIVE, help="Largest image, in MiB.")
@option("--max-request-mib", default=256, type=POSITIVE, help="Largest request, in MiB.")
@option(
    "--keep",
    default="",
    type=KeepType(),
    help="Forget ended batches: of an age (7d, 12h, 30m) or beyond the newest so many (100000).",
)
@option(
    "--journal",
    default=JOURNAL_LENGTH,
    type=NATURAL,
    help="Requests to keep in the journal of each account; 0 keeps none.",
)
@option(
    "--admin-token",
    default="",
    help="Token of the control plane; beyond the loopback one is made up and printed.",
)
@option(
    "--webhook-allow",
    multiple=True,
    metavar="HOST",
    help="A host that webhooks may go to: a name, *.name, an address or a network; repeatable.",
)
@option("--public-url", default="", help="Where clients reach the mock, if behind a proxy.")
@option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the real address to this file, once the mock answers.",
)
def command(
    *,
    host: str,
    port: int,
    store: str,
    workers: int,
    clock: ClockMode,
    speed: float,
    step: str,
    credits: int,  # noqa: A002 - the option's name
    api_key: str,
    customer_id: str,
    id_seed: str,
    seed: Path | None,
    account: tuple[tuple[str, int], ...],
    scenario: str,
    price: tuple[tuple[str, int], ...],
    concat_price: int,
    max_image_mib: int,
    max_request_mib: int,
    keep: Keep,
    journal: int,
    admin_token: str,
    webhook_allow: tuple[str, ...],
    public_url: str,
    ready_file: Path | None,
) -> None:
    """Serve the mock until it is told to stop (SIGTERM, or Ctrl-C)."""
    try:
        begin = Opening(
            clock=clock, speed=speed, step=step, seed=id_seed, scenario=preset(scenario)
        )
        first = replace(begin, api_key=api_key, customer_id=customer_id, credits=credits)
        others = tuple(replace(begin, api_key=key, credits=n) for key, n in account)
    except InvalidError as error:
        fail(str(error))
    seeded = Seeds((first,)) if seed is None else read_seeds(seed)
    default = PriceList()
    settings = ServeSettings(
        host=host,
        port=port,
        store=store,
        workers=workers,
        accounts=(*seeded.openings, *others),
        snapshots=seeded.snapshots,
        prices=replace(
            default, per_second={**default.per_second, **dict(price)}, concat=concat_price
        ),
        limits=Limits(max_image_mib * MEBIBYTE, max_request_mib * MEBIBYTE),
        keep=keep,
        journal=journal,
        admin_token=admin_token,
        webhook_allow=webhook_allow,
        public_url=public_url,
        ready_file=ready_file,
    )
    try:
        _require_distinct_keys(settings.accounts)
        serve(settings)
    except ServeError as error:
        fail(str(error))


def _require_distinct_keys(accounts: tuple[Opening, ...]) -> None:
    keys = [opening.api_key for opening in accounts if opening.api_key]
    if len(set(keys)) < len(keys):
        fail("two accounts have the same API key: give each --account a key of its own")
