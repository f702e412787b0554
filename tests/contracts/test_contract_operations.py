from __future__ import annotations

from collections import Counter
from http import HTTPStatus

import pytest
from marshmallow import ValidationError

from vimmerse_contracts import fields as problems
from vimmerse_contracts import operations as e
from vimmerse_contracts.fields import Choice, Problem, problems_in, validation_body
from vimmerse_contracts.operations import OPERATIONS, Operation, all_rules
from vimmerse_contracts.provenance import Rule, Source, assumed, documented

_each = pytest.mark.parametrize("operation", OPERATIONS, ids=[each.id for each in OPERATIONS])
KEYED = [operation for operation in OPERATIONS if operation.needs_key]


def test_there_are_the_four_operations_and_health() -> None:
    """The table has what the reference documents, and the health check."""
    assert [(each.method, each.path) for each in OPERATIONS] == [
        ("POST", "/batch"),
        ("GET", "/batch/{batch_id}"),
        ("PUT", "/batch/{batch_id}/edit"),
        ("POST", "/batch/{batch_id}/concat"),
        ("GET", "/health"),
    ]


def test_every_rule_has_an_id_of_its_own() -> None:
    """No two rules share an id."""
    repeated = [
        name for name, count in Counter(rule.id for rule in all_rules()).items() if count > 1
    ]
    assert repeated == []


def test_every_rule_says_where_it_comes_from() -> None:
    """Each rule has a source, and exactly the assumed ones say why."""
    for rule in all_rules():
        assert rule.text
        assert bool(rule.reason) == (rule.source is Source.ASSUMED)


@pytest.mark.parametrize("operation", KEYED, ids=[each.id for each in KEYED])
def test_an_operation_on_batches_has_the_documented_errors(operation: Operation) -> None:
    """Every operation on batches documents 400, 401, 402 and 422, and 404 where it takes an id."""
    statuses = {error.status for error in operation.errors}
    assert statuses >= {400, 401, 402, 405, 422}
    assert (404 in statuses) == ("{batch_id}" in operation.path)


@_each
def test_an_operation_names_each_status_once(operation: Operation) -> None:
    """No operation has two errors of one status."""
    statuses = [error.status for error in operation.errors]
    assert len(set(statuses)) == len(statuses)


@pytest.mark.parametrize("error", e.ERRORS, ids=[each.rule.id for each in e.ERRORS])
def test_an_error_has_a_status_of_http_and_the_rule_of_that_name(error: e.ApiError) -> None:
    """Each error's rule is named by its status, which is an error of HTTP."""
    assert error.rule.id == f"error.{error.status}"
    assert HTTPStatus(error.status).value >= 400


@pytest.mark.parametrize(
    "error", [each for each in e.ERRORS if each.code], ids=lambda each: each.code
)
def test_an_error_that_has_a_code_says_it(error: e.ApiError) -> None:
    """The body of an error is its code, and is what its schema describes."""
    assert error.body == {"message": error.code}
    assert error.schema().validate(error.body) == {}


def test_an_assumed_rule_must_say_why() -> None:
    """A rule is refused that is assumed without a reason, or documented with one."""
    assert assumed("a.rule", "It is so", because="nobody knows").source is Source.ASSUMED
    assert documented("a.rule", "It is so").source is Source.SEED
    with pytest.raises(ValueError, match=r"'a\.rule': an assumed rule, and no other"):
        Rule("a.rule", "It is so", Source.ASSUMED)
    with pytest.raises(ValueError, match="gives a reason"):
        Rule("a.rule", "It is so", Source.SEED, "since I say so")


def test_problems_are_found_at_any_depth() -> None:
    """Problems are yielded with their place, however deep marshmallow nests them."""
    nested = {"body": {"loop": [problems.INT_PARSING], "image_urls": {1: [problems.URL_SCHEME]}}}
    assert list(problems_in(nested)) == [
        (("body", "loop"), problems.INT_PARSING),
        (("body", "image_urls", 1), problems.URL_SCHEME),
    ]


def test_a_message_that_is_text_becomes_a_problem() -> None:
    """A message of marshmallow's own is told as pydantic tells what a validator raised."""
    messages = ValidationError("too long", "title").messages
    assert list(problems_in(messages)) == [((), Problem("value_error", "Value error, too long"))]


def test_a_422_is_written_as_fastapi_writes_it() -> None:
    """The body lists place, message, type, input and bound of each problem."""
    problem = Problem("less_than_equal", "No more than 6", "7", {"le": 6})
    assert validation_body({"body": {"loop": [problem]}}) == {
        "detail": [
            {
                "loc": ["body", "loop"],
                "msg": "No more than 6",
                "type": "less_than_equal",
                "input": "7",
                "ctx": {"le": 6},
            }
        ]
    }


@pytest.mark.parametrize(
    ("choices", "listed"),
    [(["a"], "'a'"), (["a", "b"], "'a' or 'b'"), (["a", "b", "c"], "'a', 'b' or 'c'")],
)
def test_choices_are_listed_as_pydantic_lists_them(choices: list[str], listed: str) -> None:
    """The last of several choices is joined by 'or', the others by commas."""
    with pytest.raises(ValidationError) as caught:
        Choice(choices)("z")
    ((_, problem),) = problems_in(caught.value.messages)
    assert problem.msg == f"Input should be {listed}"
