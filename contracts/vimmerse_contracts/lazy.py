"""Public names of a package that are imported when they are first used (PEP 562)."""

from __future__ import annotations

import sys
from importlib import import_module

TYPE_CHECKING = False  # as in `typing`, whose import would cost more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def lazy_names(
    package: str, names: Sequence[str], modules: Sequence[str]
) -> tuple[Callable[[str], object], Callable[[], Sequence[str]]]:
    """Make the `__getattr__` and `__dir__` of a package whose public names are in these modules.

    A name is looked for in one module after another. Each should import only modules before it, so
    that no name costs more than its own module does.
    """

    def find(name: str) -> object:
        for module in modules if name in names else ():
            found = vars(import_module(f"{package}.{module}"))
            if name in found:
                setattr(sys.modules[package], name, found[name])
                return found[name]
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find, lambda: names
