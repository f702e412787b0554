from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_mock.cli import main
from vimmerse_mock.errors import ScenarioError, UnknownScenarioError
from vimmerse_mock.model.scenarios import (
    FIELDS,
    PRESETS,
    SCENARIOS,
    Scenario,
    read_scenario,
    write_fields,
    write_scenario,
)

PLACES = st.lists(st.integers(0, 50), max_size=4)
WRITTEN = st.none() | st.sampled_from(["2s", "1.5m", "90s", "250ms", 0, 1.5, "1d"])
VALUES = st.builds(
    Scenario,
    queue=WRITTEN,
    processing=WRITTEN,
    fail_medias=PLACES,
    refuse_medias=PLACES,
    fail_all=st.booleans(),
    stuck_at=st.none() | st.integers(0, 99),
    message=st.text(),
)


def test_equal_scenarios_are_written_alike() -> None:
    """A span is seconds, places are in order and once, so that equals are equal."""
    one = Scenario(queue="60s", processing=1.5, fail_medias=[2, 0, 2])
    assert one == Scenario(queue="1m", processing="1500ms", fail_medias=(0, 2))
    assert (one.queue, one.processing, one.fail_medias) == (60, 1.5, (0, 2))
    assert hash(one) == hash(Scenario(queue=60, processing="1.5s", fail_medias=[0, 2]))


def test_a_scenario_is_read_from_what_a_person_writes() -> None:
    """A bare name, a name with changes, or fields alone."""
    fields = {"queue": "2s", "processing": "40s", "fail_medias": [1], "message": "Oh."}
    assert read_scenario(fields) == Scenario(
        queue="2s", processing="40s", fail_medias=[1], message="Oh."
    )
    assert read_scenario("stuck") == read_scenario({"name": "stuck"}) == SCENARIOS["stuck"]
    changed = read_scenario({"name": "slow", "fail_medias": [0]})
    assert changed == Scenario(queue="1m", processing="14m", fail_medias=[0])
    assert read_scenario(changed) is changed
    assert read_scenario({}) == Scenario()


def test_a_scenario_is_written_as_a_person_would() -> None:
    """A preset is its name; anything else is the fields that are not as usual."""
    assert write_scenario(Scenario(queue="90s", processing=3600, fail_medias=[1])) == {
        "queue": "90s",
        "processing": "1h",
        "fail_medias": [1],
    }
    assert [write_scenario(known) for known in SCENARIOS.values()] == [
        {"name": name} for name in SCENARIOS
    ]


@given(VALUES)
def test_what_is_written_is_read_again(scenario: Scenario) -> None:
    """Through JSON and back, by hand or by msgspec, a scenario is the same."""
    assert read_scenario(json.loads(json.dumps(write_scenario(scenario)))) == scenario
    assert read_scenario(write_fields(scenario)) == scenario
    assert msgspec.json.decode(msgspec.json.encode(scenario), type=Scenario) == scenario


def test_what_older_versions_stored_is_read() -> None:
    """An account that was stored before there were more fields keeps its scenario."""
    stored = b'{"processing":"1m","fail_medias":[1],"fail_all":false,"message":"Failed."}'
    scenario = msgspec.json.decode(stored, type=Scenario)
    assert scenario == Scenario(processing=60, fail_medias=[1], message="Failed.")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("explode", "no scenario 'explode': there are success, .*, nsfw"),
        ({"name": "explode"}, "no scenario 'explode': there are success, .*, nsfw"),
        ({"name": 3}, "name: expected a text, not 3"),
        (3, "expected a scenario's name .* or an object with queue, .*, not 3"),
        (["stuck"], "expected a scenario's name"),
        ({"que": "2s"}, r"has no 'que': its fields are name, queue, .*, message"),
        ({"queue": "-2s"}, "queue: '-2s' is no span of time: expected"),
        ({"queue": -2}, "queue: -2 is no span"),
        ({"queue": 10**400}, "queue: "),
        ({"queue": [2]}, r"queue: \[2\] is no span of time"),
        ({"processing": True}, "processing: True is no span"),
        ({"fail_medias": [-1]}, r"fail_medias: expected a list of places .*, not \[-1\]"),
        ({"fail_medias": [10**30]}, "fail_medias: expected a list of places"),
        ({"fail_medias": [True]}, "fail_medias: expected a list of places"),
        ({"fail_medias": 1}, "fail_medias: expected a list of places"),
        ({"refuse_medias": ["0"]}, "refuse_medias: expected a list of places"),
        ({"fail_all": 1}, "fail_all: expected true or false, not 1"),
        ({"fail_at": 100}, "fail_at: expected a percent, 0 to 99, not 100"),
        ({"stuck_at": "50"}, "stuck_at: expected a percent"),
        ({"message": None}, "message: expected a text"),
        ({"name": "stuck", "fail_at": 1}, "give one of the two"),
    ],
)
def test_what_is_no_scenario_is_refused_with_what_is(written: Any, says: str) -> None:
    """A bad value is a ValueError that names it and says what was expected."""
    with pytest.raises(ScenarioError, match=says):
        read_scenario(written)
    assert issubclass(UnknownScenarioError, ScenarioError)
    assert issubclass(ScenarioError, ValueError)


def test_the_command_prints_the_table_into_a_pipe() -> None:
    """`vimmerse-mock scenarios` shows every name and field, and the markers, without escapes."""
    printed = CliRunner().invoke(main, ["scenarios"]).stdout
    assert all(re.search(rf"^{name} ", printed, re.MULTILINE) for name in PRESETS)
    assert all(name in printed for name in FIELDS)
    assert "[vimmerse:NAME]" in printed
    assert "vimmerse--nsfw" in printed
    assert "\x1b" not in printed
    assert max(map(len, printed.splitlines())) <= 100


def test_the_command_prints_json_that_can_be_used_as_it_is() -> None:
    """With `--json` each scenario comes with fields that make it again, and its marker."""
    document = json.loads(CliRunner().invoke(main, ["scenarios", "--json"]).stdout)
    shown = {row["name"]: row for row in document["scenarios"]}
    assert {name: read_scenario(row["scenario"]) for name, row in shown.items()} == SCENARIOS
    assert shown["stuck"]["marker"] == "[vimmerse:stuck]"
    assert set(document["image_markers"]) == {"vimmerse--fail", "vimmerse--nsfw"}
