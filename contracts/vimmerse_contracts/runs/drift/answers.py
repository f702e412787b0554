"""Answers compared: their keys, types, values, headers and statuses."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from marshmallow import validate

from vimmerse_contracts.runs.drift.findings import Finding, Severity, listed, severity_of_new_value
from vimmerse_contracts.runs.evidence.file import Evidence, Webhook
from vimmerse_contracts.runs.exchanges import Answer, json_type
from vimmerse_contracts.schemas import BatchAnswerSchema, WebhookSchema, fields_within

ROOT: Final = "$"

_REFERENCE: Final = re.compile(r"<([a-z]+)(?:[:~ ].*?)?( as [^<>]*)?>")
_NUMBERED: Final = re.compile(r":(?:\d+|~[0-9a-f]+)")
_NAMED_VALUES: Final = re.compile(r"\w+=[^|]*(?:\|\w+=[^|]*)+")
"""Text such as `Prompt=|Quantity=1`: what stands in it are keys, too (S)."""


class Shape:
    """What was seen of a number of JSON values, by JSON path: `$.data.medias[].item`."""

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self.types: defaultdict[str, set[str]] = defaultdict(set)
        self.formats: defaultdict[str, set[str]] = defaultdict(set)
        self.values: defaultdict[str, set[object]] = defaultdict(set)
        self.urls: defaultdict[str, set[str]] = defaultdict(set)
        self.orders: dict[str, tuple[str, ...]] = {}
        self._objects: Counter[str] = Counter()
        self._present: Counter[str] = Counter()
        self.parents: dict[str, str] = {}
        """Of every key that was seen, by its path, the path of the object that it was in."""
        for value in values:
            self._add(ROOT, value)

    def has(self, path: str) -> bool:
        """Whether an object was seen at this path."""
        return self._objects[path] > 0

    def presence(self, path: str) -> str:
        """Return how often a key is there: 'always', 'sometimes' or 'never'."""
        if not self._present[path]:
            return "never"
        always = self._present[path] == self._objects[self.parents[path]]
        return "always" if always else "sometimes"

    def _add(self, path: str, value: Any) -> None:  # noqa: ANN401 - any JSON
        self.types[path].add(json_type(value))
        if isinstance(value, dict):
            self._add_object(path, value)
        elif isinstance(value, list):
            for item in value:
                self._add(f"{path}[]", item)
        elif isinstance(value, str):
            self._add_text(path, value)
        elif isinstance(value, bool):
            self.values[path].add(value)

    def _add_object(self, path: str, value: dict[str, Any]) -> None:
        named = {_NUMBERED.sub("", key): item for key, item in value.items()}
        self._objects[path] += 1
        if len(named) > len(self.orders.get(path, ())):
            self.orders[path] = tuple(named)
        for key, item in named.items():
            inside = f"{path}.{key}"
            self.parents[inside] = path
            self._present[inside] += 1
            self._add(inside, item)

    def _add_text(self, path: str, text: str) -> None:
        if _NAMED_VALUES.fullmatch(text):
            pairs = (part.partition("=") for part in text.split("|"))
            self._add_object(path, {name: value for name, _, value in pairs})
            return
        reference = _REFERENCE.fullmatch(text)
        if reference is None:
            self.values[path].add(text)
        elif reference[1] == "url":
            self.urls[path].add(_NUMBERED.sub("", text.removeprefix("<url:").removesuffix(">")))
        if text:
            self.formats[path].add((reference[1] + (reference[2] or "")) if reference else "text")


WEBHOOK: Final = "webhook"
_FIRST_ERROR: Final = 400
_FIRST_SERVER_ERROR: Final = 500
_CODES: Final = ("$.message", "$.detail[].type")
"""What clients tell errors apart by."""
_WORDING: Final = "$.detail[].msg"

Place = tuple[str, str]
"""An operation with the status of its answer, and the status of the batch in it ("" for all)."""


class Seen:
    """What a run was answered, and sent by webhook: bodies by place, headers, statuses."""

    def __init__(self, evidence: Evidence) -> None:
        self.bodies: defaultdict[Place, list[Any]] = defaultdict(list)
        self.headers: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(_sets)
        self.statuses: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        for exchange in evidence.exchanges:
            answer = exchange.answer
            if answer is not None:
                place = f"{exchange.operation} {answer.status}"
                self._add(place, str(answer.batch.get("status", "")), answer)
                self.statuses[exchange.test, exchange.operation].add(answer.status)
        for webhook in evidence.webhooks:
            self._add(WEBHOOK, "", webhook)

    def _add(self, place: str, state: str, message: Answer | Webhook) -> None:
        for each in {"", state}:
            self.bodies[place, each].append(message.body)
        for name, value in message.headers.items():
            self.headers[place][name].add(value)


def _sets() -> defaultdict[str, set[str]]:
    return defaultdict(set)


VOCABULARY: Final[Mapping[str, frozenset[Any]]] = MappingProxyType(
    {
        ROOT + path: frozenset(choice.choices)
        for schema in (BatchAnswerSchema, WebhookSchema)
        for path, field in fields_within(schema)
        for choice in field.validators
        if isinstance(choice, validate.OneOf)
    }
)
"""The words that the contract knows, by JSON path."""


def compare_answers(first: Evidence, second: Evidence) -> Iterator[Finding]:
    """Compare what was answered, and sent by webhook, wherever both have something to show."""
    before, now = Seen(first), Seen(second)
    found: dict[tuple[str, str, str], Finding] = {}
    for place in sorted(before.bodies.keys() & now.bodies.keys()):
        shapes = Shape(before.bodies[place]), Shape(now.bodies[place])
        for finding in compare_shapes(place[0], *shapes):
            # What is so in all states of a batch is a finding once, not once for each.
            found.setdefault((finding.kind, finding.place, finding.path), finding)
    yield from found.values()
    for name in sorted(before.headers.keys() & now.headers.keys()):
        yield from _compare_headers(name, before.headers[name], now.headers[name])
    for test in before.statuses.keys() & now.statuses.keys():
        yield from _compare_statuses(test[1], before.statuses[test], now.statuses[test])
    asked = {exchange.operation for exchange in second.exchanges}
    for operation in {exchange.operation for exchange in first.exchanges} - asked:
        yield Finding(Severity.COSMETIC, "not seen", operation, "", "some answers", "none")
    if first.webhooks and not second.webhooks:
        yield Finding(Severity.COSMETIC, "not seen", WEBHOOK, "", "some", "none")


def compare_shapes(place: str, first: Shape, second: Shape) -> Iterator[Finding]:
    """Compare the shapes of what was seen at one place."""
    for path, parent in {**first.parents, **second.parents}.items():
        if first.has(parent) and second.has(parent):
            before, now = first.presence(path), second.presence(path)
            if before == "never":
                yield Finding(Severity.ADDITIVE, "key added", place, path, before, now)
            elif before == "always" and now != "always":
                yield Finding(Severity.BREAKING, "key removed", place, path, before, now)
    for path in first.types:
        if path in second.types:
            yield from _compare_values(place, path, first, second)


def _compare_values(place: str, path: str, first: Shape, second: Shape) -> Iterator[Finding]:
    types = first.types[path], second.types[path]
    if not types[1] <= types[0] | ({"integer"} if "number" in types[0] else set()):
        yield _finding(Severity.BREAKING, "retyped", place, path, types)
        return
    formats = first.formats[path], second.formats[path]
    if all(formats) and formats[0].isdisjoint(formats[1]):
        yield _finding(Severity.BREAKING, "format", place, path, formats)
        return
    urls = first.urls[path], second.urls[path]
    if all(urls) and urls[0].isdisjoint(urls[1]):
        yield _finding(Severity.COSMETIC, "address", place, path, urls)
    yield from _compare_words(place, path, first.values[path], second.values[path])
    yield from _compare_orders(place, path, first, second)


def _compare_words(
    place: str, path: str, first: set[object], second: set[object]
) -> Iterator[Finding]:
    new, known = second - first, VOCABULARY.get(path)
    if not new or not first:
        return
    swapped = first.isdisjoint(second)
    if path in _CODES:
        severity = Severity.BREAKING if swapped else Severity.ADDITIVE
        yield _finding(severity, "error body", place, path, (first, second if swapped else new))
    elif known is not None and not new <= known:
        severity = severity_of_new_value(path)
        yield _finding(severity, "new value", place, path, (known, new - known))
    elif swapped and (path == _WORDING or len(first) == len(second) == 1):
        yield _finding(Severity.COSMETIC, "value", place, path, (first, second))


def _compare_orders(place: str, path: str, first: Shape, second: Shape) -> Iterator[Finding]:
    orders = first.orders.get(path, ()), second.orders.get(path, ())
    common = [[key for key in order if key in orders[1 - i]] for i, order in enumerate(orders)]
    if common[0] != common[1]:
        before, now = (", ".join(keys) for keys in common)
        yield Finding(Severity.COSMETIC, "key order", place, path, before, now)


def _compare_headers(
    place: str, before: Mapping[str, set[str]], now: Mapping[str, set[str]]
) -> Iterator[Finding]:
    for name in sorted({**before, **now}):
        path, values = f"header {name}", (before.get(name, set()), now.get(name, set()))
        sides = [listed(each) or "never" for each in values]
        if not values[0]:
            yield Finding(Severity.ADDITIVE, "header added", place, path, *sides)
        elif not values[1]:
            yield Finding(Severity.COSMETIC, "header removed", place, path, *sides)
        elif name == "content-type" and values[0].isdisjoint(values[1]):
            kinds = [{value.partition(";")[0].strip() for value in each} for each in values]
            severity = Severity.BREAKING if kinds[0].isdisjoint(kinds[1]) else Severity.COSMETIC
            yield Finding(severity, "content type", place, path, *sides)


def _compare_statuses(operation: str, before: set[int], now: set[int]) -> Iterator[Finding]:
    """Compare the statuses that the same test got from the same operation.

    Beside an error that it provokes, a test may be served by way of preparation, or may find that
    done by another test: success next to errors says nothing.
    """
    provoked = {status for status in before if status >= _FIRST_ERROR} or before
    gone, new = provoked - now, now - before
    errors = {status for status in new if status >= _FIRST_ERROR}
    if gone and new:
        yield _finding(Severity.BREAKING, "status", operation, "", (gone, errors or new))
    elif errors:
        worst = max(errors) >= _FIRST_SERVER_ERROR
        severity = Severity.BREAKING if worst else Severity.ADDITIVE
        yield _finding(severity, "status", operation, "", (before, errors))


def _finding(
    severity: Severity,
    kind: str,
    place: str,
    path: str,
    sides: tuple[Iterable[object], Iterable[object]],
) -> Finding:
    return Finding(severity, kind, place, path, listed(sides[0]), listed(sides[1]))
