"""Scenarios: what will become of a submission, and how long it takes.

A scenario is resolved into a `Script` when a batch is submitted, and the script is stored with the
submission: changing a preset or the pace later changes no batch that exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated, Any, Final

from vimmerse_mock.errors import ScenarioError, SpanError, UnknownScenarioError
from vimmerse_mock.model.bounds import HALT, PLACE, PLACES, TEXT, is_writable, quoted
from vimmerse_mock.model.clock import Span, format_span, in_seconds, parse_span, seconds

ALL_FAILED_MESSAGE: Final = "All medias failed to process."
REFUSED_MESSAGE: Final = "An image was refused: NSFW content detected."
_LISTED: Final = 10
"""How many of the fields that there are not a refusal names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens to a batch. Every field has a default: `Scenario()` is a success.

    Args:
        queue: How long the batch waits for its turn, as `2s` or a number of seconds. By default
            1 s.
        processing: How long it then takes to its end, all media and the concat together; each media
            takes an equal part. By default it depends on the images.
        fail_medias: Indices, from 0, of the media that fail. Those beyond the last are ignored.
        refuse_medias: Indices of the images that are refused as soon as the queue is over, which
            takes no time; `message` says so from then on (A).
        fail_all: Every media fails, however many there are.
        fail_at: The percent, 0 to 99, at which the whole batch fails, all media at once.
        stuck_at: The percent, 0 to 99, at which it stops forever, without an end or a webhook.
        message: The message of a batch that fails or has a refused image. By default a suitable
            one.
        waits_as_new: While it waits for its turn its status is `new`, not `processing` (P26).
        video_after: How long after `success` the `video_url` is there, as `5s` or a number of
            seconds; by default at once. The reference's own sample waits for it (P25).
        translated_prompt: What the prompt was translated to: `Params` then has it as its prompt,
            and ends in the given one, `|OriginalPrompt=...` (O).

    Spans are stored as seconds.

    Raises:
        ScenarioError: a value is not valid.
    """

    queue: str | float | None = None
    processing: str | float | None = None
    fail_medias: Sequence[int] = ()
    refuse_medias: Sequence[int] = ()
    fail_all: bool = False
    fail_at: int | None = None
    stuck_at: int | None = None
    message: str = ""
    waits_as_new: bool = False
    video_after: str | float | None = None
    translated_prompt: Annotated[str, TEXT] = ""

    def __post_init__(self) -> None:
        """Check every value, and keep equal ones alike."""
        for name in _SPANS:
            try:
                if (written := getattr(self, name)) is not None:
                    object.__setattr__(self, name, in_seconds(parse_span(written)))
            except SpanError as error:
                raise ScenarioError(f"{name}: {error}") from error
        for name, (expected, is_right) in _CHECKS.items():
            if not is_right(value := getattr(self, name)):
                raise ScenarioError(f"{name}: expected {expected}, not {quoted(value)}")
        for name in ("fail_medias", "refuse_medias"):
            object.__setattr__(self, name, tuple(sorted(set(getattr(self, name)))))
        if self.fail_at is not None and self.stuck_at is not None:
            raise ScenarioError("a batch that fails at a percent is not stuck: give one of the two")


def _are_places(value: object) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or value not in PLACES:
        return False
    return all(place in PLACE for place in value)


_SPANS: Final = ("queue", "processing", "video_after")
_PLACES: Final = (f"a list of places of media, {PLACE}", _are_places)
_TEXT: Final = (
    f"a text of {TEXT} characters that UTF-8 can write",
    lambda value: isinstance(value, str) and value in TEXT and is_writable(value),
)
_PERCENT: Final = (
    f"a percent, {HALT}",
    lambda value: value is None or value in HALT,
)
_CHECKS: Final[Mapping[str, tuple[str, Callable[[object], bool]]]] = MappingProxyType(
    {
        "fail_medias": _PLACES,
        "refuse_medias": _PLACES,
        "fail_all": ("true or false", lambda value: isinstance(value, bool)),
        "fail_at": _PERCENT,
        "stuck_at": _PERCENT,
        "message": _TEXT,
        "waits_as_new": ("true or false", lambda value: isinstance(value, bool)),
        "translated_prompt": _TEXT,
    }
)
"""What the fields take that are no spans."""
FIELDS: Final = tuple(Scenario.__dataclass_fields__)
"""The fields of a scenario, in order."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A scenario that has a name; `outcome` says in words what becomes of a batch."""

    scenario: Scenario
    outcome: str


PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        "success": Preset(Scenario(), "every media finishes"),
        "partial": Preset(
            Scenario(fail_medias=(0,)),
            "the first media fails, the others finish; a batch of one fails",
        ),
        "fail": Preset(
            Scenario(fail_all=True), "every media fails; the batch is `fail`, with a message"
        ),
        "instant": Preset(
            Scenario(queue=0, processing=0),
            "`processing` in the answer, `success` from the next read on",
        ),
        "slow": Preset(
            Scenario(queue="1m", processing="14m"),
            "a success after 15 minutes, as long as the reference warns of",
        ),
        "queued": Preset(
            Scenario(queue="5m"), "`processing` at 0 % for five minutes, then as usual"
        ),
        "fail_late": Preset(
            Scenario(fail_at=90), "every media fails at once, at a progress of 90 %"
        ),
        "stuck": Preset(Scenario(stuck_at=50), "`processing` at 50 % forever: no end, no webhook"),
        "nsfw": Preset(
            Scenario(refuse_medias=(0,)),
            "the first image is refused before it is processed, and the message says so; "
            "the others finish; a batch of one fails",
        ),
    }
)
"""The table of presets, by name."""

SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {name: preset.scenario for name, preset in PRESETS.items()}
)
"""The scenarios of the presets, by name."""


def scenario(name: str) -> Scenario:
    """Return a preset's scenario.

    Raises:
        UnknownScenarioError: the name is none of `SCENARIOS`.
    """
    if name not in SCENARIOS:
        raise UnknownScenarioError(f"no scenario {quoted(name)}: there are {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


def read_scenario(written: object) -> Scenario:
    """Read a scenario from JSON: a name, or an object of fields with or without a `name`.

    The fields change what the preset of that name says: `{"name": "slow", "fail_medias": [1]}`.

    Raises:
        UnknownScenarioError: no preset has that name.
        ScenarioError: it is none of these, or has an unknown field or a value that is none.
    """
    if isinstance(written, Scenario):
        return written
    if isinstance(written, str):
        return scenario(written)
    if not isinstance(written, Mapping):
        raise ScenarioError(
            f"expected a scenario's name ({', '.join(SCENARIOS)}) or an object with "
            f"{', '.join(FIELDS)}, not {quoted(written)}"
        )
    fields = dict(written)
    name = fields.pop("name", "success")
    if not isinstance(name, str):
        raise ScenarioError(f"name: expected a text, not {quoted(name)}")
    base = scenario(name)
    if unknown := [quoted(field) for field in fields if field not in FIELDS][:_LISTED]:
        raise ScenarioError(
            f"a scenario has no {', '.join(unknown)}: its fields are name, {', '.join(FIELDS)}"
        )
    return replace(base, **fields)


def write_scenario(scenario: Scenario) -> dict[str, Any]:
    """Write a scenario as JSON that `read_scenario` takes: its name, or the fields that matter."""
    names = [name for name, known in SCENARIOS.items() if known == scenario]
    return {"name": names[0]} if names else write_fields(scenario)


def write_fields(scenario: Scenario) -> dict[str, Any]:
    """Write the fields of a scenario in which it differs from a usual success."""
    usual, fields = Scenario(), {}
    for name in FIELDS:
        value = getattr(scenario, name)
        if value == getattr(usual, name):
            continue
        if name in _SPANS:
            value = format_span(seconds(value))
        fields[name] = list(value) if isinstance(value, tuple) else value
    return fields


@dataclass(frozen=True, slots=True)
class Script:
    """The course of one submission: spans, and the places of the media that fail.

    Queued for `queue`, then each media takes `media`, one after another, then the concat takes
    `finish`. Those in `refuse_medias`, which are in `fail_medias` too, end when the queue does. At
    `fail_at` percent everything fails, at `stuck_at` percent everything stops. `queue_counts` is
    whether progress rises in the queue, as it does in scripts that older versions stored.
    `waits_as_new`, `video_after` and `translated_prompt` are the scenario's.
    """

    queue: Span
    media: Span
    finish: Span
    fail_medias: Annotated[tuple[Annotated[int, PLACE], ...], PLACES] = ()
    message: Annotated[str, TEXT] = ""
    refuse_medias: Annotated[tuple[Annotated[int, PLACE], ...], PLACES] = ()
    fail_at: Annotated[int, HALT] | None = None
    stuck_at: Annotated[int, HALT] | None = None
    queue_counts: bool = True
    waits_as_new: bool = False
    video_after: Span = 0
    translated_prompt: Annotated[str, TEXT] = ""


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
    take ten seconds: 1 in the queue, 4 x 2, and 1 for the concat.
    """

    queue: float = 1.0
    per_video_second: float = 0.4
    concat: float = 1.0
    slowness: Mapping[str, float] = field(default_factory=_MODEL_SLOWNESS.copy, hash=False)

    def script(
        self, motion_type: str, duration: int, quantity: int, scenario: Scenario, medias: int
    ) -> Script:
        """Return the course of a generation of `medias` media."""
        usual = self.per_video_second * duration * quantity * self.slowness.get(motion_type, 1.0)
        media, finish = seconds(usual), seconds(self.concat)
        refused = tuple(i for i in scenario.refuse_medias if i < medias)
        working = medias - len(refused)
        if scenario.processing is not None:
            whole = seconds(float(scenario.processing))
            media, finish = divmod(whole, working) if working else (0, whole)
        everything_fails = scenario.fail_all or scenario.fail_at is not None
        failing = {*scenario.fail_medias, *refused}
        return Script(
            queue=seconds(float(self.queue if scenario.queue is None else scenario.queue)),
            media=media,
            finish=finish,
            fail_medias=tuple(i for i in range(medias) if everything_fails or i in failing),
            message=scenario.message or (REFUSED_MESSAGE if refused else ALL_FAILED_MESSAGE),
            refuse_medias=refused,
            fail_at=scenario.fail_at,
            stuck_at=scenario.stuck_at,
            queue_counts=False,
            waits_as_new=scenario.waits_as_new,
            video_after=seconds(float(scenario.video_after or 0)),
            translated_prompt=scenario.translated_prompt,
        )

    def concat_script(self) -> Script:
        """Return the course of a concat."""
        return Script(queue=0, media=0, finish=seconds(self.concat))
