"""`POST /batch`, where it is accepted."""

from __future__ import annotations

from typing import Final

import pytest

from vimmerse_contracts.checks import Batch
from vimmerse_contracts.operations import CREATE
from vimmerse_contracts.runs.prices import Form, creation
from vimmerse_contracts.suite.api import IMAGE_URL, TINY, Api, params, png, text_part, upload
from vimmerse_contracts.suite.shared import COURSE, FINISHED, Shared
from vimmerse_contracts.suite.target import Capability, Target

_PARAMS_OF_DEFAULTS = "Prompt=|CameraPath=|Quantity=1|MotionAmount=5|MotionLength=5|Loop=1"

_ALL_GIVEN: Final[Form] = {
    **TINY,
    "description": "Three = 3",
    "visibility_status": "2",
    "is_transition": "true",
    "motion_type": "KlingAI",
    "prompt": "A boat",
    "loop": 3,
    "sound_effects": "Yes",
}


@pytest.mark.vimmerse_costs(creation(TINY))
def test_a_creation_answers_with_the_batch_in_processing(contract_api: Api) -> None:
    """A creation answers 200 with the new batch, which is processing (create.object)."""
    batch = contract_api.created({**TINY, "title": "Ein Gruß"})
    assert (batch["status"], batch["progress_percentage"]) == ("processing", 0)
    assert batch["title"] == "Ein Gruß"
    assert (batch["finished_medias"], batch["failed_medias"]) == ([], [])


@pytest.mark.vimmerse_costs(COURSE)
def test_an_object_has_the_keys_of_the_example(contract_shared: Shared) -> None:
    """The Batch has the example's keys, in its order, with its types (object.keys)."""
    batch = contract_shared.course[0]
    fixed = {key: batch[key] for key in ("generate_type", "version", "upload_urls", "storyboard")}
    assert fixed == {
        "generate_type": "GENERATE_VIDEO",
        "version": "2",
        "upload_urls": {},
        "storyboard": {},
    }


@pytest.mark.vimmerse_costs(COURSE, FINISHED)
def test_ids_are_of_version_4(contract_shared: Shared) -> None:
    """Two batches and their medias have ids of version 4, none of them twice (object.ids)."""
    one, two = contract_shared.course[0], contract_shared.finished
    ids = {batch["id"] for batch in (one, two)}
    ids |= {media["media_id"] for batch in (one, two) for media in batch["medias"]}
    assert len(ids) == 2 + 3 + 1


@pytest.mark.vimmerse_costs(COURSE)
def test_timestamps_are_written_as_in_the_example(contract_shared: Shared) -> None:
    """A new batch is as old as its last update, in the seed's format (object.timestamps)."""
    batch = contract_shared.course[0]
    assert batch["created_at"] == batch["updated_at"]


@pytest.mark.vimmerse_costs(creation(TINY, uploads=2))
def test_each_upload_becomes_a_media(contract_api: Api) -> None:
    """Each uploaded image becomes one media, whatever the text fields say (create.files)."""
    files = [upload("one.png", png()), upload("two.png", png(65)), text_part("duration", "1")]
    batch = contract_api.created({"title": "Two images"}, files)
    assert len(batch["medias"]) == 2
    assert (batch["title"], params(batch)["MotionLength"]) == ("Two images", "1")


@pytest.mark.vimmerse_costs(COURSE)
def test_each_url_becomes_a_media(contract_shared: Shared) -> None:
    """Each repetition of image_urls becomes one media (create.urls)."""
    assert len(contract_shared.course[0]["medias"]) == 3


@pytest.mark.vimmerse_costs(creation(TINY, uploads=1))
def test_files_win_over_urls(contract_api: Api) -> None:
    """URLs are ignored where files are uploaded (create.files_win)."""
    form: Form = {"image_urls": [IMAGE_URL] * 3, "duration": 1}
    batch = contract_api.created(form, [upload("one.png", png())])
    assert len(batch["medias"]) == 1


@pytest.mark.vimmerse_costs(creation({"image_urls": [IMAGE_URL]}))
def test_what_is_not_given_takes_its_default(contract_api: Api) -> None:
    """Fields that are not given take the documented defaults (create.defaults)."""
    batch = contract_api.created({"image_urls": [IMAGE_URL]})
    texts = [batch[name] for name in ("title", "description", "visibility_status", "is_transition")]
    assert texts == ["", "", "1", "No"]
    assert batch["pose_preset"] == [{"MotionType": "Auto", "Params": _PARAMS_OF_DEFAULTS}]
    assert batch["submit_params"]["sound_effects"].title() == "No"


