"""`GET /batch/{batch_id}`."""

from __future__ import annotations

import pytest

from vimmerse_contracts.checks import asked, check_batch_answer, check_error, check_unchanged
from vimmerse_contracts.operations import BAD_REQUEST, NOT_FOUND
from vimmerse_contracts.runs.prices import creation
from vimmerse_contracts.suite.api import TINY, Api
from vimmerse_contracts.suite.shared import FINISHED, Shared
from vimmerse_contracts.suite.target import Capability


@pytest.mark.vimmerse_costs(creation(TINY))
def test_a_read_answers_with_the_batch(contract_api: Api) -> None:
    """What was created can be read, by its id, with all that was asked (read.object)."""
    created = contract_api.created({**TINY, "title": "Read me", "prompt": "A boat"})
    read = contract_api.seen(created["id"])
    asked_for = ("id", "title", "medias", "pose_preset", "submit_params", "created_at")
    assert {key: read[key] for key in asked_for} == {key: created[key] for key in asked_for}


@pytest.mark.vimmerse_costs(FINISHED)
def test_reading_changes_nothing(contract_api: Api, contract_shared: Shared) -> None:
    """A finished batch reads the same however often it is read (read.object)."""
    batch_id = contract_shared.finished["id"]
    answers = [contract_api.read(batch_id) for _ in range(3)]
    first = check_batch_answer(answers[0])
    for answer in answers:
        check_unchanged(first, check_batch_answer(answer), asked(answer))


def test_a_batch_that_nobody_has_is_not_found(contract_api: Api) -> None:
    """An unknown batch is 404 (read.unknown, error.404)."""
    unknown = "00000000-0000-4000-8000-000000000000"
    check_error(contract_api.read(unknown), NOT_FOUND)


@pytest.mark.vimmerse_needs(Capability.OTHER_ACCOUNT)
@pytest.mark.vimmerse_costs(FINISHED)
def test_the_batch_of_another_is_not_found(
    contract_shared: Shared, contract_other_api: Api
) -> None:
    """Somebody else's batch is 404, as if it were not there (read.foreign, error.404)."""
    check_error(contract_other_api.read(contract_shared.finished["id"]), NOT_FOUND)


@pytest.mark.parametrize("bad_id", ["1", "not-a-uuid", "00000000-0000-4000-8000-00000000000g"])
def test_an_id_that_is_no_uuid_is_a_bad_request(contract_api: Api, bad_id: str) -> None:
    """An id that is no UUID is 400 (read.bad_id, error.400)."""
    check_error(contract_api.read(bad_id), BAD_REQUEST)
