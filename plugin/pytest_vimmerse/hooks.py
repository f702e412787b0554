"""Hooks that other plugins may implement."""

from __future__ import annotations

import pytest

from vimmerse_contracts.suite.target import Target


@pytest.hookspec(firstresult=True)
def pytest_vimmerse_target(config: pytest.Config) -> Target | None:
    """Return the target of the contract suite, or None to leave it to `--vimmerse-target`."""
