"""`POST /batch/{batch_id}/concat`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vimmerse_contracts.checks import check_error, check_progress, check_video
from vimmerse_contracts.operations import BAD_REQUEST, READ
from vimmerse_contracts.runs.prices import Form, creation
from vimmerse_contracts.suite.api import TINY, Api, download
from vimmerse_contracts.suite.shared import CONCATENATED, Shared
from vimmerse_contracts.suite.target import Capability


@pytest.mark.vimmerse_costs(CONCATENATED)
def test_a_concat_answers_with_the_batch(contract_shared: Shared) -> None:
    """A concat answers with the same batch, as asked for (concat.object)."""
    before, answer, *_ = contract_shared.concatenated
    same = ("id", "title", "medias", "pose_preset", "submit_params", "created_at")
    assert {key: answer[key] for key in same} == {key: before[key] for key in same}


@pytest.mark.vimmerse_costs(CONCATENATED)
def test_a_composing_batch_is_processing(contract_shared: Shared) -> None:
    """A composing batch processes from 0, with its medias but no video (concat.processing)."""
    before, answer, *_ = contract_shared.concatenated
    assert (answer["status"], answer["progress_percentage"]) == ("processing", 0)
    assert answer["finished_medias"] == before["finished_medias"]
    assert "video_url" not in answer


@pytest.mark.vimmerse_costs(CONCATENATED)
def test_a_composed_batch_has_a_video(contract_shared: Shared) -> None:
    """After the concat there is a video_url that leads to a video (concat.video)."""
    _, *course = contract_shared.concatenated
    check_progress(course, READ.id)
    assert course[-1]["status"] == "success"
    check_video(download(course[-1]["video_url"]))


@pytest.mark.vimmerse_costs(creation(TINY))
def test_a_batch_still_processing_cannot_be_composed(
    contract_api: Api, contract_unfinished: Form
) -> None:
    """To concat what still processes is 400 (concat.too_early, error.400)."""
    created = contract_api.created(contract_unfinished)
    check_error(contract_api.concat(created["id"]), BAD_REQUEST)


@pytest.mark.vimmerse_needs(Capability.FAILING_MEDIAS)
@pytest.mark.vimmerse_costs(creation(TINY))
def test_a_failed_batch_cannot_be_composed(
    contract_api: Api, contract_failing: Callable[[int], None]
) -> None:
    """To concat a batch with nothing finished is 400 (concat.too_early, error.400)."""
    contract_failing(1)
    created = contract_api.created(TINY)
    contract_api.watch(created["id"])
    check_error(contract_api.concat(created["id"]), BAD_REQUEST)
    assert contract_api.seen(created["id"])["status"] == "fail"
