from __future__ import annotations

from datetime import date

import pytest

from vimmerse_contracts.operations import all_rules
from vimmerse_contracts.provenance import Rule, Source, Standing, assumed, documented, observed
from vimmerse_contracts.runs.verdicts import Outcome, Verdict, count_reasons, count_rules, judge
from vimmerse_contracts.suite.rules import UnknownRuleError, explain


def judged(outcome: Outcome, *rules: str, reason: str = "") -> Verdict:
    """Make the verdict on a test with its rules."""
    return Verdict("test", outcome, rules, reason)


def test_a_rule_is_broken_by_one_failure_and_held_by_one_success() -> None:
    """Failure counts over success, and success over what was not run."""
    outcomes = judge(
        [
            judged(Outcome.PASSED, "create.object", "object.ids"),
            judged(Outcome.FAILED, "create.object", "error.401"),
            judged(Outcome.SKIPPED, "object.ids", "webhook.body"),
        ]
    )
    assert {rule.id: outcome for rule, outcome in outcomes.items()} == {
        "create.object": Outcome.FAILED,
        "object.ids": Outcome.PASSED,
        "error.401": Outcome.FAILED,
        "webhook.body": Outcome.SKIPPED,
    }


def test_rules_are_counted_by_where_they_come_from() -> None:
    """The summary's line has each standing."""
    outcomes = judge([judged(Outcome.PASSED, "create.object", "object.ids", "error.401")])
    assert (
        count_rules(outcomes, Outcome.PASSED) == "3 rules held: 1 documented, 1 observed, 1 assumed"
    )


def test_reasons_are_counted_without_what_is_a_tests_own() -> None:
    """What stands behind a colon differs from test to test, and is left out."""
    tests = [judged(Outcome.SKIPPED, reason=f"not run, because of the limit: {n}") for n in "ab"]
    assert count_reasons(tests) == ["2 tests not run, because of the limit"]


def test_an_observed_rule_has_its_date() -> None:
    """Observed rules, and only those, say when; each rule says where it comes from."""
    seen = observed("a.rule", "It is so", on=date(2025, 4, 2))
    assert seen.provenance == "observed (O, on 2025-04-02)"
    assert documented("b.rule", "So", Source.OPENAPI_2026).provenance == "documented (P26)"
    assert assumed("c.rule", "So", because="it is").provenance == "assumed, because it is"
    for source, when in ((Source.OBSERVED, None), (Source.SEED, date(2025, 4, 2))):
        with pytest.raises(ValueError, match="an observed rule, and no other, gives a date"):
            Rule("d.rule", "So", source, seen=when)


def test_the_contract_has_rules_of_every_standing() -> None:
    """Documented, observed and assumed rules stand side by side."""
    assert {rule.standing for rule in all_rules()} == set(Standing)


@pytest.mark.parametrize("rule", [*all_rules()], ids=lambda rule: rule.id)
def test_every_rule_can_be_explained(rule: Rule) -> None:
    """Its text, its source, and the tests that hold a target to it, or that none can."""
    text = "\n".join(explain(rule.id))
    assert rule.text in text
    assert rule.provenance in text
    assert "test_" in text or "none can hold" in text


def test_what_depends_on_an_error_is_every_operation_that_answers_with_it() -> None:
    """The operations are named with the status."""
    assert "PUT /batch/{batch_id}/edit (402)" in "\n".join(explain("error.402"))


def test_an_unknown_rule_is_refused_with_those_that_come_near() -> None:
    """A typo is answered by the rule that was meant."""
    with pytest.raises(UnknownRuleError, match=r"did you mean concat.too_early"):
        explain("concat.too_erly")
    with pytest.raises(UnknownRuleError, match=r"there are: auth.header"):
        explain("zzz")
