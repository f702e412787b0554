from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from contracts.broken_mocks.building import changed_batches
from contracts.suite_runs import run_suite
from pytest_vimmerse.targets import MockTarget
from vimmerse_contracts.runs.evidence.file import (
    FORMAT,
    AnyLine,
    Evidence,
    decode,
    load_evidence,
    read_evidence,
)
from vimmerse_contracts.runs.evidence.recorder import sent_form
from vimmerse_contracts.runs.evidence.redaction import WITHHELD, Labels, Redactor, number
from vimmerse_contracts.runs.exchanges import Exchange
from vimmerse_contracts.secrecy import without_credentials
from vimmerse_contracts.suite.target import Capability, not_run
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.receiving.inbox import Listener
from vimmerse_mock.server import MockServer

BEGAN: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ID: Final = "0b5ad5b4-7f0d-4ad4-9d11-3a6f2f6f0f6e"
KEY: Final = "sk-live-0123456789"

FEW: Final = [
    "test_health",
    "test_read",
    "test_webhook::test_one_webhook_comes_when_a_batch_is_done",
]


@pytest.fixture
def redactor() -> Redactor:
    """Make a redactor that knows one secret."""
    made = Redactor(Labels(b"secret"), BEGAN)
    made.keep_secret([KEY])
    return made


def record(
    pytester: pytest.Pytester, listener: Listener, mock: Mock, only: Sequence[str] = ()
) -> tuple[Path, MockTarget, MockServer]:
    """Record a run of the suite, or of some of its modules, against a mock."""
    path = pytester.path / f"evidence-{uuid4()}.jsonl"
    with MockServer(mock) as server:
        target = MockTarget("played", server.open_account, listener)
        run_suite(pytester, f"--vimmerse-evidence={path}", target=target, only=only)
    return path, target, server


