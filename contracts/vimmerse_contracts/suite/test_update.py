"""`PUT /batch/{batch_id}/edit`."""

from __future__ import annotations

from typing import Final

import pytest

from vimmerse_contracts.checks import (
    Batch,
    asked,
    check_error,
    check_progress,
    check_unchanged,
    check_validation,
)
from vimmerse_contracts.operations import INSUFFICIENT_CREDIT, READ
from vimmerse_contracts.runs.prices import Form, again, creation
from vimmerse_contracts.suite.api import TINY, Api, params
from vimmerse_contracts.suite.shared import (
    ALL_SET,
    BROKE_BATCH,
    CHANGE,
    CHANGEABLE,
    FINISHED,
    OTHER_VALUES,
    SETTLED,
    Shared,
)
from vimmerse_contracts.suite.target import Capability, Target
from vimmerse_contracts.vocabulary import RESUBMITTING_FIELDS

_METADATA = {
    "title": "New title",
    "description": "New description",
    "rating": "5",
    "visibility_status": "2",
    "webhook_url": "https://receiver.invalid/webhook",
}
"""The fields of an update that never cost (S; webhook_url P26); the host exists nowhere."""

_TITLED: Final[Form] = {**TINY, "title": "Kept", "prompt": "A boat"}

_every_metadata = pytest.mark.parametrize("field", _METADATA)
_every_resubmitting = pytest.mark.parametrize("field", RESUBMITTING_FIELDS)


@pytest.mark.vimmerse_costs(creation(TINY))
def test_an_update_answers_with_the_updated_batch(
    contract_api: Api, contract_unfinished: Form
) -> None:
    """An update answers with the batch as it now is, and a read says the same (update.object)."""
    created = contract_api.created(contract_unfinished)
    form = {"title": "New title", "description": "Said anew", "visibility_status": "0"}
    updated = contract_api.updated(created["id"], form)
    assert {name: updated[name] for name in form} == form
    assert updated["updated_at"] >= created["updated_at"]
    read = contract_api.seen(created["id"])
    assert {name: read[name] for name in form} == form


@pytest.mark.vimmerse_costs(creation(_TITLED), creation(_TITLED))
def test_what_an_update_does_not_name_stays(contract_api: Api) -> None:
    """What is not given stays as it was (update.object)."""
    created = contract_api.created(_TITLED)
    updated = contract_api.updated(created["id"], {"loop": 2})
    assert (updated["title"], params(updated)["Prompt"]) == ("Kept", "A boat")
    assert (updated["id"], updated["medias"]) == (created["id"], created["medias"])


@_every_metadata
@pytest.mark.vimmerse_costs(FINISHED)
def test_metadata_never_processes_again(
    contract_api: Api, contract_shared: Shared, field: str
) -> None:
    """A finished batch stays finished when its metadata changes (update.metadata)."""
    batch = contract_shared.finished
    updated = contract_api.updated(batch["id"], {field: _METADATA[field]})
    assert (updated["status"], updated.get("video_url")) == ("success", batch["video_url"])


@pytest.mark.vimmerse_needs(Capability.BALANCE)
@_every_metadata
@pytest.mark.vimmerse_costs(FINISHED)
def test_metadata_costs_nothing(
    vimmerse_target: Target, contract_api: Api, contract_shared: Shared, field: str
) -> None:
    """Metadata takes no credit (update.metadata)."""
    batch, before = contract_shared.finished, vimmerse_target.balance()
    contract_api.updated(batch["id"], {field: _METADATA[field]})
    assert vimmerse_target.balance() == before


@pytest.mark.vimmerse_costs(FINISHED)
def test_an_empty_text_does_not_process_again(contract_api: Api, contract_shared: Shared) -> None:
    """An empty text is not given, so it does not process again (create.empty_is_absent)."""
    form = {"prompt": "", "duration": "", "motion_type": ""}
    updated = contract_api.updated(contract_shared.finished["id"], form)
    assert updated["status"] == "success"


@_every_resubmitting
@pytest.mark.vimmerse_costs(CHANGE, CHANGEABLE)
def test_a_resubmitting_field_processes_again(
    contract_api: Api, contract_shared: Shared, field: str
) -> None:
    """Each of the seven fields starts a finished batch again from 0 (update.resubmits)."""
    batch = contract_shared.changeable()
    form = {field: OTHER_VALUES[field]}
    updated = contract_api.updated(batch["id"], form)
    assert (updated["status"], updated["progress_percentage"]) == ("processing", 0)
    assert _shown(updated)[field] == str(OTHER_VALUES[field])
    course = [updated, *contract_api.watch(batch["id"])]
    check_progress(course, READ.id)
    assert course[-1]["status"] == "success"


