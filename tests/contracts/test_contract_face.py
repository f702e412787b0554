from __future__ import annotations

import subprocess
import sys

import pytest

import vimmerse_contracts
import vimmerse_contracts.runs
import vimmerse_contracts.suite

PUBLIC = """
    API_KEY_HEADER CONTROL_ROOT ERRORS OPERATIONS POLL_SECONDS PRODUCTION_URL SAMPLE_API_KEY
    SAMPLE_CUSTOMER_ID ApiError
    BatchAnswerSchema BatchSchema BatchStatus Capability ContractViolation CreateBatchSchema Marker
    MessageErrorSchema Operation ReceivedWebhook Rule Source Target UpdateBatchSchema
    ValidationErrorSchema WebhookSchema all_rules check_batch check_batch_answer check_error
    check_progress check_unchanged check_validation check_video check_webhook find_markers
    is_loopback_url is_production_url json_schemas monotonic openapi_document without_credentials
"""


def test_the_public_names_are_pinned() -> None:
    """`__all__` names what is public, every name exists, and a new one is a decision."""
    assert vimmerse_contracts.__all__ == PUBLIC.split()
    assert all(hasattr(vimmerse_contracts, name) for name in vimmerse_contracts.__all__)
    with pytest.raises(AttributeError, match="'nonsense'"):
        vimmerse_contracts.nonsense  # noqa: B018 - it raises


def test_importing_the_contract_imports_nothing_else() -> None:
    """A name is imported at its first use: the package alone costs nothing."""
    code = "import sys, vimmerse_contracts; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    assert not loaded & {"apispec", "marshmallow", "pytest", "requests", "typing"}


RUNS = """
    FORMAT UNFINISHED Assumption Begun Budget Contract Cost Header Labels LineFile
    NotAffordableError Outcome PriceListError Prices Recorder Redactor Sent SpendingFile Step
    Verdict begin count_reasons count_rules judge make_plan make_prices read_prices recording
    relied_on seal
"""


def test_the_names_that_the_plugin_runs_the_suite_with_are_pinned() -> None:
    """The suite and its runs have faces of their own."""
    assert vimmerse_contracts.suite.__all__ == ["FOLDER", "not_run", "rules_of", "session_for"]
    assert vimmerse_contracts.runs.__all__ == RUNS.split()
    for face in (vimmerse_contracts.suite, vimmerse_contracts.runs):
        assert all(hasattr(face, name) for name in face.__all__)
