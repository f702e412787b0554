"""Fixtures of the suite; the target itself comes from the plugin `pytest_vimmerse`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from vimmerse_contracts.runs.prices import Form
from vimmerse_contracts.runs.spending import Budget
from vimmerse_contracts.suite.api import LONG, TINY, Api
from vimmerse_contracts.suite.shared import Shared
from vimmerse_contracts.suite.target import Target


@pytest.fixture
def contract_api(vimmerse_target: Target, vimmerse_budget: Budget | None) -> Iterator[Api]:
    """The operations, called with the target's key."""
    with Api(vimmerse_target, vimmerse_target.api_key, vimmerse_budget) as api:
        yield api


@pytest.fixture
def contract_other_api(vimmerse_target: Target, vimmerse_budget: Budget | None) -> Iterator[Api]:
    """The operations, called with the key of a second customer."""
    with Api(vimmerse_target, vimmerse_target.other_api_key, vimmerse_budget) as api:
        yield api


@pytest.fixture
def contract_broke_api(vimmerse_target: Target, vimmerse_budget: Budget | None) -> Iterator[Api]:
    """The operations, called with the key of a customer whose credit does not suffice."""
    key = vimmerse_target.broke_api_key
    with Api(vimmerse_target, key, vimmerse_budget, has_credit=False) as api:
        yield api


@pytest.fixture
def contract_read_only_api(vimmerse_target: Target) -> Iterator[Api]:
    """The operations, called with a key that may only read."""
    with Api(vimmerse_target, vimmerse_target.read_only_api_key) as api:
        yield api


@pytest.fixture(scope="session")
def contract_shared(
    vimmerse_session_target: Target, vimmerse_budget: Budget | None
) -> Iterator[Shared]:
    """Batches that several tests look at, each made when it is first asked for."""
    target = vimmerse_session_target
    with Api(target, target.api_key, vimmerse_budget) as api:
        yield Shared(api, vimmerse_budget)


@pytest.fixture
def contract_unfinished(vimmerse_budget: Budget | None) -> Form:
    """A creation that is not done by the time of the next request.

    Where credits count it is the cheapest there is: such a service takes minutes for it.
    """
    return TINY if vimmerse_budget else LONG


@pytest.fixture
def contract_failing(vimmerse_target: Target) -> Iterator[Callable[[int], None]]:
    """Make the first so many medias of every later batch of this test fail."""
    yield lambda count: vimmerse_target.fail_medias(range(count))
    vimmerse_target.fail_medias(())
