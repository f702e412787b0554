from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest

from contracts.suite_runs import names, run_suite
from plugin.playing import STEPPING
from vimmerse_contracts.vocabulary import RESUBMITTING_FIELDS
from vimmerse_mock.server import MockServer

NEED_BALANCE: Final = {
    "test_create::test_a_creation_is_paid_when_it_is_accepted": 1,
    "test_errors::test_a_refused_creation_takes_no_credit": 2,
    "test_update::test_metadata_costs_nothing": 5,
    "test_update::test_a_resubmitting_field_costs_again": len(RESUBMITTING_FIELDS),
}
NEED_FAILING_MEDIAS: Final = {
    "test_concat::test_a_failed_batch_cannot_be_composed": 1,
    "test_lifecycle::test_a_batch_with_one_finished_media_succeeds": 1,
    "test_lifecycle::test_a_batch_without_a_finished_media_fails": 1,
    "test_lifecycle::test_what_was_submitted_stays_as_it_was_submitted": 1,
    "test_webhook::test_a_failure_is_reported_too": 1,
    "test_webhook::test_a_partial_success_is_reported_as_success": 1,
}
TOO_FAST: Final = {"test_lifecycle::test_medias_finish_one_by_one": 1}
NEED_OTHER_ACCOUNT: Final = {
    "test_errors::test_a_foreign_batch_is_not_found": 3,
    "test_read::test_the_batch_of_another_is_not_found": 1,
}
NEED_READ_ONLY_ACCOUNT: Final = {
    "test_errors::test_a_key_that_may_only_read_is_forbidden_to_change": 3,
}
NEED_BROKE_ACCOUNT: Final = {
    "test_errors::test_a_creation_without_credit_is_refused": 1,
    "test_errors::test_a_refused_creation_is_never_processed": 1,
    "test_errors::test_the_batch_is_looked_for_before_the_credit": 2,
    "test_update::test_an_update_without_credit_changes_nothing": 1,
}


@pytest.fixture
def live() -> Iterator[MockServer]:
    """A mock that the suite cannot take for one in process: it is polled, and its clock moves."""
    with MockServer(opening=STEPPING) as server:
        yield server


@pytest.mark.parametrize("target", ["mock", "intercept"])
def test_a_mock_passes_the_whole_suite(pytester: pytest.Pytester, target: str) -> None:
    """The mock in a thread, and in process, can do everything and passes everything."""
    run = run_suite(pytester, f"--vimmerse-target={target}")
    assert (run.said, names(run.skipped)) == ("", {})
    assert len(run.passed) > 100


def test_a_service_behind_a_url_passes(pytester: pytest.Pytester, live: MockServer) -> None:
    """A service that the suite can only call passes all that needs no more, the rest is skipped."""
    run = run_suite(
        pytester,
        f"--vimmerse-target={live.url}",
        f"--vimmerse-key={live.account.key}",
        "--vimmerse-poll=0.02",
        f"--vimmerse-other-key={live.open_account(STEPPING).key}",
        f"--vimmerse-broke-key={live.open_account(replace(STEPPING, credits=1)).key}",
    )
    assert run.said == ""
    assert (
        names(run.skipped) == NEED_BALANCE | NEED_FAILING_MEDIAS | NEED_READ_ONLY_ACCOUNT | TOO_FAST
    )
    assert len(run.passed) > 100


def test_what_is_not_run_names_what_the_target_lacks(
    pytester: pytest.Pytester, live: MockServer
) -> None:
    """Without further keys, the tests that need them are not run, each by what is lacking."""
    lacking = NEED_OTHER_ACCOUNT | NEED_BROKE_ACCOUNT
    run = run_suite(
        pytester,
        f"--vimmerse-target={live.url}/",
        f"--vimmerse-key={live.account.key}",
        only=sorted(lacking),
    )
    assert (run.said, run.passed) == ("", ())
    assert names(run.skipped) == lacking
    reasons = {str(report.longrepr) for report in run.skipped}
    assert all("not run, because there is no " in reason for reason in reasons)
    for lack in ("--vimmerse-other-key", "--vimmerse-broke-key"):
        assert any(lack in reason for reason in reasons)


def test_a_customer_with_nothing_at_all_is_broke_too(
    pytester: pytest.Pytester, live: MockServer
) -> None:
    """Where the broke customer cannot pay for one batch, what needs that batch is skipped."""
    run = run_suite(
        pytester,
        f"--vimmerse-target={live.url}",
        f"--vimmerse-key={live.account.key}",
        f"--vimmerse-broke-key={live.open_account(replace(STEPPING, credits=0)).key}",
        only=sorted(NEED_BROKE_ACCOUNT),
    )
    assert run.said == ""
    assert names(run.skipped) == {"test_update::test_an_update_without_credit_changes_nothing": 1}
