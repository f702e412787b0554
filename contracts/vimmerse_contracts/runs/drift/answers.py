"""Answers compared: their keys, types, values, headers and statuses."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from marshmallow import Schema, fields, validate

from vimmerse_contracts.runs.drift.findings import Finding, Severity, listed, severity_of_new_value
from vimmerse_contracts.runs.evidence.file import Evidence
from vimmerse_contracts.runs.exchanges import Answer, Exchange, json_type
from vimmerse_contracts.schemas import BatchAnswerSchema, WebhookSchema

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


def _vocabulary(schema: type[Schema], path: str = ROOT) -> Iterator[tuple[str, frozenset[Any]]]:
    for name, field in schema().fields.items():
        inside = f"{path}.{name}"
        choices = [each for each in field.validators if isinstance(each, validate.OneOf)]
        if choices:
            yield inside, frozenset(choices[0].choices)
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            suffix = "[]" if isinstance(field, fields.List) else ""
            yield from _vocabulary(type(inner.schema), inside + suffix)


VOCABULARY: Final[Mapping[str, frozenset[Any]]] = MappingProxyType(
    {**dict(_vocabulary(BatchAnswerSchema)), **dict(_vocabulary(WebhookSchema))}
)
"""The words that the contract knows, by JSON path."""


def compare_answers(first: Evidence, second: Evidence) -> Iterator[Finding]:
    """Compare what was answered, and sent by webhook, wherever both have something to show."""
    yield from _compare_bodies(_bodies(first), _bodies(second))
    yield from _compare_headers(_headers(first), _headers(second))
    yield from _compare_statuses(first, second)
    yield from _compare_presence(first, second)


def _compare_bodies(
    first: Mapping[Place, list[Any]], second: Mapping[Place, list[Any]]
) -> Iterator[Finding]:
    found: set[tuple[str, str, str]] = set()
    for place in sorted(first.keys() & second.keys()):
        for finding in compare_shapes(place[0], Shape(first[place]), Shape(second[place])):
            # What is so in all states of a batch is a finding once, not once for each.
            if (finding.kind, finding.place, finding.path) not in found:
                found.add((finding.kind, finding.place, finding.path))
                yield finding


def compare_shapes(place: str, first: Shape, second: Shape) -> Iterator[Finding]:
    """Compare the shapes of what was seen at one place."""
    for path, parent in {**first.parents, **second.parents}.items():
        if first.has(parent) and second.has(parent):
            yield from _compare_key(place, path, first.presence(path), second.presence(path))
    for path in dict.fromkeys([*first.types, *second.types]):
        if path in first.types and path in second.types:
            yield from _compare_values(place, path, first, second)


def _compare_key(place: str, path: str, before: str, now: str) -> Iterator[Finding]:
    if before == "never":
        yield Finding(Severity.ADDITIVE, "key added", place, path, before, now)
    elif before == "always" and now != "always":
        yield Finding(Severity.BREAKING, "key removed", place, path, before, now)


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
    first: Mapping[str, list[Mapping[str, str]]], second: Mapping[str, list[Mapping[str, str]]]
) -> Iterator[Finding]:
    for place in sorted(first.keys() & second.keys()):
        values = _by_name(first[place]), _by_name(second[place])
        for name in sorted({**values[0], **values[1]}):
            yield from _compare_header(place, name, (values[0][name], values[1][name]))


def _compare_header(place: str, name: str, values: tuple[set[str], set[str]]) -> Iterator[Finding]:
    path = f"header {name}"
    if not values[0]:
        yield Finding(Severity.ADDITIVE, "header added", place, path, "never", listed(values[1]))
    elif not values[1]:
        yield Finding(Severity.COSMETIC, "header removed", place, path, listed(values[0]), "never")
    elif name == "content-type" and values[0].isdisjoint(values[1]):
        kinds = [{value.partition(";")[0].strip() for value in each} for each in values]
        severity = Severity.BREAKING if kinds[0].isdisjoint(kinds[1]) else Severity.COSMETIC
        yield _finding(severity, "content type", place, path, values)


def _compare_statuses(first: Evidence, second: Evidence) -> Iterator[Finding]:
    """Compare the statuses that the same test got from the same operation.

    Beside an error that it provokes, a test may be served by way of preparation, or may find that
    done by another test: success next to errors says nothing.
    """
    before, now = _statuses(first), _statuses(second)
    found = set()
    for test, operation in before.keys() & now.keys():
        found |= set(_status_findings(operation, before[test, operation], now[test, operation]))
    yield from found


def _status_findings(operation: str, before: set[int], now: set[int]) -> Iterator[Finding]:
    gone, new = _errors_or_all(before) - now, now - before
    errors = {status for status in new if status >= _FIRST_ERROR}
    if gone and new:
        seen = errors or new
        yield _finding(Severity.BREAKING, "status", operation, "", (gone, seen))
    elif errors:
        worst = max(errors) >= _FIRST_SERVER_ERROR
        severity = Severity.BREAKING if worst else Severity.ADDITIVE
        yield _finding(severity, "status", operation, "", (before, errors))


def _errors_or_all(statuses: set[int]) -> set[int]:
    return {status for status in statuses if status >= _FIRST_ERROR} or statuses


def _compare_presence(first: Evidence, second: Evidence) -> Iterator[Finding]:
    asked = {exchange.operation for exchange in second.exchanges}
    for operation in {exchange.operation for exchange in first.exchanges} - asked:
        yield Finding(Severity.COSMETIC, "not seen", operation, "", "some answers", "none")
    if first.webhooks and not second.webhooks:
        yield Finding(Severity.COSMETIC, "not seen", WEBHOOK, "", "some", "none")


def _answered(evidence: Evidence) -> Iterator[tuple[Exchange, Answer]]:
    return (
        (exchange, exchange.answer)
        for exchange in evidence.exchanges
        if exchange.answer is not None
    )


def _bodies(evidence: Evidence) -> dict[Place, list[Any]]:
    """Sort bodies by place: all of a place, and those of each state of a batch for themselves."""
    sorted_: defaultdict[Place, list[Any]] = defaultdict(list)
    for exchange, answer in _answered(evidence):
        place = f"{exchange.operation} {answer.status}"
        status = answer.batch.get("status")
        for state in {"", status if isinstance(status, str) else ""}:
            sorted_[place, state].append(answer.body)
    for webhook in evidence.webhooks:
        sorted_[WEBHOOK, ""].append(webhook.body)
    return sorted_


def _headers(evidence: Evidence) -> dict[str, list[Mapping[str, str]]]:
    sorted_: defaultdict[str, list[Mapping[str, str]]] = defaultdict(list)
    for exchange, answer in _answered(evidence):
        sorted_[f"{exchange.operation} {answer.status}"].append(answer.headers)
    for webhook in evidence.webhooks:
        sorted_[WEBHOOK].append(webhook.headers)
    return sorted_


def _by_name(headers: Iterable[Mapping[str, str]]) -> defaultdict[str, set[str]]:
    values: defaultdict[str, set[str]] = defaultdict(set)
    for each in headers:
        for name, value in each.items():
            values[name].add(value)
    return values


def _statuses(evidence: Evidence) -> dict[tuple[str, str], set[int]]:
    statuses: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for exchange, answer in _answered(evidence):
        statuses[exchange.test, exchange.operation].add(answer.status)
    return statuses


def _finding(
    severity: Severity,
    kind: str,
    place: str,
    path: str,
    sides: tuple[Iterable[object], Iterable[object]],
) -> Finding:
    return Finding(severity, kind, place, path, listed(sides[0]), listed(sides[1]))
