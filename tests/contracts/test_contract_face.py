from __future__ import annotations

import subprocess
import sys

import pytest

import vimmerse_contracts

PUBLIC = """
    API_KEY_HEADER ERRORS OPERATIONS PRODUCTION_URL SAMPLE_API_KEY SAMPLE_CUSTOMER_ID ApiError
    BatchAnswerSchema BatchSchema BatchStatus Capability ContractViolation CreateBatchSchema Marker
    MessageErrorSchema Operation ReceivedWebhook Rule Source Target UpdateBatchSchema
    ValidationErrorSchema WebhookSchema all_rules check_batch check_batch_answer check_error
    check_progress check_unchanged check_validation check_video check_webhook find_markers
    json_schemas openapi_document
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
