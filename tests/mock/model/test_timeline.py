from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_contracts.vocabulary import BatchStatus
from vimmerse_mock.errors import UnknownScenarioError
from vimmerse_mock.model.batch import Submission, SubmissionKind
from vimmerse_mock.model.clock import SECOND
from vimmerse_mock.model.scenarios import (
    ALL_FAILED_MESSAGE,
    REFUSED_MESSAGE,
    SCENARIOS,
    Pace,
    Scenario,
    Script,
    scenario,
)
from vimmerse_mock.model.timeline import Observation, Timeline, plan

FOUR = 4


def generation(*, script: Script | None = None) -> Submission:
    """A submission at instant 0 of the default course: ten seconds for four images."""
    return Submission(
        1, SubmissionKind.GENERATE, 0, script or Pace().script("Auto", 5, 1, Scenario(), FOUR)
    )


def script_of(scenario: Scenario, medias: int = FOUR) -> Script:
    """The script of a scenario, at the usual pace."""
    return Pace().script("Auto", 5, 1, scenario, medias)


def seen_at(seconds: float, submission: Submission | None = None) -> Observation:
    """What is seen of four media at so many seconds."""
    return plan(submission or generation(), FOUR).at(round(seconds * SECOND))


def failing(*places: int) -> Submission:
    """A submission of which these media fail."""
    base = generation()
    return replace(base, script=replace(base.script, fail_medias=places, message="No."))


def test_a_submission_starts_processing_at_zero() -> None:
    """At the instant of submission nothing is done yet."""
    seen = seen_at(0)
    assert (seen.status, seen.progress, seen.finished) == (BatchStatus.PROCESSING, 0, ())


def test_media_finish_one_by_one() -> None:
    """After a second in the queue, each media takes two."""
    assert [len(seen_at(t).finished) for t in (2.9, 3, 5, 7, 9)] == [0, 1, 2, 3, 4]


def test_four_images_take_ten_seconds() -> None:
    """A batch of four images of five seconds succeeds after ten, and not before."""
    assert seen_at(9.999).status is BatchStatus.PROCESSING
    seen = seen_at(10)
    assert (seen.status, seen.progress, seen.composed) == (BatchStatus.SUCCESS, 100, True)


def test_some_failed_media_leave_a_success() -> None:
    """A batch in which some media succeed succeeds with what it has, and says nothing is wrong."""
    seen = seen_at(10, failing(1, 3))
    assert (seen.status, seen.finished, seen.failed) == (BatchStatus.SUCCESS, (0, 2), (1, 3))
    assert seen.message == ""


def test_all_failed_media_are_a_failure_with_a_message() -> None:
    """A batch in which every media fails is 'fail', without video, and says why."""
    seen = seen_at(10, failing(0, 1, 2, 3))
    assert (seen.status, seen.composed, seen.message) == (BatchStatus.FAIL, False, "No.")


def test_a_concat_keeps_what_was_finished() -> None:
    """While its videos are joined, a batch shows its finished media, and no video yet."""
    script = Pace().concat_script()
    timeline = plan(Submission(2, SubmissionKind.CONCAT, 0, script, (0, 2), (1,)), FOUR)
    assert (timeline.at(0).finished, timeline.at(0).composed) == ((0, 2), False)
    assert (timeline.at(SECOND).composed, timeline.at(SECOND).failed) == (True, (1,))


@pytest.mark.parametrize(
    ("wants", "takes"),
    [
        (("Auto", 10, 1), 18.0),
        (("Auto", 5, 2), 18.0),
        (("Veo", 5, 1), 26.0),
    ],
)
def test_longer_videos_more_of_them_and_slower_models_take_longer(
    wants: tuple[str, int, int], takes: float
) -> None:
    """How long processing takes follows from duration, quantity and motion type."""
    script = Pace().script(*wants, Scenario(), FOUR)
    assert plan(generation(script=script), FOUR).ends_at == takes * SECOND


def test_an_unknown_scenario_is_refused_with_those_there_are() -> None:
    """Asking for a preset that does not exist names the presets."""
    with pytest.raises(UnknownScenarioError, match=r"'explode'.*success, partial, fail, .*nsfw"):
        scenario("explode")