def lines_of(path: Path) -> list[Any]:
    """Read the lines of a file but for what real time decides."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in {"at", "took", "date"}} for line in lines]


def test_no_key_and_no_customer_is_in_a_recorded_run(
    pytester: pytest.Pytester, listener: Listener
) -> None:
    """Neither a key of the target, nor a customer, nor an address is anywhere in the file."""
    mock = create_mock()
    path, target, server = record(pytester, listener, mock)
    text = path.read_text()
    customers = [account.customer_id for account in target._accounts]
    assert len(load_evidence(path).exchanges) > 500
    for private in (target.api_key, target.other_api_key, target.broke_api_key, *customers):
        assert private
        assert private not in text
    assert "127.0.0.1" not in text
    assert server.account.key not in text
    assert load_evidence(path).problems == ()


def test_personal_data_of_a_service_is_not_in_the_file(
    pytester: pytest.Pytester, listener: Listener
) -> None:
    """Emails, and texts under keys that the contract does not know, are kept as kinds only."""

    def personal(batch: dict[str, Any]) -> None:
        batch["email"] = "jane@doe.example"
        batch["note"] = "ask jane@doe.example"
        batch["owner"] = {"name": "Jane Doe", "phone": ["+49 30 123456"]}

    with pytest.MonkeyPatch.context() as patch:
        mock = changed_batches(personal)(patch)
        path, *_ = record(pytester, listener, mock, ["test_read"])
    text = path.read_text()
    for private in ("jane", "Jane", "123456"):
        assert private not in text
    body = next(
        e.answer.body
        for e in load_evidence(path).exchanges
        if e.operation == "get_batch" and e.answer and e.answer.status == 200
    )
    assert body["data"]["email"] == "<email:1>"
    assert body["data"]["note"] == "ask <email:1>"
    assert body["data"]["owner"] == {"name": WITHHELD, "phone": [WITHHELD]}


def test_two_runs_tell_the_same(pytester: pytest.Pytester, listener: Listener) -> None:
    """Ids, instants and addresses differ from run to run; what is written of them does not."""
    one, *_ = record(pytester, listener, create_mock(), FEW[:1])
    two, *_ = record(pytester, listener, create_mock(), FEW[:1])
    assert lines_of(one) == lines_of(two)
    three, *_ = record(pytester, listener, create_mock(), ["test_read"])
    four, *_ = record(pytester, listener, create_mock(), ["test_read"])
    assert lines_of(three) == lines_of(four)


def test_an_exchange_says_who_asked_what_and_was_told_what(
    pytester: pytest.Pytester, listener: Listener
) -> None:
    """Operation, test, request, answer, webhook and verdict stand in the file."""
    path, *_ = record(pytester, listener, create_mock(), ["test_webhook"])
    evidence = load_evidence(path)
    name = "test_webhook::test_one_webhook_comes_when_a_batch_is_done"
    first = next(each for each in evidence.exchanges if each.test == name)
    assert (first.operation, first.request.method, first.request.path) == (
        "create_batch",
        "POST",
        "/batch",
    )
    assert dict(first.request.form)["webhook_url"].startswith("<url:/")
    assert first.request.key == "<key:1>"
    assert first.answer is not None
    assert first.answer.headers == {"content-type": "application/json"}
    batch = first.answer.body["data"]["id"]
    (webhook,) = [each for each in evidence.webhooks if each.test == name]
    assert (webhook.body["batch_id"], webhook.body["status"]) == (batch, "success")
    (verdict,) = [each for each in evidence.verdicts if each.test == name]
    assert (verdict.outcome, verdict.rules) == ("passed", ("webhook.body", "webhook.when"))


def test_a_skipped_and_a_failed_test_say_why(pytester: pytest.Pytester, listener: Listener) -> None:
    """The verdict of a failure says what was expected, and never what was seen."""

    def renamed(batch: dict[str, Any]) -> None:
        batch["status"] = "of Jane Doe"

    path = pytester.path / "evidence.jsonl"
    with (
        pytest.MonkeyPatch.context() as patch,
        MockServer(changed_batches(renamed)(patch)) as server,
    ):
        target = MockTarget("played", server.open_account, listener)
        target.capabilities = frozenset({Capability.PLAY_MONEY})
        run_suite(
            pytester,
            f"--vimmerse-evidence={path}",
            target=target,
            only=["test_read", "test_webhook"],
        )
    verdicts = {each.test: each for each in load_evidence(path).verdicts}
    skipped = verdicts["test_read::test_the_batch_of_another_is_not_found"]
    because = not_run([Capability.OTHER_ACCOUNT], [])
    assert (skipped.outcome, skipped.reason) == ("skipped", because)
    failed = verdicts["test_read::test_a_read_answers_with_the_batch"]
    assert failed.outcome == "failed"
    assert (
        failed.reason
        == "POST /batch: batch types: expected the keys and types of the seed's example"
    )
    assert "Jane" not in "".join(each.reason for each in verdicts.values())


_texts = st.text(max_size=20)
_private = st.sampled_from([ID, KEY, "jane@doe.example", "https://files.example/secret/1.mp4"])
_strings = st.one_of(_texts, _private, st.tuples(_texts, _private, _texts).map("".join))
_keys = st.one_of(
    _texts, st.sampled_from(["id", "customer_id", "email", "status", "message", "note"])
)
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _strings),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=20,
)


@given(_values)
def test_nothing_private_comes_through_whatever_the_value(value: Any) -> None:
    """Of any JSON value, what is written has its shape, and none of the private texts in it."""
    redactor = Redactor(Labels(b"secret"), BEGAN)
    redactor.keep_secret([KEY])
    text = json.dumps(redactor.json(value), ensure_ascii=False)
    for private in (ID, KEY, "jane@doe.example", "files.example"):
        assert private not in text
    assert type(redactor.json(value)) in {type(value), str}


@given(_values)
def test_redaction_tells_the_same_of_the_same(value: Any) -> None:
    """Two redactors that share a secret write the same of the same value."""
    written = []
    for _ in range(2):
        redactor = Redactor(Labels(b"secret"), BEGAN)
        written.append(json.dumps(redactor.json(value)))
    assert written[0] == written[1]


def test_an_id_has_one_reference_wherever_it_stands(redactor: Redactor) -> None:
    """An id in a key, in a text and in a URL has the same reference, and another id another."""
    value = {
        "data": {
            "id": ID,
            "message": f"no {ID} at https://a.example/{ID}/x.mp4",
            "media_id": str(uuid4()),
        }
    }
    (text,) = number([json.dumps(redactor.json(value))])
    data = json.loads(text)["data"]
    assert data["id"] == "<batch:1>"
    assert data["message"] == "no <batch:1> at <url:/<batch:1>/*.mp4>"
    assert data["media_id"] == "<media:1>"


def test_an_id_seen_first_in_passing_has_its_kind_in_the_end(redactor: Redactor) -> None:
    """An id of which only later is known what it is of has one reference throughout."""
    before = redactor.text(f"about {ID}")
    after = json.dumps(redactor.json({"media_id": ID}))
    assert number([before, after]) == ["about <media:1>", '{"media_id": "<media:1>"}']


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("2026-01-02 03:04:08.250000+00:00", "<instant:+3.2s>"),
        ("2026-01-02T03:04:08Z", "<instant:+3s as 0000-00-00T00:00:00Z>"),
        ("2026-01-02 03:04:05.000000+00:00", "<instant:+0s>"),
    ],
)
def test_instants_are_relative_and_show_their_format(
    redactor: Redactor, value: str, written: str
) -> None:
    """An instant is seconds from the run's beginning; a format not the contract's is shown."""
    assert redactor.text(value) == written


def test_instants_of_an_object_are_relative_to_its_creation(redactor: Redactor) -> None:
    """Within an object that says when it was created, instants count from there."""
    value = {
        "created_at": "2020-01-01 00:00:00.000000+00:00",
        "updated_at": "2020-01-01 00:01:30.500000+00:00",
    }
    assert redactor.json(value) == {"created_at": "<instant:+0s>", "updated_at": "<instant:+90.5s>"}


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://media.example/image/url/1.jpg", "<url:/image/url/*.jpg>"),
        ("http://u:p@host:81/A-secret/x?sig=abc&t", "<url:/*/*?sig=*&*>"),
        (f"http://127.0.0.1:1/{KEY}/1", "<url:/<key:1>/*>"),
        ("http://host", "<url:/>"),
        ("http://[", "<url:*>"),
    ],
)
def test_of_an_address_only_the_shape_of_its_path_is_kept(
    redactor: Redactor, url: str, written: str
) -> None:
    """Host, file names, long segments and values of a query are not."""
    assert number([redactor.text(url)]) == [written]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("mock", "mock"),
        ("https://api.example/v1", "https://api.example/v1"),
        ("https://jane:secret@api.example/@x", "https://api.example/@x"),
        ("https://jane:se@cret@api.example?a@b", "https://api.example?a@b"),
    ],
)
def test_a_target_is_named_without_password(name: str, written: str) -> None:
    """What a target is called stays, except who calls it."""
    assert without_credentials(name) == written


def test_a_number_for_an_id_stays_a_number(redactor: Redactor) -> None:
    """The type of an id that is no text can be seen, the id cannot."""
    assert redactor.json({"customer_id": 4711, "used_credits": 176}) == {
        "customer_id": 0,
        "used_credits": 176,
    }


def test_a_form_with_files_is_taken_apart() -> None:
    """Text fields are read with their repetitions, files by field and type, never by name."""
    request = requests.Request(
        "POST",
        "http://a.example/batch",
        data={"title": "Grüße\r\n", "loop": ["3", "2"]},
        files=[
            ("image_files", ("private.png", b"\x89PNG\r\n\x1a\n--", "image/png")),
            ("x", (None, "y")),
        ],
    ).prepare()
    texts, files = sent_form(request)
    assert texts == [("title", "Grüße\r\n"), ("loop", "3"), ("loop", "2"), ("x", "y")]
    assert files == [("image_files", "image/png")]


# Reading


def _raw() -> list[bytes]:
    contract = {"version": "1", "rules": {}}
    header = {"kind": "header", "format": FORMAT, "date": "2026-01-02T03:04:05+00:00"}
    asked = {"operation": "health", "request": {"method": "GET", "path": "/health"}}
    lines: list[dict[str, Any]] = [
        {**header, "target": "mock", "contract": contract},
        *({"kind": "exchange", "test": f"t{n}", "at": 0, "took": 0, **asked} for n in range(3)),
        {"kind": "verdict", "test": "t0", "outcome": "passed", "rules": ["health.body"]},
        {"kind": "footer", "exchanges": 3, "webhooks": 0, "verdicts": 1},
    ]
    return [json.dumps(line).encode() + b"\n" for line in lines]


RAW: Final = _raw()


def _lines(evidence: Evidence) -> int:
    ends = [evidence.header, evidence.footer]
    return len([*evidence.exchanges, *evidence.verdicts, *(end for end in ends if end)])


def test_a_whole_file_has_no_problems() -> None:
    """Everything in a file as it was written is used."""
    evidence = read_evidence(RAW)
    assert (evidence.problems, _lines(evidence)) == ((), len(RAW))
    assert evidence.name == "mock, 2026-01-02"


@given(st.integers(0, len(b"".join(RAW)) - 1))
def test_a_file_that_is_cut_off_is_used_up_to_there(size: int) -> None:
    """Wherever it is cut, whole lines are used, the broken one and the missing end are named."""
    cut = b"".join(RAW)[:size]
    evidence = read_evidence(cut.splitlines(keepends=True))
    whole = [
        line for line in cut.splitlines(keepends=True) if line.rstrip() in {r.rstrip() for r in RAW}
    ]
    assert _lines(evidence) == len(whole)
    said = [str(problem) for problem in evidence.problems]
    if len(whole) < len(RAW):
        assert any("without a footer" in each for each in said)
    if cut and not cut.endswith(b"\n") and len(whole) < len(cut.splitlines()):
        assert any(each.startswith(f"line {len(cut.splitlines())}: is left out") for each in said)


@given(st.integers(1, len(RAW) - 2), st.binary(min_size=1, max_size=40))
def test_a_line_edited_by_hand_is_named_and_the_others_are_used(place: int, odd: bytes) -> None:
    """A line that is none any more is named by its number, and costs no other line."""
    line = b"#" + odd.replace(b"\n", b"").replace(b"\r", b"") + b"\n"
    evidence = read_evidence([*RAW[:place], line, *RAW[place + 1 :]])
    assert _lines(evidence) == len(RAW) - 1
    lines = [problem.line for problem in evidence.problems]
    assert place + 1 in lines
    assert any("the file was edited" in problem.text for problem in evidence.problems)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_file_makes_reading_fail(lines: list[bytes]) -> None:
    """Whatever bytes a file has, reading it gives problems, and no exception."""
    evidence = read_evidence(lines)
    assert evidence.problems


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"kind": "exchange", "test": "t"}\n', "missing required field `at`"),
        (b'{"kind": "verdict", "test": "t", "outcome": "maybe"}\n', "Invalid enum value 'maybe'"),
        (b'{"kind": "opinion"}\n', "Invalid value 'opinion'"),
        (b"[" * 100_000 + b"\n", "is left out"),
        (b'"text"\n', "Expected `object`, got `str`"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(line: bytes, said: str) -> None:
    """A line that is JSON, but none of the format's, is named with the field that is wrong."""
    (problem,) = read_evidence([*RAW[:2], line, RAW[2], RAW[3], RAW[4], RAW[5]]).problems
    assert problem.line == 3
    assert said in problem.text


