from __future__ import annotations

import subprocess
import sys

import pytest

import vimmerse_client


def test_the_public_names_are_pinned() -> None:
    """`__all__` names what is public, every name exists, and a new one is a decision."""
    assert all(hasattr(vimmerse_client, name) for name in vimmerse_client.__all__)
    assert vimmerse_client.__all__ == [
        "ApiError",
        "BadRequest",
        "Batch",
        "BatchFailed",
        "BatchNotDone",
        "BatchReader",
        "BatchStatus",
        "Client",
        "ConfigurationError",
        "DeadlineAdapter",
        "FieldProblem",
        "Forbidden",
        "ForeignWebhook",
        "ImageInput",
        "InsufficientCredit",
        "InvalidSignature",
        "InvalidWebhook",
        "MediaReference",
        "MemorySeen",
        "MethodNotAllowed",
        "NotFound",
        "PayloadTooLarge",
        "PosePreset",
        "RateLimited",
        "Receipt",
        "Receiver",
        "RetryPolicy",
        "SeenStore",
        "ServerError",
        "SignatureExpired",
        "SignatureMismatch",
        "SignatureMissing",
        "StaleStatus",
        "SubmitParams",
        "TransportError",
        "Unauthorized",
        "UnconfirmedWebhook",
        "UnexpectedResponse",
        "UnknownBatch",
        "UnknownStatus",
        "ValidationFailed",
        "VideoNotReady",
        "VimmerseError",
        "WaitTimeout",
        "WebhookEvent",
        "confirm_webhook",
        "parse_webhook",
        "submission_key",
        "verify_webhook",
    ]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        (
            "vimmerse_client",
            {"click", "flask", "pytest", "rich", "sqlalchemy", "vimmerse_mock", "werkzeug"},
        ),
        ("vimmerse_client.cli", {"flask", "rich", "sqlalchemy", "vimmerse_mock", "werkzeug"}),
    ],
)
def test_importing_the_client_imports_no_more_than_it_needs(module: str, absent: set[str]) -> None:
    """A library pays for no server, no database and no progress bar; only the CLI has click."""
    code = f"import sys, {module}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert absent.isdisjoint(ran.stdout.split())
