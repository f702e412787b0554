"""Details of scenarios that documented races and habits of the real service need."""

from __future__ import annotations

import json
from typing import Any

from vimmerse_mock.account.account import Account
from vimmerse_mock.app import Mock
from vimmerse_mock.model.account import Opening

KEY = {"X-Api-Key": "key-one"}
FORM = {"image_urls": "http://images.example/1.jpg", "prompt": "Eine Katze"}


class Caller:
    """Creates one batch by a scenario, and reads it."""

    def __init__(self, mock: Mock, **details: Any) -> None:
        opening = Opening("key-one", "one", clock="manual")
        self.account: Account = mock.open_account("http://mock", opening)
        self.account.next_batch("success", **details)
        self._api = mock.app.test_client()
        self.created = self._data(self._api.post("/batch", headers=KEY, data=FORM).data)

    def read(self) -> dict[str, Any]:
        """Return the batch as it is now."""
        return self._data(self._api.get(f"/batch/{self.created['id']}", headers=KEY).data)

    def _data(self, body: bytes) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(body)["data"]
        return data


def test_a_batch_can_wait_as_new(mock: Mock) -> None:
    """It is `new` from the answer of its creation on, and processes from its turn on (P26)."""
    caller = Caller(mock, queue="10s", waits_as_new=True)
    statuses = [caller.created["status"], caller.read()["status"]]
    caller.account.clock.advance("10s")
    turned = caller.read()
    statuses.append(turned["status"])
    assert statuses == ["new", "new", "processing"]
    assert turned["updated_at"] > caller.created["updated_at"]
    assert "new -> processing" in caller.account.story()


def test_the_video_can_come_some_time_after_the_success(mock: Mock) -> None:
    """Who downloads as soon as the status is `success` has no `video_url` yet (P25)."""
    caller = Caller(mock, queue=0, processing=0, video_after="5s")
    caller.account.clock.advance("4s")
    early = caller.read()
    caller.account.clock.advance("1s")
    late = caller.read()
    assert (early["status"], "video_url" in early) == ("success", False)
    assert (late["status"], "video_url" in late) == ("success", True)
    assert late["updated_at"] > early["updated_at"]
    assert "the composed video is there" in caller.account.story()


def test_the_next_event_may_be_the_video(mock: Mock) -> None:
    """Advancing from event to event stops where the video comes."""
    caller = Caller(mock, queue=0, processing=0, video_after="5s")
    caller.account.clock.advance_to_next()
    assert "video_url" in caller.read()


def test_a_translated_prompt_keeps_the_original(mock: Mock) -> None:
    """`Params` has the translation, and ends in the prompt that was given (O)."""
    caller = Caller(mock, translated_prompt="A cat")
    params = caller.created["pose_preset"][0]["Params"]
    assert params.startswith("Prompt=A cat|")
    assert params.endswith("|OriginalPrompt=Eine Katze")
