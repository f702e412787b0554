"""Snapshots: what is exported goes on elsewhere as it would have here; unsound ones are refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.frozen_time import FrozenTime
from support.moves import MOVES, Hand, Move, Receivers, in_process, make_mock
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.control import messages as r
from vimmerse_mock.control import operations as o
from vimmerse_mock.control.snapshots import read_snapshots
from vimmerse_mock.errors import DuplicateAccountError, SnapshotError, UnknownAccountError
from vimmerse_mock.model.account import Opening
from vimmerse_mock.stores import open_store

OPENING = Opening("mine", "me", credits=300, clock="manual", seed="s")
STORES = st.sampled_from(["memory", "sqlite"])


@contextmanager
def mock_on(kind: str, time: FrozenTime, receivers: Receivers) -> Iterator[Mock]:
    """A mock on a store of its own."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        url = "memory:" if kind == "memory" else f"sqlite:///{folder}/mock.db"
        yield stack.enter_context(closing(make_mock(time, receivers, open_store(url))))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(moves=st.lists(MOVES, max_size=12), here=STORES, there=STORES)
def test_an_account_goes_on_elsewhere_as_it_would_have_here(
    moves: list[Move], here: str, there: str
) -> None:
    """What is seen of it is the same after export and import, and so is its future."""
    time, receivers = FrozenTime(), Receivers()
    with mock_on(here, time, receivers) as mock, mock_on(there, time, receivers) as other:
        hand = Hand(mock.open_account("http://mock", OPENING), in_process(mock), receivers)
        for move in moves:
            hand.do(move)
            hand.do(("advance", 0.001))  # batches of one instant have no order of their own in SQL
        exported = hand.account.export()
        other.control().call(o.IMPORT, exported)
        moved = Hand(other.find_account("http://mock", "me"), in_process(other), receivers)
        moved.batches = list(hand.batches)
        assert moved.account.export() == exported
        assert moved.described() == hand.described()
        for later in [("advance", 3.7), ("create", 2, True, "Auto"), ("advance", "1d")]:
            assert moved.do(later) == hand.do(later)
        assert moved.described() == hand.described()


def test_a_clock_goes_on_from_where_it_stood() -> None:
    """Real time that passed between export and import has not passed for the account."""
    time = FrozenTime()
    mock, other = (create_mock(real_time=time) for _ in range(2))
    account = mock.open_account("http://mock", Opening("mine", "me", speed=2))
    time.pass_seconds(10)
    moment, exported = account.clock.now(), account.export()
    time.pass_seconds(3_600)
    other.control().call(o.IMPORT, exported)
    imported = other.find_account("http://mock", "me")
    assert imported.clock.now() == moment
    time.pass_seconds(10)
    assert (imported.clock.now() - moment).total_seconds() == 20


def test_of_several_accounts_all_are_imported_or_none() -> None:
    """Where the last is there already, the first are not there afterwards."""
    mock, other = create_mock(), create_mock()
    for name in ("one", "two"):
        mock.open_account("http://mock", Opening(customer_id=name))
    other.open_account("http://mock", Opening(customer_id="two"))
    files = [mock.find_account("http://mock", name).export() for name in ("one", "two")]
    both = type(files[0])(
        format=files[0].format,
        version=files[0].version,
        accounts=(r.OpenAccount(customer_id="zero"),),
        snapshots=tuple(file.snapshots[0] for file in files),
    )
    with pytest.raises(DuplicateAccountError):
        other.control().call(o.IMPORT, both)
    for name in ("zero", "one"):
        with pytest.raises(UnknownAccountError):
            other.find_account("http://mock", name)


def exported() -> dict[str, Any]:
    """A sound file: one account with one batch."""
    mock = create_mock()
    account = mock.open_account("http://mock", OPENING)
    Hand(account, in_process(mock), Receivers()).do(("create", 1, True, "Auto"))
    (snapshot,) = account.export().snapshots
    file = {"format": "vimmerse-mock snapshot", "version": 1}
    return {**file, "snapshots": [json.loads(r.ENCODER.encode(snapshot))]}


Spoil = Callable[[dict[str, Any]], object]
UNSOUND: dict[str, tuple[Spoil, str]] = {
    "another format": (lambda f: f.update(format="backup"), 'line 1: expected {"format"'),
    "another version": (
        lambda f: f.update(version=2),
        "line 3: the snapshot has version 2, this vimmerse-mock reads version 1",
    ),
    "an unknown field": (lambda f: f.update(acounts=[]), "unknown field `acounts`"),
    "a wrong type deep inside": (
        lambda f: f["snapshots"][0]["batches"][0]["medias"][0].update(id=7),
        "Expected `str`, got `int` - at `$.snapshots[0].batches[0].medias[0].id`",
    ),
    "a typo deep inside": (
        lambda f: f["snapshots"][0]["account"].update(sed="s"),
        "there is no field 'sed'",
    ),
    "a ledger under zero": (
        lambda f: f["snapshots"][0]["ledger"].pop(0),
        "snapshots[0].ledger",
    ),
    "somebody else's batch": (
        lambda f: f["snapshots"][0]["batches"][0].update(customer_id="you"),
        "$.snapshots[0].batches[0].customer_id",
    ),
    "an id that no index takes": (
        lambda f: f["snapshots"][0]["messages"][0].update(id="m" * 256),
        "expected a length of 0 to 255, not 'mmmmm",
    ),
    "an unknown scenario": (
        lambda f: f.update(accounts=[{"scenario": "sucess"}]),
        "no scenario 'sucess': there are success",
    ),
    "a negative credit": (
        lambda f: f.update(accounts=[{"credits": -1}]),
        "`int` >= 0 - at `$.accounts[0].credits`",
    ),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_an_unsound_file_is_refused_with_line_and_field(name: str) -> None:
    """Each is named by its line, and says what was expected."""
    spoil, sentence = UNSOUND[name]
    file = exported()
    spoil(file)
    text = json.dumps(file, indent=1)
    with pytest.raises(SnapshotError, match=r"^line \d+: ") as refused:
        read_snapshots(text.encode())
    assert sentence in str(refused.value)
    line = int(str(refused.value).split()[1].rstrip(":"))
    if "$." in sentence:
        last = sentence.rpartition("$")[2].rpartition(".")[2].strip("`").partition("[")[0]
        assert last in text.splitlines()[line - 1]


@pytest.mark.parametrize("text", ["", "{", "[]", "seed: 1", '{"format": "vimmerse-mock snapsh'])
def test_what_is_no_snapshot_at_all_is_refused(text: str) -> None:
    """No JSON, or JSON of something else, says what a snapshot begins with."""
    with pytest.raises(SnapshotError, match=r"^line 1: "):
        read_snapshots(text.encode())


def test_a_sound_file_is_read() -> None:
    """What the unsound ones were made of is fine."""
    assert len(read_snapshots(json.dumps(exported()).encode()).snapshots) == 1


@pytest.mark.parametrize(
    "name", ["another version", "a wrong type deep inside", "a negative credit"]
)
def test_serve_ends_with_the_line_and_the_field(name: str, tmp_path: Path) -> None:
    """`serve --seed` with an unsound file is exit code 2 and one sentence; nothing is served."""
    spoil, sentence = UNSOUND[name]
    file = exported()
    spoil(file)
    path = tmp_path / "seed.json"
    path.write_text(json.dumps(file, indent=1))
    program = Path(sys.executable).with_name("vimmerse-mock")
    ran = subprocess.run(
        [program, "serve", "--port=0", "--seed", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"--seed {path}, line " in ran.stderr
    assert sentence in ran.stderr
