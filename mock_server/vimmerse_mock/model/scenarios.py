"""Scenarios: what will become of a submission, and how long it takes.

A scenario is resolved into a `Script` when a batch is submitted, and the script is stored with the
submission: changing a preset or the pace later changes no batch that exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from vimmerse_mock.model.clock import Span, seconds

ALL_FAILED_MESSAGE: Final = "All medias failed to process."


class UnknownScenarioError(ValueError):
    """No scenario has that name."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Which media of a batch fail (their places, from 0), and what a failed batch then says.

    `fail_all` fails every media, however many there are.
    """

    fail_medias: tuple[int, ...] = ()
    fail_all: bool = False
    message: str = ALL_FAILED_MESSAGE

    def failing(self, count: int) -> tuple[int, ...]:
        """Tell which of `count` media fail."""
        places = range(count)
        return tuple(places) if self.fail_all else tuple(i for i in places if i in self.fail_medias)


SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {
        "success": Scenario(),
        "partial": Scenario(fail_medias=(0,)),
        "fail": Scenario(fail_all=True),
    }
)
"""The presets by name."""


def scenario(name: str) -> Scenario:
    """Return a preset.

    Raises:
        UnknownScenarioError: the name is none of `SCENARIOS`.
    """
    if name not in SCENARIOS:
        raise UnknownScenarioError(f"no scenario {name!r}: there are {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


@dataclass(frozen=True, slots=True)
class Script:
    """The course of one submission: spans, and the places of the media that fail.

    Queued for `queue`, then each media takes `media`, one after another, then `finish` to compose.
    """

    queue: Span
    media: Span
    finish: Span
    fail_medias: tuple[int, ...] = ()
    message: str = ""


_MODEL_SLOWNESS: Final[dict[str, float]] = {
    "Veo": 3.0,
    "Kling2": 2.0,
    "LumaRay2": 1.5,
    "VeoFast": 1.5,
    "RunwayML": 1.25,
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds (A: the reference says 5 to 15 minutes; a fake hurries).

    A media takes `per_video_second` for each second of video and each of its `quantity`, times
    `slowness` of its motion type (1 where none is named). By default four images of five seconds
    take ten seconds: 1 in the queue, 4 x 2, and 1 to compose.
    """

    queue: float = 1.0
    per_video_second: float = 0.4
    compose: float = 1.0
    slowness: Mapping[str, float] = field(default_factory=_MODEL_SLOWNESS.copy, hash=False)

    def script(
        self, motion_type: str, duration: int, quantity: int, scenario: Scenario, medias: int
    ) -> Script:
        """Lay down the course of a generation of `medias` media."""
        media = self.per_video_second * duration * quantity * self.slowness.get(motion_type, 1.0)
        return Script(
            queue=seconds(self.queue),
            media=seconds(media),
            finish=seconds(self.compose),
            fail_medias=scenario.failing(medias),
            message=scenario.message,
        )

    def compose_script(self) -> Script:
        """Lay down the course of a composition."""
        return Script(queue=0, media=0, finish=seconds(self.compose))
