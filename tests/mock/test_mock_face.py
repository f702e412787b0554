from __future__ import annotations

import subprocess
import sys

import pytest

import vimmerse_mock
from vimmerse_mock import errors

PUBLIC = """
    Account Allowlist Answer Inbox Listener Mock MockServer Opening PriceList RemoteMock
    Scenario create_mock intercept
"""


def test_the_public_names_are_pinned() -> None:
    """`__all__` has what users need and every error, every name exists, a new one is a decision."""
    tree = {name for name, value in vars(errors).items() if isinstance(value, type)}
    ours = {name for name in tree if getattr(errors, name).__module__ == errors.__name__}
    assert vimmerse_mock.__all__ == [
        *sorted(name for name in {*PUBLIC.split(), *ours} if name[0].isupper()),
        "create_mock",
        "intercept",
    ]
    assert all(hasattr(vimmerse_mock, name) for name in vimmerse_mock.__all__)
    with pytest.raises(AttributeError, match="'nonsense'"):
        vimmerse_mock.nonsense  # noqa: B018 - it raises


def test_importing_the_mock_imports_nothing_else() -> None:
    """A name is imported at its first use: the package alone costs nothing."""
    code = "import sys, vimmerse_mock; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    assert not loaded & {"flask", "marshmallow", "pytest", "requests", "typing"}
