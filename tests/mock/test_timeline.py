from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_contracts.vocabulary import BatchStatus
from vimmerse_mock.model.batch import Submission, SubmissionKind
from vimmerse_mock.model.clock import SECOND
from vimmerse_mock.model.scenarios import Pace, Scenario, Script, UnknownScenarioError, scenario
from vimmerse_mock.model.timeline import Observation, Timeline, plan

FOUR = 4


def generation(*, script: Script | None = None) -> Submission:
    """A submission at instant 0 of the default course: ten seconds for four images."""
    return Submission(
        1, SubmissionKind.GENERATE, 0, script or Pace().script("Auto", 5, 1, Scenario(), FOUR)
    )


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


def test_a_composition_keeps_what_was_finished() -> None:
    """While it composes, a batch shows its finished media, and no video until it is done."""
    script = Pace().compose_script()
    timeline = plan(Submission(2, SubmissionKind.COMPOSE, 0, script, (0, 2), (1,)), FOUR)
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
    with pytest.raises(UnknownScenarioError, match=r"'explode'.*success, partial, fail"):
        scenario("explode")


SCRIPTS = st.builds(
    Script,
    queue=st.integers(0, 10**8),
    media=st.integers(0, 10**8),
    finish=st.integers(0, 10**8),
    fail_medias=st.lists(st.integers(0, 5), unique=True).map(lambda p: tuple(sorted(p))),
    message=st.just("No."),
)
PLANS = st.builds(
    lambda script, medias, at: plan(
        Submission(
            1,
            SubmissionKind.GENERATE,
            at,
            replace(script, fail_medias=tuple(i for i in script.fail_medias if i < medias)),
        ),
        medias,
    ),
    SCRIPTS,
    st.integers(1, 6),
    st.integers(0, 10**15),
)
AHEAD = st.integers(0, 10**9)


@given(PLANS, AHEAD, AHEAD)
def test_progress_and_media_never_go_back(timeline: Timeline, first: int, later: int) -> None:
    """Whoever looks later sees at least as much progress, and every media that was done before."""
    early = timeline.at(timeline.begins_at + first)
    late = timeline.at(timeline.begins_at + first + later)
    assert 0 <= early.progress <= late.progress <= 100
    assert set(early.finished) <= set(late.finished)
    assert set(early.failed) <= set(late.failed)
    assert early.changed_at <= late.changed_at


@given(PLANS)
def test_every_submission_ends_as_planned(timeline: Timeline) -> None:
    """At its end each media is finished or failed, and the status is the planned outcome."""
    seen = timeline.at(timeline.ends_at)
    assert seen.status is timeline.outcome
    assert sorted(seen.finished + seen.failed) == list(range(len(timeline.media_ends)))


@given(PLANS, AHEAD)
def test_it_is_final_exactly_from_its_end_on(timeline: Timeline, ahead: int) -> None:
    """A status is final if and only if the end has come."""
    now = timeline.begins_at + ahead
    assert timeline.at(now).status.is_final == (now >= timeline.ends_at)
