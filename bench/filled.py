"""A full store in memory, served as `vimmerse-mock serve` serves: for load from outside.

`python -m bench.filled PORT BATCHES FILE`. Memory can only be filled from within, so the command
itself will not do; granian and its settings are the same. `FILE` is told what was filled.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from granian import Granian
from granian.constants import Interfaces

from bench.databases import CREDITS
from bench.filling import a_busy_month, fill_memory, require_filled
from vimmerse_mock.app import create_mock
from vimmerse_mock.model.account import SAMPLE_ACCOUNT
from vimmerse_mock.stores.memory import MemoryStore

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


def main(arguments: Sequence[str]) -> None:
    """Serve until killed."""
    port, batches, file = arguments
    Granian(
        "vimmerse_mock",
        port=int(port),
        interface=Interfaces.WSGI,
        blocking_threads=4,
        log_enabled=False,
    ).serve(target_loader=partial(_load, int(batches), Path(file)), wrap_loader=False)


def _load(batches: int, file: Path) -> WSGIApplication:
    """Wire a mock and fill it, in the process that answers."""
    store = MemoryStore()
    mock = create_mock(store=store)
    opened = mock.open_account("", replace(SAMPLE_ACCOUNT, credits=CREDITS))
    account = store.account(opened.customer_id)
    filled = fill_memory(store, account, a_busy_month(batches, store.real_time()))
    require_filled(store, account, filled)
    file.write_bytes(msgspec.json.encode(filled))
    mock.dispatcher.start()
    return mock.app


if __name__ == "__main__":
    main(sys.argv[1:])
