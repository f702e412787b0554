from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.broken_mocks import BROKEN_MOCKS
from contracts.broken_mocks.building import changed_answers, changed_batches
from contracts.suite_runs import run_suite
from pytest_vimmerse.targets import MockTarget
from vimmerse_contracts.runs.drift import Finding, Severity, compare_evidence, in_order
from vimmerse_contracts.runs.evidence.file import Evidence, Webhook, load_evidence
from vimmerse_contracts.runs.exchanges import Answer, Exchange, Request
from vimmerse_contracts.runs.verdicts import Outcome, Verdict
from vimmerse_mock.app import create_mock
from vimmerse_mock.cli.drift import recorded_now
from vimmerse_mock.receiving.inbox import Listener
from vimmerse_mock.server import MockServer

Json = dict[str, Any]
Summary = tuple[str, str, str, str]
"""Severity, kind, place and path of a finding."""

whole = cache(recorded_now)
"""The whole suite against the sound mock, recorded once."""

POLLING: Final = ("test_update::", "test_webhook::")
"""What asks most, and is told nothing that others are not."""


@cache
def recorded() -> Evidence:
    """Leave out of the recorded run what makes it long."""
    exchanges = [each for each in whole().exchanges if not each.test.startswith(POLLING)]
    return replace(whole(), exchanges=tuple(exchanges))


def summaries(findings: tuple[Finding, ...]) -> list[Summary]:
    """Say of each finding what it is and where."""
    return [(each.severity.value, each.kind, each.place, each.path) for each in findings]


def with_answers(
    change: Callable[[Answer], Answer],
    operation: str = "get_batch",
    status: int = 200,
    evidence: Evidence | None = None,
) -> Evidence:
    """Change every recorded answer of an operation that has a status."""

    def changed(exchange: Exchange) -> Exchange:
        answer = exchange.answer
        if exchange.operation != operation or answer is None or answer.status != status:
            return exchange
        copy = msgspec.structs.replace(answer, body=json.loads(json.dumps(answer.body)))
        return msgspec.structs.replace(exchange, answer=change(copy))

    base = evidence or recorded()
    return replace(base, exchanges=tuple(map(changed, base.exchanges)))


def with_batches(change: Callable[[Json], object]) -> Evidence:
    """Change the Batch in every recorded answer to a read."""

    def edit(answer: Answer) -> Answer:
        change(answer.body["data"])
        return answer

    return with_answers(edit)


def test_a_run_compared_with_itself_has_no_findings() -> None:
    """The same evidence on both sides is no drift."""
    assert compare_evidence(whole(), whole()) == ()


def _as_done(batch: Json) -> None:
    if batch["status"] == "success":
        batch["status"] = "done"


def _first_item_numbered(batch: Json) -> None:
    for media in batch["medias"]:
        media["item"] = 1


def _renamed_in_params(batch: Json) -> None:
    for preset in batch["pose_preset"]:
        preset["Params"] = preset["Params"].replace("Loop=", "Repeat=")


def _sometimes_nameless(batch: Json) -> None:
    if batch["status"] == "processing":
        del batch["title"]


def _html(batch: Json) -> None:
    if "video_url" in batch:
        batch["video_url"] = "<url:/<customer:1>/<batch:1>/*.html>"