def test_a_batch_that_waits_shows_no_progress() -> None:
    """Progress is 0 % until a batch's turn has come, and the status is 'processing' all along."""
    submission = generation(script=script_of(Scenario(queue="5m")))
    waiting = seen_at(299, submission)
    assert (waiting.status, waiting.progress) == (BatchStatus.PROCESSING, 0)
    assert seen_at(304.5, submission).progress == 50


def test_a_script_of_an_older_version_is_planned_as_it_was() -> None:
    """A stored script without the newer fields counts the queue into its progress, as ever."""
    stored = b'{"queue":5000000,"media":1000000,"finish":1000000,"fail_medias":[1],"message":"No."}'
    submission = generation(script=msgspec.json.decode(stored, type=Script))
    assert seen_at(5, submission).progress == 50
    assert seen_at(10, submission).failed == (1,)


def test_the_processing_of_a_scenario_is_shared_by_the_media() -> None:
    """Forty seconds after two in the queue: each of four media takes ten, and that is the end."""
    submission = generation(script=script_of(Scenario(queue="2s", processing="40s")))
    assert [len(seen_at(t, submission).finished) for t in (11.9, 12, 22, 32, 41.9)] == [
        0,
        1,
        2,
        3,
        3,
    ]
    assert seen_at(41.9, submission).status is BatchStatus.PROCESSING
    assert seen_at(42, submission).status is BatchStatus.SUCCESS


def test_what_does_not_divide_is_not_lost() -> None:
    """A span that is not divisible by the number of media ends to the microsecond."""
    submission = generation(script=script_of(Scenario(queue=0, processing=0.000_007)))
    assert plan(submission, FOUR).ends_at == 7


def test_a_late_failure_comes_at_once_at_its_percent() -> None:
    """At 90 % every media fails together; until then none has ended, and progress stays there."""
    submission = generation(script=script_of(scenario("fail_late")))
    assert (seen_at(9.09, submission).finished, seen_at(9.09, submission).failed) == ((), ())
    for seconds in (9.1, 60):
        seen = seen_at(seconds, submission)
        assert (seen.status, seen.progress, seen.failed) == (BatchStatus.FAIL, 90, (0, 1, 2, 3))
        assert seen.message == ALL_FAILED_MESSAGE


def test_a_stuck_batch_stops_and_never_ends() -> None:
    """It comes to 50 % with what is finished by then, and is so a year later; it has no end."""
    submission = generation(script=script_of(scenario("stuck")))
    assert plan(submission, FOUR).ends_at is None
    there = seen_at(5.5, submission)
    assert (there.status, there.progress, there.finished) == (BatchStatus.PROCESSING, 50, (0, 1))
    assert seen_at(366 * 86_400, submission) == there


def test_a_refused_image_fails_before_it_takes_time() -> None:
    """From its turn on it is a failed media, the message says so, and the others go on."""
    submission = generation(script=script_of(Scenario(refuse_medias=[2])))
    assert (seen_at(0.9, submission).failed, seen_at(0.9, submission).message) == ((), "")
    assert (seen_at(1, submission).failed, seen_at(1, submission).message) == (
        (2,),
        REFUSED_MESSAGE,
    )
    seen = seen_at(8, submission)
    assert (seen.status, seen.finished, seen.failed) == (BatchStatus.SUCCESS, (0, 1, 3), (2,))
    assert seen.message == REFUSED_MESSAGE


def test_a_batch_of_refused_images_only_fails_and_says_so() -> None:
    """Without a media that works, the batch is 'fail', in the words of the scenario."""
    refuse_all = Scenario(refuse_medias=range(FOUR), message="Not that.")
    seen = seen_at(2, generation(script=script_of(refuse_all)))
    assert (seen.status, seen.message, seen.finished) == (BatchStatus.FAIL, "Not that.", ())


def test_an_instant_batch_begins_all_the_same() -> None:
    """The answer to its submission shows it in 'processing'; whoever reads then sees its end."""
    timeline = plan(generation(script=script_of(scenario("instant"))), FOUR)
    assert (timeline.begun().status, timeline.begun().progress) == (BatchStatus.PROCESSING, 0)
    assert timeline.at(0).status is BatchStatus.SUCCESS


PLACES = st.lists(st.integers(0, 7), unique=True).map(lambda p: tuple(sorted(p)))
PERCENT = st.none() | st.integers(0, 99)
SPANS = st.integers(0, 10**8) | st.just(0)