@_every_resubmitting
@pytest.mark.vimmerse_costs(creation(ALL_SET), SETTLED)
def test_the_same_value_again_processes_again(
    contract_api: Api, contract_shared: Shared, field: str
) -> None:
    """A resubmitting field counts even where it changes nothing (update.same_value)."""
    batch = contract_shared.settled()
    updated = contract_api.updated(batch["id"], {field: ALL_SET[field]})
    assert (updated["status"], updated["progress_percentage"]) == ("processing", 0)
    assert updated["pose_preset"] == batch["pose_preset"]


@pytest.mark.vimmerse_needs(Capability.BALANCE)
@_every_resubmitting
@pytest.mark.vimmerse_costs(creation(ALL_SET), CHANGE)
def test_a_resubmitting_field_costs_again(
    vimmerse_target: Target, contract_api: Api, field: str
) -> None:
    """To process again reduces credit again (update.resubmits)."""
    batch, before = contract_api.created(ALL_SET), vimmerse_target.balance()
    contract_api.updated(batch["id"], {field: OTHER_VALUES[field]})
    assert vimmerse_target.balance() < before


@pytest.mark.vimmerse_costs(creation(TINY), again(creation(TINY), {"duration": 2}))
def test_metadata_goes_along_with_a_resubmission(contract_api: Api) -> None:
    """One update may change metadata and process again (update.resubmits)."""
    created = contract_api.created(TINY)
    updated = contract_api.updated(created["id"], {"title": "Both", "duration": 2})
    assert (updated["title"], params(updated)["MotionLength"]) == ("Both", "2")
    assert (updated["status"], updated["progress_percentage"]) == ("processing", 0)


@pytest.mark.vimmerse_costs(CHANGE, CHANGEABLE)
def test_nothing_is_finished_while_it_processes_again(
    contract_api: Api, contract_shared: Shared
) -> None:
    """While processed again, nothing is finished or composed (update.no_video_meanwhile)."""
    batch = contract_shared.changeable()
    updated = contract_api.updated(batch["id"], {"prompt": "Anew"})
    assert "video_url" not in updated
    assert (updated["finished_medias"], updated["failed_medias"]) == ([], [])


@pytest.mark.vimmerse_needs(Capability.BROKE_ACCOUNT)
@pytest.mark.vimmerse_costs(BROKE_BATCH)
def test_an_update_without_credit_changes_nothing(
    contract_broke_api: Api, contract_shared: Shared
) -> None:
    """A 402 leaves the batch as it was, metadata included (update.refusal, error.402)."""
    batch_id = contract_shared.broke_batch
    before = contract_broke_api.seen(batch_id)
    refused = contract_broke_api.update(batch_id, {"title": "Never", "duration": 10, "quantity": 4})
    check_error(refused, INSUFFICIENT_CREDIT)
    check_unchanged(before, contract_broke_api.seen(batch_id), asked(refused))


@pytest.mark.vimmerse_costs(FINISHED)
def test_an_invalid_update_changes_nothing(contract_api: Api, contract_shared: Shared) -> None:
    """A 422 leaves the batch as it was, valid fields included (update.refusal)."""
    batch_id = contract_shared.finished["id"]
    before = contract_api.seen(batch_id)
    refused = contract_api.update(batch_id, {"title": "Never", "prompt": "Never", "rating": "6"})
    check_validation(refused, [(("body", "rating"), "literal_error")])
    check_unchanged(before, contract_api.seen(batch_id), asked(refused))


def _shown(batch: Batch) -> dict[str, str]:
    """Return what a Batch shows of each of the fields that resubmit (S)."""
    values = params(batch)
    return {
        "prompt": values["Prompt"],
        "motion_type": batch["pose_preset"][0]["MotionType"],
        "quantity": values["Quantity"],
        "duration": values["MotionLength"],
        "loop": values["Loop"],
        "aspect_ratio": values["AspectRatio"],
        "sound_effects": batch["submit_params"]["sound_effects"].title(),
    }
