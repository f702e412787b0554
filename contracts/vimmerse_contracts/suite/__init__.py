"""The contract suite.

    pytest --pyargs vimmerse_contracts.suite --vimmerse-target mock|intercept|URL

What the tests assert, they assert through the public API and through what the target declares that
it can do. Each test's docstring says what is true and ends with the ids of the rules that it holds
the target to, as `vimmerse_contracts.operations.all_rules()` has them.
"""

from __future__ import annotations

from vimmerse_contracts.lazy import lazy_names

TYPE_CHECKING = False  # as in `typing`, whose import would cost more than all the rest here
if TYPE_CHECKING:
    from vimmerse_contracts.suite.api import session_for
    from vimmerse_contracts.suite.rules import FOLDER, rules_of
    from vimmerse_contracts.suite.target import not_run

__all__ = ["FOLDER", "not_run", "rules_of", "session_for"]

__getattr__, __dir__ = lazy_names(__name__, __all__, ("rules", "target", "api"))