def scripts(**more: st.SearchStrategy[int | None]) -> st.SearchStrategy[Script]:
    """Any script, with more fields."""
    return st.builds(
        Script,
        queue=SPANS,
        media=SPANS,
        finish=SPANS,
        fail_medias=PLACES,
        refuse_medias=PLACES,
        message=st.just("No."),
        queue_counts=st.booleans(),
        **more,
    )


SCRIPTS = scripts(fail_at=PERCENT) | scripts(stuck_at=PERCENT)
WRITTEN_SPANS = st.none() | st.integers(0, 10**8).map(lambda span: span / SECOND)
SCENARIO_VALUES = st.sampled_from(list(SCENARIOS.values())) | st.builds(
    Scenario,
    queue=WRITTEN_SPANS,
    processing=WRITTEN_SPANS,
    fail_medias=PLACES,
    refuse_medias=PLACES,
    fail_all=st.booleans(),
    fail_at=PERCENT,
)


def planned(script: Script, medias: int, at: int) -> Timeline:
    """The timeline of a script, its places limited to the media that there are."""
    refused = tuple(i for i in script.refuse_medias if i < medias)
    failing = tuple(i for i in range(medias) if i in script.fail_medias or i in refused)
    limited = replace(script, fail_medias=failing, refuse_medias=refused)
    return plan(Submission(1, SubmissionKind.GENERATE, at, limited), medias)


MEDIAS = st.integers(1, 6)
INSTANTS = st.integers(0, 10**15)
PLANS = st.builds(planned, SCRIPTS, MEDIAS, INSTANTS) | st.builds(
    lambda scenario, medias, at: planned(script_of(scenario, medias), medias, at),
    SCENARIO_VALUES,
    MEDIAS,
    INSTANTS,
)
AHEAD = st.integers(0, 10**9)


@given(PLANS, AHEAD, AHEAD)
def test_progress_and_media_never_go_back(timeline: Timeline, first: int, later: int) -> None:
    """Whoever looks later sees at least as much progress, and every media that was done before."""
    begun = timeline.begun()
    early = timeline.at(timeline.begins_at + first)
    late = timeline.at(timeline.begins_at + first + later)
    assert 0 == begun.progress <= early.progress <= late.progress <= 100
    assert set(early.finished) <= set(late.finished)
    assert set(early.failed) <= set(late.failed)
    assert begun.changed_at <= early.changed_at <= late.changed_at


@given(PLANS)
def test_every_submission_ends_as_planned_or_never(timeline: Timeline) -> None:
    """At its end each media is finished or failed; what is stuck has no end, and stays as it is."""
    seen = timeline.at(timeline.halts_at)
    assert seen.status is timeline.outcome
    if timeline.ends_at is None:
        assert not seen.status.is_final
        assert timeline.at(timeline.halts_at + 10**15) == seen
    else:
        assert timeline.ends_at == timeline.halts_at >= timeline.begins_at
        assert sorted(seen.finished + seen.failed) == list(range(len(timeline.media_ends)))


@given(PLANS, SPANS)
def test_nothing_happens_before_a_batchs_turn(timeline: Timeline, ahead: int) -> None:
    """Until progress rises there is none, no media has ended, and nothing is said."""
    now = min(timeline.begins_at + ahead, timeline.rises_at - 1)
    if now >= timeline.begins_at:
        assert timeline.at(now) == timeline.begun()


@given(PLANS, AHEAD)
def test_it_is_final_exactly_from_its_end_on(timeline: Timeline, ahead: int) -> None:
    """A status is final if and only if there is an end, and it has come."""
    now = timeline.begins_at + ahead
    ended = timeline.ends_at is not None and now >= timeline.ends_at
    seen = timeline.at(now)
    assert seen.status.is_final == ended
    assert (seen.progress == 100) == seen.composed == (seen.status is BatchStatus.SUCCESS)
    assert bool(seen.finished) or seen.status is not BatchStatus.SUCCESS


@given(SPANS, SPANS, PLACES, PLACES, MEDIAS)
def test_a_scenario_takes_as_long_as_it_says(
    queue: int, processing: int, fails: tuple[int, ...], refused: tuple[int, ...], medias: int
) -> None:
    """What is written for queue and processing adds up to the end, whatever the media do."""
    scenario = Scenario(
        queue=queue / SECOND,
        processing=processing / SECOND,
        fail_medias=fails,
        refuse_medias=refused,
    )
    assert planned(script_of(scenario, medias), medias, 0).ends_at == queue + processing
