"""How much may be uploaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest image and the largest request, in bytes (A)."""

    file: int = 32 * MEBIBYTE
    request: int = 256 * MEBIBYTE