def test_a_newer_file_is_read_as_far_as_it_is_known() -> None:
    """Unknown keys are ignored, unknown kinds of lines are named, and the version is said."""
    header = RAW[0].replace(b'"format": 1', b'"format": 2, "mood": "good"')
    evidence = read_evidence([header, b'{"kind": "thought", "text": "x"}\n', *RAW[1:]])
    assert len(evidence.exchanges) == 3
    assert [problem.line for problem in evidence.problems] == [1, 2]
    assert "newer version (format 2; this one reads 1)" in evidence.problems[0].text


def test_every_line_of_a_recorded_file_is_read_back_as_it_was_written(
    pytester: pytest.Pytester, listener: Listener
) -> None:
    """Reading what was written gives what was written."""
    path, *_ = record(pytester, listener, create_mock(), ["test_read"])
    lines: list[AnyLine] = [decode(line) for line in path.read_bytes().splitlines()]
    assert [each for each in lines if isinstance(each, Exchange)] == list(
        load_evidence(path).exchanges
    )
    assert not any("~" in str(line) for line in lines)


def test_the_example_in_the_documents_is_a_whole_file() -> None:
    """What docs/evidence.md shows can be read, to the last line."""
    page = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text("utf-8")
    (example,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    evidence = read_evidence(example.encode().splitlines(keepends=True))
    assert evidence.problems == ()
    assert (len(evidence.exchanges), len(evidence.webhooks), len(evidence.verdicts)) == (1, 1, 1)
