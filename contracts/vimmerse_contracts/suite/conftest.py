"""Fixtures of the suite; the target itself comes from the plugin `pytest_vimmerse`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from vimmerse_contracts.suite.api import Api
from vimmerse_contracts.suite.shared import Shared
from vimmerse_contracts.target import Target


@pytest.fixture
def contract_api(vimmerse_target: Target) -> Iterator[Api]:
    """The operations, called with the target's key."""
    with Api(vimmerse_target.base_url, vimmerse_target.api_key) as api:
        yield api


@pytest.fixture
def contract_other_api(vimmerse_target: Target) -> Iterator[Api]:
    """The operations, called with the key of a second customer."""
    with Api(vimmerse_target.base_url, vimmerse_target.other_api_key) as api:
        yield api


@pytest.fixture
def contract_broke_api(vimmerse_target: Target) -> Iterator[Api]:
    """The operations, called with the key of a customer whose credit does not suffice."""
    with Api(vimmerse_target.base_url, vimmerse_target.broke_api_key) as api:
        yield api


@pytest.fixture(scope="session")
def contract_shared(vimmerse_session_target: Target) -> Iterator[Shared]:
    """Batches that several tests look at, each made when it is first asked for."""
    with Api(vimmerse_session_target.base_url, vimmerse_session_target.api_key) as api:
        yield Shared(vimmerse_session_target, api)


@pytest.fixture
def contract_failing(vimmerse_target: Target) -> Iterator[Callable[[int], None]]:
    """Make the first so many medias of every later batch of this test fail."""
    yield lambda count: vimmerse_target.fail_medias(range(count))
    vimmerse_target.fail_medias(())
