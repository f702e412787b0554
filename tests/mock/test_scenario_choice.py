"""Which scenario a batch gets: its own markers, then the account's next, then its default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from support.frozen_time import FrozenTime
from vimmerse_mock.account.account import Account
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.errors import InsufficientCreditError, MarkerError
from vimmerse_mock.model.account import AccountState, Opening
from vimmerse_mock.model.batch import Batch, Image, Submission, SubmissionKind
from vimmerse_mock.model.clock import SECOND
from vimmerse_mock.model.scenarios import REFUSED_MESSAGE, SCENARIOS, Pace, Scenario, Script
from vimmerse_mock.model.timeline import plan
from vimmerse_mock.server import MockServer
from vimmerse_mock.stores import open_store

Form = Callable[..., dict[str, Any]]
HOOK = "http://127.0.0.1:9/hook"
QUEUED, SLOW, STUCK = (SCENARIOS[name] for name in ("queued", "slow", "stuck"))


@pytest.fixture
def account(mock: Mock) -> Account:
    """An account with 100 credits and a clock moved by hand."""
    return mock.open_account("http://mock", Opening(credits=100, clock="manual", seed="s"))


def state_of(mock: Mock, account: Account) -> AccountState:
    """The account as the store has it."""
    return mock.courier.store.account(account.customer_id)


def plan_next(mock: Mock, account: Account, *scenarios: Scenario) -> None:
    """Decide what becomes of the next submissions."""
    with mock.courier.store.transaction(account.customer_id) as tx:
        tx.save_account(replace(tx.account, next_scenarios=scenarios))


def expected(scenario: Scenario, medias: int = 4) -> Script:
    """The script that a scenario comes to."""
    return Pace().script("Auto", 5, 1, scenario, medias)


def script(batch: Batch) -> Script:
    """The script that a batch got."""
    return batch.submission.script


@pytest.mark.parametrize("title", ["[vimmerse:stuck]", "A fine day vimmerse--stuck", ""])
@pytest.mark.parametrize("following", [(), (SLOW,), (SLOW, QUEUED)])
@pytest.mark.parametrize("default", ["success", "queued"])
def test_a_marker_wins_over_the_next_and_the_next_over_the_default(
    mock: Mock,
    account: Account,
    form: Form,
    images: list[Image],
    title: str,
    following: tuple[Scenario, ...],
    default: str,
) -> None:
    """The three ways are tried in that order, and only the one that is used up is gone."""
    account.use_scenario(default)
    plan_next(mock, account, *following)
    batch = mock.service.create(account.customer_id, form(title=title), images).batch
    chosen = STUCK if title else following[0] if following else SCENARIOS[default]
    assert script(batch) == expected(chosen)
    left = following if title else following[1:]
    assert state_of(mock, account).next_scenarios == left
    assert state_of(mock, account).scenario == SCENARIOS[default]


def test_the_next_scenarios_are_taken_in_order(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """Each submission takes the first, and when none is left the default counts again."""
    plan_next(mock, account, SLOW, STUCK)
    made = [mock.service.create(account.customer_id, form(), images[:1]).batch for _ in range(3)]
    assert [script(batch) for batch in made] == [
        expected(scenario, 1) for scenario in (SLOW, STUCK, Scenario())
    ]


def test_an_update_that_processes_again_takes_one_and_others_take_none(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """Whatever generates takes the next scenario; metadata and a concat leave it."""
    batch = mock.service.create(account.customer_id, form(), images[:1]).batch
    account.clock.advance(60)
    plan_next(mock, account, SLOW, STUCK)
    mock.service.update(account.customer_id, batch.id, {"title": "T"})
    mock.service.concat(account.customer_id, batch.id)
    assert state_of(mock, account).next_scenarios == (SLOW, STUCK)
    again = mock.service.update(account.customer_id, batch.id, {"duration": 5}).batch
    assert script(again) == expected(SLOW, 1)
    assert state_of(mock, account).next_scenarios == (STUCK,)


def test_a_batch_keeps_the_marker_of_its_title_until_it_is_titled_anew(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """Processed again, the title that the batch has by then decides."""
    plan_next(mock, account, SLOW)
    marked = form(title="[vimmerse:stuck]")
    batch = mock.service.create(account.customer_id, marked, images[:1]).batch
    again = mock.service.update(account.customer_id, batch.id, {"duration": 5}).batch
    assert script(again) == expected(STUCK, 1)
    changes = {"title": "Plain", "duration": 5}
    plain = mock.service.update(account.customer_id, batch.id, changes).batch
    assert script(plain) == expected(SLOW, 1)


def test_a_refused_submission_takes_none(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """Without credit, neither a creation nor an update uses a scenario up."""
    batch = mock.service.create(account.customer_id, form(), images).batch
    plan_next(mock, account, STUCK)
    before = state_of(mock, account)
    dear = {"motion_type": "Veo", "duration": 10}
    with pytest.raises(InsufficientCreditError):
        mock.service.create(account.customer_id, {**form(), **dear}, images)
    with pytest.raises(InsufficientCreditError):
        mock.service.update(account.customer_id, batch.id, dear)
    assert state_of(mock, account) == before


def test_a_marked_image_meets_its_fate_in_whatever_scenario_it_is(
    mock: Mock, account: Account, form: Form
) -> None:
    """An image's marker is about that image only; the batch's scenario is chosen as ever."""
    plan_next(mock, account, Scenario(queue="3s", fail_medias=[0]))
    images = [
        Image("0.png", "png", 9),
        Image("http://images.example/vimmerse--fail.jpg?w=1"),
        Image("2.vimmerse--nsfw.png", "png", 9),
        Image("3.png", "png", 9),
    ]
    batch = mock.service.create(account.customer_id, form(), images).batch
    assert script(batch) == expected(
        Scenario(queue="3s", fail_medias=[0, 1], refuse_medias=[2]),
    )
    account.clock.advance(60)
    seen = mock.service.read(state_of(mock, account), batch.id).seen
    assert (seen.finished, seen.failed, seen.message) == ((3,), (0, 1, 2), REFUSED_MESSAGE)


def test_a_title_may_say_it_in_detail(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """A marker takes every field of a scenario, with or without a name before."""
    detailed = (
        "[vimmerse:queue=2s, processing=40s, fail_medias=1,3, refuse_medias=0, "
        "fail_all=false, stuck_at=70, message=Oh no, it broke]"
    )
    batch = mock.service.create(account.customer_id, form(title=detailed), images).batch
    assert script(batch) == expected(
        Scenario(
            queue="2s",
            processing="40s",
            fail_medias=[1, 3],
            refuse_medias=[0],
            stuck_at=70,
            message="Oh no, it broke",
        )
    )
    named = form(title="[vimmerse:slow, fail_at=10]")
    batch = mock.service.create(account.customer_id, named, images).batch
    assert script(batch) == expected(replace(SLOW, fail_at=10))


@pytest.mark.parametrize(
    ("title", "says"),
    [
        ("[vimmerse:stcuk]", r"\[vimmerse:stcuk\]: no scenario 'stcuk': there are success, .*"),
        ("[vimmerse:]", "no scenario ''"),
        ("vimmerse--", "no scenario ''"),
        ("[vimmerse:Stuck]", "no scenario 'Stuck'"),
        ("[vimmerse:queue=soon]", "'soon' is no span of time"),
        ("[vimmerse:fail_medias=first]", "fail_medias: expected a list"),
        ("[vimmerse:fail_at=1" + 900 * "0" + "]", "fail_at: expected a percent"),
        ("[vimmerse:queue=1s, queue=2s]", "it sets one field twice"),
        ("[vimmerse:slow, name=stuck]", "it sets one field twice"),
        ("[vimmerse:colour=red]", "has no 'colour': its fields are name, queue"),
        ("[vimmerse:slow] [vimmerse:fail_medias=1]", "write only one marker"),
    ],
)
def test_a_title_that_says_nothing_known_changes_nothing(
    mock: Mock, account: Account, form: Form, images: list[Image], title: str, says: str
) -> None:
    """A typo is an error that says what there is; a creation and an update leave all as it was."""
    batch = mock.service.create(account.customer_id, form(), images).batch
    before, ledger = state_of(mock, account), account.ledger
    with pytest.raises(MarkerError, match=says) as caught:
        mock.service.create(account.customer_id, form(title=title), images)
    assert len(str(caught.value)) < 1_000
    for changes in ({"title": title}, {"title": title, "duration": 5}):
        with pytest.raises(MarkerError, match=says):
            mock.service.update(account.customer_id, batch.id, changes)
    after = mock.service.read(state_of(mock, account), batch.id).batch
    assert (state_of(mock, account), account.ledger, after) == (before, ledger, batch)


def test_a_stuck_batch_has_no_webhook_until_it_is_processed_again(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """Nothing is planned for what has no end, nor when its webhook_url changes."""
    account.use_scenario("stuck")
    batch = mock.service.create(account.customer_id, form(webhook_url=HOOK), images[:1]).batch
    mock.service.update(account.customer_id, batch.id, {"webhook_url": f"{HOOK}/2"})
    assert [event.what for event in account.clock.advance(10**6)] == ["processing -> stuck at 50 %"]
    assert account.clock.advance_to_next() == ()
    assert mock.courier.store.messages(account.customer_id) == ()
    assert mock.courier.store.next_due() is None
    account.use_scenario("success")
    mock.service.update(account.customer_id, batch.id, {"duration": 5})
    (message,) = account.outbox
    assert (message.submission, message.status) == (2, "success")


def test_a_stuck_batch_takes_its_place_among_those_at_once_for_ever(api: Api) -> None:
    """Where batches at once are limited, it counts for good, and an hour is the longest wait."""
    api.account.limit(concurrent_batches=1)
    assert api.create(title="[vimmerse:stuck]").status_code == 200
    api.account.clock.advance("10d")
    refused = api.create()
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3600")


def test_an_instant_batch_is_answered_as_begun_and_read_as_ended(
    mock: Mock, account: Account, form: Form, images: list[Image]
) -> None:
    """Creation and update answer 'processing' at 0 %, as documented; every reading is final."""
    account.use_scenario("instant")
    created = mock.service.create(account.customer_id, form(), images[:1])
    updated = mock.service.update(account.customer_id, created.batch.id, {"duration": 5})
    for view in (created, updated):
        assert (view.seen.status.value, view.seen.progress) == ("processing", 0)
        read = mock.service.read(state_of(mock, account), view.batch.id)
        assert (read.seen.status.value, read.seen.progress) == ("success", 100)


@pytest.mark.parametrize("url", ["memory:", "sqlite"])
def test_what_was_chosen_outlives_every_later_choice(
    form: Form, images: list[Image], tmp_path: Path, url: str
) -> None:
    """A batch keeps its script, though default, next, title and even the pace change afterwards."""
    store = open_store(url if url == "memory:" else f"sqlite:///{tmp_path / 'mock.db'}")
    time = FrozenTime()
    mock = create_mock(store=store, real_time=time)
    account = mock.open_account("http://mock", Opening(clock="manual"))
    plan_next(mock, account, SLOW, Scenario(message="Later.", queue=2, fail_medias=[3]))
    batch = mock.service.create(account.customer_id, form(), images).batch
    account.use_scenario("fail")
    hurried = replace(mock.service, pace=Pace(queue=0, per_video_second=0, concat=0))
    hurried.update(account.customer_id, batch.id, {"title": "[vimmerse:fail]"})
    state = store.account(account.customer_id)
    assert script(hurried.read(state, batch.id).batch) == expected(SLOW)
    assert state.next_scenarios == (Scenario(message="Later.", queue=2, fail_medias=[3]),)
    mock.close()


class Api:
    """The real HTTP API of a server, for one account."""

    def __init__(self, server: MockServer) -> None:
        self.account = server.open_account(Opening(clock="manual"))
        self.headers = {"X-Api-Key": self.account.key}

    def create(self, **fields: Any) -> requests.Response:
        """`POST /batch` with URLs."""
        form = {"image_urls": ["http://images.example/1.jpg"], **fields}
        url = f"{self.account.url}/batch"
        return requests.post(url, headers=self.headers, data=form, timeout=60)

    def upload(self, names: Sequence[str], png: bytes) -> requests.Response:
        """`POST /batch` with files."""
        files = [("image_files", (name, png)) for name in names]
        url = f"{self.account.url}/batch"
        return requests.post(url, headers=self.headers, files=files, timeout=60)

    def update(self, batch_id: str, **fields: Any) -> requests.Response:
        """`PUT /batch/{batch_id}/edit`."""
        url = f"{self.account.url}/batch/{batch_id}/edit"
        return requests.put(url, headers=self.headers, data=fields, timeout=60)

    def get(self, batch_id: str) -> dict[str, Any]:
        """`GET /batch/{batch_id}`."""
        url = f"{self.account.url}/batch/{batch_id}"
        data: dict[str, Any] = requests.get(url, headers=self.headers, timeout=60).json()["data"]
        return data


@pytest.fixture
def api(live_server: MockServer) -> Api:
    """The API, for an account of this test's own."""
    return Api(live_server)


