"""Magic markers: words in a title, an image's name or its URL that tell a mock what to do.

`[vimmerse:stuck]`, or `vimmerse--stuck` where brackets are unwelcome, as in file names and URLs.
Between the brackets stands a name, fields, or both: `[vimmerse:slow, fail_medias=0,2]`. Only a mock
knows them: the reference client refuses to send one to the real service.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_MARKER: Final = re.compile(r"\[vimmerse:([^\]]*)\]?|vimmerse--(\w*)", re.ASCII | re.IGNORECASE)
_BEFORE_A_FIELD: Final = re.compile(r",(?=\s*\w+\s*=)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Marker:
    """One marker: `text` as it stands, the `name` in it or "", and its fields as they are written.

    What a name or a field means, and which there are, is decided by who reads it.
    """

    text: str
    name: str
    fields: tuple[tuple[str, str], ...] = ()


def find_markers(text: str) -> tuple[Marker, ...]:
    """Find every marker in a text, in order; one that is not closed reaches to the end."""
    markers = []
    for found in _MARKER.finditer(text):
        items = _BEFORE_A_FIELD.split(found[1] if found[1] is not None else found[2])
        name = "" if "=" in items[0] else items.pop(0)
        fields = (item.partition("=") for item in items)
        pairs = tuple((field.strip(), value.strip()) for field, _, value in fields)
        markers.append(Marker(found[0], name.strip(), pairs))
    return tuple(markers)
