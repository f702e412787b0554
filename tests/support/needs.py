"""What a test cannot do without."""

from __future__ import annotations

import os

import pytest


def need(there: object, reason: str) -> None:
    """Skip the test for want of something; fail it in CI, which must have everything."""
    if there:
        return
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