@pytest.mark.parametrize(
    ("name", "after", "status", "progress"),
    [
        ("success", 60, "success", 100),
        ("partial", 60, "success", 100),
        ("fail", 60, "fail", 99),
        ("instant", 0, "success", 100),
        ("slow", 899, "processing", 99),
        ("slow", 900, "success", 100),
        ("queued", 300, "processing", 0),
        ("queued", 360, "success", 100),
        ("fail_late", 60, "fail", 90),
        ("stuck", 10**6, "processing", 50),
        ("nsfw", 60, "success", 100),
    ],
)
def test_a_preset_shows_over_http(
    api: Api, name: str, after: int, status: str, progress: int
) -> None:
    """A title's marker brings each preset about on a real server, whoever the client is."""
    two = ["http://images.example/1.jpg", "http://images.example/2.jpg"]
    created = api.create(title=f"[vimmerse:{name}]", image_urls=two).json()["data"]
    assert (created["status"], created["progress_percentage"]) == ("processing", 0)
    api.account.clock.advance(after)
    seen = api.get(created["id"])
    assert (seen["status"], seen["progress_percentage"]) == (status, progress)
    assert bool(seen["message"]) == (status == "fail" or name == "nsfw")
    failed = {"partial": 1, "nsfw": 1, "fail": 2, "fail_late": 2}.get(name, 0)
    assert len(seen["failed_medias"]) == failed
    assert ("video_url" in seen) == (status == "success")


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_preset_goes_over_http_as_it_is_planned(api: Api, name: str) -> None:
    """Whatever presets there are, a real server shows the course that the model plans."""
    two = ["http://images.example/1.jpg", "http://images.example/2.jpg"]
    created = api.create(title=f"[vimmerse:{name}]", image_urls=two).json()["data"]
    submission = Submission(1, SubmissionKind.GENERATE, 0, expected(SCENARIOS[name], 2))
    timeline = plan(submission, 2)
    api.account.clock.advance(timeline.halts_at / SECOND)
    seen, planned = api.get(created["id"]), timeline.at(timeline.halts_at)
    shown = (seen["status"], seen["progress_percentage"], seen["message"])
    assert shown == (planned.status, planned.progress, planned.message)
    assert len(seen["failed_medias"]) == len(planned.failed)


