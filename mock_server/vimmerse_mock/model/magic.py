"""Magic inputs: what the markers in a title and in images' names say of a scenario.

Only a fake has them. A marker that says nothing known is an error, with what there is: a test that
asks for `[vimmerse:stcuk]` must not see a success.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from vimmerse_contracts.markers import Marker, find_markers
from vimmerse_mock.errors import MarkerError, ScenarioError
from vimmerse_mock.model.batch import Image
from vimmerse_mock.model.scenarios import FIELDS, SCENARIOS, Scenario, read_scenario

IMAGE_MARKERS: Final[Mapping[str, str]] = MappingProxyType(
    {"fail": "that media fails", "nsfw": "that image is refused"}
)
"""What an image's marker may say of that image, and what comes of it."""

_QUOTED: Final = 300
_WHOLE: Final = re.compile(r"\d{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Magic:
    """What the markers of a request say: a scenario of the batch, and the fate of single images."""

    scenario: Scenario | None = None
    fail: tuple[int, ...] = ()
    refuse: tuple[int, ...] = ()

    def on(self, chosen: Scenario) -> Scenario:
        """Let the marked images meet their fate in a scenario."""
        if not self.fail and not self.refuse:
            return chosen
        return replace(
            chosen,
            fail_medias=(*chosen.fail_medias, *self.fail),
            refuse_medias=(*chosen.refuse_medias, *self.refuse),
        )


def read_magic(title: str, images: Sequence[Image]) -> Magic:
    """Read the markers of a batch.

    Raises:
        MarkerError: a marker says nothing known, or two say it of one thing.
    """
    fates = [_fate(place, image) for place, image in enumerate(images)]
    return Magic(
        scenario=read_title(title),
        fail=tuple(place for place, fate in enumerate(fates) if fate == "fail"),
        refuse=tuple(place for place, fate in enumerate(fates) if fate == "nsfw"),
    )


def read_title(title: str) -> Scenario | None:
    """Read the marker of a title, if there is one.

    Raises:
        MarkerError: it says nothing known, or there are two.
    """
    marker = _only(find_markers(title), ("title",))
    return None if marker is None else _scenario(marker)


def _scenario(marker: Marker) -> Scenario:
    try:
        return read_scenario(_written(marker))
    except ScenarioError as error:
        raise MarkerError(
            ("title",),
            f"{_short(marker.text)}: {_short(str(error))}; a marker has the name of a scenario "
            f"({', '.join(SCENARIOS)}), fields ({', '.join(FIELDS)}), or both, "
            "such as [vimmerse:slow, fail_medias=0,2]",
        ) from error


def _written(marker: Marker) -> dict[str, Any]:
    """Make of a marker what its scenario is in JSON; one without fields needs a name."""
    pairs = [("name", marker.name)] if marker.name or not marker.fields else []
    pairs += marker.fields
    written = {name: _FROM_TEXT.get(name, str)(text) for name, text in pairs}
    if len(written) < len(pairs):
        raise ScenarioError("it says one thing twice")
    return written


def _short(text: str) -> str:
    """Quote no more of a text than helps."""
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."


def _number(text: str) -> int | str:
    """Read a whole number; what is none is left for the scenario to refuse."""
    return int(text) if _WHOLE.fullmatch(text) else text


def _numbers(text: str) -> list[int | str]:
    return [_number(item.strip()) for item in text.split(",")]


def _truth(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text, text)


_FROM_TEXT: Final[Mapping[str, Callable[[str], Any]]] = MappingProxyType(
    {
        "fail_medias": _numbers,
        "refuse_medias": _numbers,
        "fail_all": _truth,
        "fail_at": _number,
        "stuck_at": _number,
    }
)


def _fate(place: int, image: Image) -> str | None:
    where = ("image_files" if image.format else "image_urls", place)
    marker = _only(find_markers(image.name), where)
    if marker is None:
        return None
    if marker.name not in IMAGE_MARKERS or marker.fields:
        raise MarkerError(
            where,
            f"{_short(marker.text)}: an image's marker is one of "
            f"{', '.join(f'vimmerse--{name}' for name in IMAGE_MARKERS)}; "
            "what is to become of the batch stands in the title",
        )
    return marker.name


def _only(markers: Sequence[Marker], place: tuple[str | int, ...]) -> Marker | None:
    if len(markers) > 1:
        raise MarkerError(
            place,
            f"{_short(' and '.join(marker.text for marker in markers))}: one marker is enough; "
            "say it in one, such as [vimmerse:slow, fail_medias=0,2]",
        )
    return markers[0] if markers else None
