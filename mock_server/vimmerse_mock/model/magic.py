"""Magic markers in a title and in images' names: what becomes of the batch.

Only a fake has them. A marker that says nothing known is an error, with what there is: a test that
asks for `[vimmerse:stcuk]` must not see a success.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
"""What an image's marker may say, and what becomes of that image."""

_QUOTED: Final = 300
_WHOLE: Final = re.compile(r"\d{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Magic:
    """What the markers of a batch say: its scenario, and which images fail or are refused."""

    scenario: Scenario | None = None
    fail: tuple[int, ...] = ()
    refuse: tuple[int, ...] = ()

    def on(self, chosen: Scenario) -> Scenario:
        """Return a scenario in which the marked images fail or are refused too."""
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
    marked: dict[str, list[int]] = {name: [] for name in IMAGE_MARKERS}
    for number, image in enumerate(images):
        if image.is_missing:
            marked["fail"].append(number)
        place = ("image_files" if image.format else "image_urls", number)
        marker = _only(find_markers(image.name), place)
        if marker is None:
            continue
        if marker.name not in IMAGE_MARKERS or marker.fields:
            raise MarkerError(
                place,
                f"{_short(marker.text)}: an image's marker is one of "
                f"{', '.join(f'vimmerse--{name}' for name in IMAGE_MARKERS)}; "
                "what is to become of the batch stands in the title",
            )
        marked[marker.name].append(number)
    return Magic(read_title(title), fail=tuple(marked["fail"]), refuse=tuple(marked["nsfw"]))


def read_title(title: str) -> Scenario | None:
    """Read the marker of a title, if there is one.

    Raises:
        MarkerError: it says nothing known, or there are two.
    """
    marker = _only(find_markers(title), ("title",))
    if marker is None:
        return None
    try:
        return _scenario(marker)
    except ScenarioError as error:
        raise MarkerError(
            ("title",),
            f"{_short(marker.text)}: {_short(str(error))}; a marker has the name of a scenario "
            f"({', '.join(SCENARIOS)}), fields ({', '.join(FIELDS)}), or both, "
            "such as [vimmerse:slow, fail_medias=0,2]",
        ) from error


def _scenario(marker: Marker) -> Scenario:
    pairs = [("name", marker.name)] if marker.name or not marker.fields else []
    pairs += marker.fields
    written = {name: _value(name, text) for name, text in pairs}
    if len(written) < len(pairs):
        raise ScenarioError("it sets one field twice")
    return read_scenario(written)


def _only(markers: Sequence[Marker], place: tuple[str | int, ...]) -> Marker | None:
    if len(markers) > 1:
        raise MarkerError(
            place,
            f"{_short(' and '.join(marker.text for marker in markers))}: write only one "
            "marker, such as [vimmerse:slow, fail_medias=0,2]",
        )
    return markers[0] if markers else None


def _value(name: str, text: str) -> Any:  # noqa: ANN401 - what JSON would have there
    """Read the text of a field; what does not fit is left for the scenario to refuse."""
    match name:
        case "fail_medias" | "refuse_medias":
            return [_number(item.strip()) for item in text.split(",")]
        case "fail_at" | "stuck_at":
            return _number(text)
        case "fail_all" | "waits_as_new":
            return {"true": True, "false": False}.get(text, text)
        case _:
            return text


def _number(text: str) -> int | str:
    return int(text) if _WHOLE.fullmatch(text) else text


def _short(text: str) -> str:
    """Quote no more of a text than helps."""
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."
