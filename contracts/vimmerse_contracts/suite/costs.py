"""What a test may cost at most: `@costs(...)`, which the plugin prices by the price list.

A request that the contract says is refused costs nothing and is not declared.
"""

from __future__ import annotations

from typing import Final

import pytest

costs: Final = pytest.mark.vimmerse_costs