@pytest.mark.vimmerse_costs(creation(_ALL_GIVEN))
def test_what_is_given_is_in_the_object(contract_api: Api) -> None:
    """Given fields stand in the Batch where the example has them (create.object)."""
    batch = contract_api.created(_ALL_GIVEN)
    assert (batch["description"], batch["visibility_status"]) == ("Three = 3", "2")
    assert (batch["is_transition"], batch["pose_preset"][0]["MotionType"]) == ("Yes", "KlingAI")
    assert (params(batch)["Prompt"], params(batch)["Loop"]) == ("A boat", "3")
    assert batch["submit_params"]["sound_effects"].title() == "Yes"


@pytest.mark.vimmerse_costs(creation({**TINY, "duration": 2}))
def test_motion_is_range_and_duration(contract_api: Api) -> None:
    """MotionAmount is motion_range and MotionLength is duration (object.motion)."""
    batch = contract_api.created({**TINY, "motion_range": 9, "duration": 2})
    assert (params(batch)["MotionAmount"], params(batch)["MotionLength"]) == ("9", "2")


@pytest.mark.vimmerse_costs(creation(TINY), COURSE)
def test_an_aspect_ratio_ends_params(contract_api: Api, contract_shared: Shared) -> None:
    """AspectRatio stands last in Params where one was given, else nowhere (create.aspect_ratio)."""
    given = contract_api.created({**TINY, "aspect_ratio": "9:16"})
    assert given["pose_preset"][0]["Params"].endswith("|Loop=1|AspectRatio=9:16")
    assert "AspectRatio" not in params(contract_shared.course[0])


@pytest.mark.vimmerse_costs(creation(TINY))
def test_unknown_fields_are_ignored(contract_api: Api) -> None:
    """A field that the API does not know changes nothing (create.unknown_fields)."""
    batch = contract_api.created({**TINY, "colour": "blue", "id": "mine"})
    assert "colour" not in batch
    assert batch["id"] != "mine"


@pytest.mark.vimmerse_costs(creation(TINY), COURSE)
def test_an_empty_text_is_not_given(contract_api: Api, contract_shared: Shared) -> None:
    """An empty text counts as not given (create.empty_is_absent)."""
    names = ("title", "motion_type", "loop", "aspect_ratio", "webhook_url")
    with_them = contract_api.created({**TINY, **dict.fromkeys(names, "")})
    without = contract_shared.course[0]
    assert _asked(with_them) == _asked(without)


@pytest.mark.vimmerse_costs(creation(TINY))
def test_the_last_of_repeated_values_counts(contract_api: Api) -> None:
    """Of a field that is repeated, the last value counts (create.empty_is_absent)."""
    form = {**TINY, "loop": ["3", "2"], "title": ["first", "last"]}
    batch = contract_api.created(form)
    assert (batch["title"], params(batch)["Loop"]) == ("last", "2")


@pytest.mark.vimmerse_costs(creation(TINY))
def test_the_key_goes_in_a_header(vimmerse_target: Target, contract_api: Api) -> None:
    """A key in the form instead of the header X-Api-Key is none (auth.header)."""
    form = {**TINY, "X-Api-Key": vimmerse_target.api_key, "api_key": vimmerse_target.api_key}
    with Api(vimmerse_target, None) as anonymous:
        assert anonymous.send(CREATE, form=form).status_code == 401
    contract_api.created(form)


@pytest.mark.vimmerse_needs(Capability.BALANCE)
@pytest.mark.vimmerse_costs(creation(TINY))
def test_a_creation_is_paid_when_it_is_accepted(vimmerse_target: Target, contract_api: Api) -> None:
    """Credit is taken on acceptance, and not again (create.charge_at_submission)."""
    before = vimmerse_target.balance()
    batch = contract_api.created(TINY)
    charged = vimmerse_target.balance()
    contract_api.watch(batch["id"])
    assert before > charged == vimmerse_target.balance()


@pytest.mark.vimmerse_costs(COURSE)
def test_a_finished_batch_is_still_what_was_created(contract_shared: Shared) -> None:
    """What was asked stands in the object to the end (create.object)."""
    created, *_, finished = contract_shared.course
    assert finished["pose_preset"] == created["pose_preset"]
    assert finished["medias"] == created["medias"]


def _asked(batch: Batch) -> tuple[object, object]:
    return batch["title"], batch["pose_preset"]