def test_marked_uploads_and_urls_show_over_http(api: Api, png: bytes) -> None:
    """The name of a file and the URL of an image decide over that image alone."""
    uploaded = api.upload(["a.png", "vimmerse--fail.png"], png).json()["data"]
    linked = api.create(
        image_urls=["http://images.example/vimmerse--nsfw/1.jpg", "http://images.example/2.jpg"]
    ).json()["data"]
    api.account.clock.advance(60)
    assert api.get(uploaded["id"])["failed_medias"] == uploaded["medias"][1:]
    assert api.get(linked["id"])["failed_medias"] == linked["medias"][:1]
    assert api.get(linked["id"])["message"] == REFUSED_MESSAGE


def test_an_unknown_marker_is_a_422_that_lists_what_there_is(api: Api, png: bytes) -> None:
    """It names the field as the API's own errors do, and the credits stay."""
    fine = api.create().json()["data"]["id"]
    before = api.account.credits
    answers = {
        ("body", "title"): api.create(title="[vimmerse:explode]"),
        ("body", "image_urls", 0): api.create(image_urls=["http://images.example/vimmerse--slow"]),
        ("body", "image_files", 1): api.upload(["a.png", "vimmerse--stuck.png"], png),
    }
    for place, answer in answers.items():
        (problem,) = answer.json()["detail"]
        assert (answer.status_code, tuple(problem["loc"])) == (422, place)
        assert problem["type"] == "value_error"
        assert all(known in problem["msg"] for known in ("nsfw", "fail"))
    assert api.update(fine, title="[vimmerse:explode]").status_code == 422
    assert api.update("no-uuid", title="[vimmerse:explode]").status_code == 422
    assert api.account.credits == before
    assert api.get(fine)["title"] == ""


def test_a_marker_wins_over_the_accounts_default_over_http(api: Api) -> None:
    """The default counts for a plain request, the marker for a marked one."""
    api.account.use_scenario("fail")
    plain = api.create().json()["data"]["id"]
    marked = api.create(title="[vimmerse:success]").json()["data"]["id"]
    api.account.clock.advance(60)
    assert [api.get(one)["status"] for one in (plain, marked)] == ["fail", "success"]
