"""Marks in a WSGI environ, by which parts of the mock tell each other of a request.

No client can set them: what comes over the network begins with `HTTP_`.
"""

from __future__ import annotations

from typing import Final

FAULT_MET: Final = "vimmerse.fault"
"""The fault that the request met, in a few words."""

INTERCEPTED: Final = "vimmerse.intercepted"
"""A list, where there is no socket: of what should have happened to it (`FaultKind`, seconds)."""

BROKEN: Final = "vimmerse.broken"
"""The kind of fault that kept the answer from arriving whole."""

BEGAN: Final = "vimmerse.began"
"""The real instant at which an operation began."""

ACCOUNT: Final = "vimmerse.account"
"""Whose request it is (`AccountState`), or None."""

VIEW: Final = "vimmerse.view"
"""The batch that was answered about (`BatchView`)."""
