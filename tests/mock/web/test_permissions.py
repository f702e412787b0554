"""Keys that may not do everything, and words that no source lists."""

from __future__ import annotations

import json

import pytest

from vimmerse_client import Client, Forbidden
from vimmerse_mock import MockServer, OpeningError
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.model.account import Opening, Permission

KEY = {"X-Api-Key": "key-one"}
FORM = {"image_urls": "http://images.example/1.jpg"}
UNKNOWN = "/batch/00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("permission", "reads", "creates"), [("read_only", 404, 403), ("revoked", 403, 403)]
)
def test_a_key_without_permission_is_forbidden(
    mock: Mock, permission: Permission, reads: int, creates: int
) -> None:
    """A read-only key may read, a revoked one nothing; nothing is charged."""
    account = mock.open_account("http://mock", Opening("key-one", "one", permission=permission))
    api, before = mock.app.test_client(), account.credits
    refused = api.post("/batch", headers=KEY, data=FORM)
    assert (api.get(UNKNOWN, headers=KEY).status_code, refused.status_code) == (reads, creates)
    assert json.loads(refused.data) == {"message": "FORBIDDEN"}
    assert account.credits == before


def test_the_client_has_a_class_for_it() -> None:
    """Over a socket, a read of a revoked key is `Forbidden` too, and not answered aside."""
    opening = Opening(permission="revoked")
    with MockServer(opening=opening) as server:
        client = Client(server.account.key, server.url)
        with client, pytest.raises(Forbidden):
            client.get(UNKNOWN.removeprefix("/batch/"))


def test_an_unknown_permission_is_refused() -> None:
    """The sentence lists those that there are."""
    with pytest.raises(OpeningError, match="full, read_only, revoked"):
        Opening(permission="none")  # type: ignore[arg-type] # that is what is tested


def test_lenient_words_are_accepted() -> None:
    """An unlisted motion type becomes Auto; other words stay as they are."""
    mock = create_mock(lenient_words=True)
    mock.open_account("http://mock", Opening("key-one", "one"))
    form = {**FORM, "motion_type": "Sora", "aspect_ratio": "2:1", "visibility_status": "7"}
    answer = mock.app.test_client().post("/batch", headers=KEY, data=form)
    batch = json.loads(answer.data)["data"]
    mock.close()
    assert batch["pose_preset"][0]["MotionType"] == "Auto"
    assert batch["pose_preset"][0]["Params"].endswith("|AspectRatio=2:1")
    assert batch["visibility_status"] == "7"


def test_words_in_a_wrong_case_are_refused_by_default(mock: Mock) -> None:
    """By default the words are those that the sources list."""
    mock.open_account("http://mock", Opening("key-one", "one"))
    form = {**FORM, "motion_type": "Sora"}
    assert mock.app.test_client().post("/batch", headers=KEY, data=form).status_code == 422