CHANGES: Final[dict[str, tuple[Callable[[Json], object], list[Summary]]]] = {
    "a key more": (
        lambda batch: batch.update(used_credits=176),
        [("additive", "key added", "get_batch 200", "$.data.used_credits")],
    ),
    "a key more, deep down": (
        lambda batch: batch["submit_params"].update(priority="<text>"),
        [("additive", "key added", "get_batch 200", "$.data.submit_params.priority")],
    ),
    "a key less": (
        lambda batch: batch.pop("feedback"),
        [("breaking", "key removed", "get_batch 200", "$.data.feedback")],
    ),
    "a key less, now and then": (
        _sometimes_nameless,
        [("breaking", "key removed", "get_batch 200", "$.data.title")],
    ),
    "a key less, at the end only": (
        lambda batch: batch.pop("video_url", None),
        [("breaking", "key removed", "get_batch 200", "$.data.video_url")],
    ),
    "another type": (
        lambda batch: batch.update(version=2),
        [("breaking", "retyped", "get_batch 200", "$.data.version")],
    ),
    "a type more": (
        lambda batch: batch.update(note=None if batch["status"] == "success" else ""),
        [("breaking", "retyped", "get_batch 200", "$.data.note")],
    ),
    "another type, in a list": (
        _first_item_numbered,
        [("breaking", "retyped", "get_batch 200", "$.data.medias[].item")],
    ),
    "a status more": (
        _as_done,
        [("breaking", "new value", "get_batch 200", "$.data.status")],
    ),
    "a word more": (
        lambda batch: batch.update(visibility_status="3"),
        [("additive", "new value", "get_batch 200", "$.data.visibility_status")],
    ),
    "another constant": (
        lambda batch: batch.update(version="3"),
        [("cosmetic", "value", "get_batch 200", "$.data.version")],
    ),
    "another format": (
        lambda batch: batch.update(created_at="<instant:+0s as 0000-00-00T00:00:00Z>"),
        [("breaking", "format", "get_batch 200", "$.data.created_at")],
    ),
    "another address": (
        _html,
        [("cosmetic", "address", "get_batch 200", "$.data.video_url")],
    ),
    "another order": (
        lambda batch: batch.update(title=batch.pop("title")),
        [("cosmetic", "key order", "get_batch 200", "$.data")],
    ),
    "another word in Params": (
        _renamed_in_params,
        [
            ("breaking", "key removed", "get_batch 200", "$.data.pose_preset[].Params.Loop"),
            ("additive", "key added", "get_batch 200", "$.data.pose_preset[].Params.Repeat"),
        ],
    ),
    "progress that falls": (
        lambda batch: batch.update(progress_percentage=100 - batch["progress_percentage"] % 100),
        [("breaking", "progress falls", "course", "$.data.progress_percentage")],
    ),
    "progress in one step": (
        lambda batch: batch.update(
            progress_percentage=0 if batch["status"] == "processing" else 100
        ),
        [("cosmetic", "progress steps", "course", "$.data.progress_percentage")],
    ),
    "a hundred times as long": (
        lambda batch: batch.update(updated_at="<instant:+300s>"),
        [("cosmetic", "duration", "course", "$.data.updated_at")],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_of_a_batch_is_found_for_what_it_is(name: str) -> None:
    """A change made to every recorded reading gives exactly its finding, and no other."""
    change, expected = CHANGES[name]
    assert summaries(compare_evidence(recorded(), with_batches(change))) == expected


def test_a_success_before_100_is_found() -> None:
    """Batches that succeed at 99, whoever is asked, are breaking."""

    def early(answer: Answer) -> Answer:
        batch = answer.body["data"]
        batch["progress_percentage"] = min(99, batch["progress_percentage"])
        return answer

    evidence = recorded()
    for operation in ("create_batch", "get_batch", "update_batch", "concat_batch"):
        evidence = with_answers(early, operation, evidence=evidence)
    assert summaries(compare_evidence(recorded(), evidence)) == [
        ("breaking", "progress end", "course", "$.data.progress_percentage")
    ]


def test_a_change_taken_back_is_found_the_other_way() -> None:
    """What is a new key in one direction is a removed one in the other."""
    grown = with_batches(lambda batch: batch.update(used_credits=176))
    assert summaries(compare_evidence(grown, recorded())) == [
        ("breaking", "key removed", "get_batch 200", "$.data.used_credits")
    ]


def test_a_finding_says_what_was_expected_and_what_was_seen() -> None:
    """Both sides of a difference are told in words."""
    (finding,) = compare_evidence(recorded(), with_batches(lambda batch: batch.update(version=2)))
    assert finding == Finding(
        Severity.BREAKING, "retyped", "get_batch 200", "$.data.version", "string", "integer"
    )


ANSWERS: Final[dict[str, tuple[Callable[[Answer], Answer], str, int, list[Summary]]]] = {
    "another message": (
        lambda a: msgspec.structs.replace(a, body={"message": "Not Found"}),
        "get_batch",
        404,
        [("breaking", "error body", "get_batch 404", "$.message")],
    ),
    "another key": (
        lambda a: msgspec.structs.replace(a, body={"detail": "Not Found"}),
        "get_batch",
        404,
        [
            ("breaking", "key removed", "get_batch 404", "$.message"),
            ("additive", "key added", "get_batch 404", "$.detail"),
        ],
    ),
    "other words for a problem": (
        lambda a: msgspec.structs.replace(
            a, body={"detail": [{**each, "msg": "No!"} for each in a.body["detail"]]}
        ),
        "create_batch",
        422,
        [("cosmetic", "value", "create_batch 422", "$.detail[].msg")],
    ),
    "another type of problem": (
        lambda a: msgspec.structs.replace(
            a, body={"detail": [{**each, "type": "wrong"} for each in a.body["detail"]]}
        ),
        "create_batch",
        422,
        [("breaking", "error body", "create_batch 422", "$.detail[].type")],
    ),
    "another status": (
        lambda a: msgspec.structs.replace(a, status=403),
        "get_batch",
        404,
        [("breaking", "status", "get_batch", "")],
    ),
    "a page for a body": (
        lambda a: Answer(a.status, {"content-type": "text/html"}, "<h1>Not Found</h1>"),
        "get_batch",
        404,
        [
            ("breaking", "retyped", "get_batch 404", "$"),
            ("breaking", "content type", "get_batch 404", "header content-type"),
        ],
    ),
    "a charset": (
        lambda a: msgspec.structs.replace(
            a, headers={"content-type": "application/json; charset=utf-8"}
        ),
        "get_batch",
        200,
        [("cosmetic", "content type", "get_batch 200", "header content-type")],
    ),
    "a header more": (
        lambda a: msgspec.structs.replace(a, headers={**a.headers, "retry-after": "1"}),
        "get_batch",
        200,
        [("additive", "header added", "get_batch 200", "header retry-after")],
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_each_change_of_an_answer_is_found_for_what_it_is(name: str) -> None:
    """A change of every answer with a status gives exactly its findings."""
    change, operation, status, expected = ANSWERS[name]
    found = compare_evidence(recorded(), with_answers(change, operation, status))
    assert summaries(found) == expected


def test_an_error_where_there_was_none_is_found() -> None:
    """A test that is refused as well as served has met a new status; 5xx is the worse."""
    for status, severity in ((429, "additive"), (503, "breaking")):
        evidence = recorded()
        first = next(e for e in evidence.exchanges if e.operation == "create_batch" and e.answer)
        refused = msgspec.structs.replace(first, answer=Answer(status, {}, {"message": "LATER"}))
        more = replace(evidence, exchanges=(*evidence.exchanges, refused))
        assert summaries(compare_evidence(evidence, more)) == [
            (severity, "status", "create_batch", "")
        ]


def test_a_final_status_that_changes_by_itself_is_found() -> None:
    """A batch that goes on after its end, with nobody asking for it, is breaking."""
    seen: set[str] = set()

    def restless(batch: Json) -> None:
        if batch["status"] == "success" and batch["id"] in seen:
            batch["status"] = "fail"
        if batch["status"] == "success":
            seen.add(batch["id"])

    found = compare_evidence(recorded(), with_batches(restless))
    assert ("breaking", "end is no end", "course", "$.data.status") in summaries(found)


def test_a_new_row_of_statuses_is_found() -> None:
    """A batch that waits as 'new' before it processes goes another way than before."""
    first: set[str] = set()

    def waiting(answer: Answer) -> Answer:
        batch = answer.body["data"]
        if batch["id"] not in first:
            first.add(batch["id"])
            batch["status"] = "new"
        return answer

    found = compare_evidence(recorded(), with_answers(waiting, "create_batch"))
    assert [each for each in found if each.kind == "statuses"] == [
        Finding(
            Severity.ADDITIVE,
            "statuses",
            "course",
            "$.data.status",
            "processing > fail, processing > success",
            "new > processing > fail, new > processing > success",
        )
    ]


def test_a_webhook_is_compared_like_an_answer() -> None:
    """Keys and words of the webhook's body are compared, too."""
    evidence = recorded()

    def grown(webhook: Webhook) -> Webhook:
        return msgspec.structs.replace(webhook, body={**webhook.body, "video_url": "<url:/x>"})

    more = replace(evidence, webhooks=tuple(map(grown, evidence.webhooks)))
    assert summaries(compare_evidence(evidence, more)) == [
        ("additive", "key added", "webhook", "$.video_url")
    ]


def judged(outcome: Any, rule: str = "read.bad_id") -> Evidence:
    """Return evidence in which all tests of a rule end in one way."""
    verdicts = [
        Verdict(each.test, Outcome(outcome), each.rules, "because") if rule in each.rules else each
        for each in recorded().verdicts
    ]
    return replace(recorded(), verdicts=verdicts)


@pytest.mark.parametrize(
    ("before", "now", "severity", "expected", "seen"),
    [
        ("passed", "failed", "breaking", "held", "broken by test_errors::"),
        ("skipped", "failed", "breaking", "not run by test_errors::", "broken by test_errors::"),
        ("failed", "passed", "additive", "broken by test_errors::", "held"),
        ("passed", "skipped", "cosmetic", "held", "not run by test_errors::"),
        ("skipped", "passed", "cosmetic", "not run by test_errors::", "held"),
    ],
)
def test_rules_that_differ_are_found(
    before: str, now: str, severity: str, expected: str, seen: str
) -> None:
    """A rule that one holds and the other breaks is named, with the test and its reason."""
    found = [
        each for each in compare_evidence(judged(before), judged(now)) if each.path == "read.bad_id"
    ]
    assert summaries(tuple(found)) == [(severity, "rule", "rule", "read.bad_id")]
    assert found[0].expected.startswith(expected)
    assert found[0].seen.startswith(seen)


def test_what_was_not_asked_is_no_difference() -> None:
    """A run that was cut off differs at most in what it did not see."""
    evidence = recorded()
    half = replace(
        evidence,
        exchanges=evidence.exchanges[: len(evidence.exchanges) // 2],
        verdicts=evidence.verdicts[: len(evidence.verdicts) // 2],
        webhooks=(),
    )
    severities = {each.severity for each in compare_evidence(evidence, half)}
    assert severities == {Severity.COSMETIC}
    assert compare_evidence(evidence, Evidence()) != ()


def test_another_contract_is_said() -> None:
    """Two runs that were held to different rules are comparable, and it is said."""
    evidence = recorded()
    assert evidence.header is not None
    contract = msgspec.structs.replace(evidence.header.contract, rules={"read.object": "S"})
    header = msgspec.structs.replace(evidence.header, contract=contract)
    (finding,) = compare_evidence(evidence, replace(evidence, header=header))
    assert (finding.severity, finding.kind) == (Severity.COSMETIC, "contract")


_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "id", "status", "progress_percentage", "updated_at", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(st.lists(_values, max_size=4), st.lists(_values, max_size=4))
def test_whatever_was_answered_is_compared(before: list[Any], now: list[Any]) -> None:
    """Bodies that are no Batch at all are compared without an exception, and same is same."""
    sides = [
        Evidence(
            exchanges=[
                Exchange("t", 0, 0, "get_batch", Request("GET", "/"), Answer(200, {}, body))
                for body in bodies
            ]
        )
        for bodies in (before, now)
    ]
    compare_evidence(*sides)
    assert compare_evidence(sides[0], sides[0]) == ()


def test_success_beside_errors_tells_nothing() -> None:
    """Whether a test or another before it made a batch that both need is no difference."""

    def answered(*statuses: int) -> Evidence:
        asked = Request("GET", "/")
        return Evidence(
            exchanges=[Exchange("t", 0, 0, "o", asked, Answer(s, {}, {})) for s in statuses]
        )

    assert compare_evidence(answered(200, 404), answered(404)) == ()
    assert compare_evidence(answered(404), answered(200, 404)) == ()
    (finding,) = compare_evidence(answered(200, 404), answered(200, 403))
    assert (finding.kind, finding.expected, finding.seen) == ("status", "404", "403")


def test_findings_come_worst_first_and_once() -> None:
    """The order is by severity, then by place, whatever the order of finding."""
    findings = [Finding(severity, "k", "p", "", "", "") for severity in reversed(Severity)]
    assert [each.severity for each in in_order([*findings, *findings])] == list(Severity)


# From end to end: what a changed service says, recorded, and compared with the sound mock


def recorded_from(
    pytester: pytest.Pytester,
    listener: Listener,
    build: Callable[[pytest.MonkeyPatch], Any],
    only: Sequence[str] = (),
) -> Evidence:
    """Record the whole suite, or some of its modules, against another mock."""
    path = pytester.path / "other.jsonl"
    with pytest.MonkeyPatch.context() as patch, MockServer(build(patch)) as server:
        target = MockTarget("other", server.open_account, listener)
        run_suite(pytester, f"--vimmerse-evidence={path}", target=target, only=only)
    return load_evidence(path)


def test_a_sound_service_is_no_drift(pytester: pytest.Pytester, listener: Listener) -> None:
    """The same mock on another port, as another target, on another day, does not differ."""
    other = recorded_from(pytester, listener, lambda _patch: create_mock())
    assert compare_evidence(whole(), other) == ()


def test_a_service_that_has_grown_is_additive_throughout(
    pytester: pytest.Pytester, listener: Listener
) -> None:
    """A key more in every Batch is found in each operation, and breaks nothing (P26)."""
    build = changed_batches(lambda batch: batch.update(used_credits=176))
    found = compare_evidence(whole(), recorded_from(pytester, listener, build))
    assert {each.severity for each in found} == {Severity.ADDITIVE}
    assert {(each.place, each.path) for each in found} == {
        (f"{operation} 200", "$.data.used_credits")
        for operation in ("create_batch", "get_batch", "update_batch", "concat_batch")
    }


BROKEN: Final = {
    "progress is text": ("retyped", "$.data.progress_percentage"),
    "a key is missing": ("key removed", "$.data.feedback"),
    "timestamps with a T": ("format", "$.data.created_at"),
    "a progress that falls": ("progress falls", "$.data.progress_percentage"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_in_a_mock_is_named(
    name: str, pytester: pytest.Pytester, listener: Listener
) -> None:
    """The fault of a broken mock is among the breaking findings, by its kind and place."""
    (broken,) = [each for each in BROKEN_MOCKS if each.name == name]
    other = recorded_from(pytester, listener, broken.build, ["test_lifecycle", "test_read"])
    found = compare_evidence(whole(), other)
    breaking = {(each.kind, each.path) for each in found if each.severity is Severity.BREAKING}
    assert BROKEN[name] in breaking
    assert "rule" in {kind for kind, _ in breaking}


def test_a_service_with_other_errors_is_breaking(
    pytester: pytest.Pytester, listener: Listener
) -> None:
    """Another body of an error is found by rule, and by what the body says."""

    def detail(answer: Any) -> Any:
        if answer.status_code == 404:
            answer.set_data(json.dumps({"message": "Story not found"}))
        return answer

    other = recorded_from(pytester, listener, changed_answers(detail), ["test_errors", "test_read"])
    found = compare_evidence(whole(), other)
    assert ("breaking", "rule", "rule", "error.404") in summaries(found)
    assert ("breaking", "error body", "get_batch 404", "$.message") in summaries(found)
