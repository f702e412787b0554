from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.test_drift import ANSWERS as CHANGES_OF_ANSWERS
from contracts.test_drift import CHANGES as CHANGES_OF_EVIDENCE
from vimmerse_contracts.openapi import openapi_document
from vimmerse_contracts.runs.drift import DocumentError, Finding, Severity, compare_documents

Json = dict[str, Any]
Summary = tuple[str, str, str, str]

ID: Final = {"name": "batch_id", "in": "path", "required": True, "schema": {"type": "string"}}
ERROR: Final = {"$ref": "#/components/schemas/Error"}


def _json(schema: Json) -> Json:
    return {"description": "", "content": {"application/json": {"schema": schema}}}


def document() -> Json:
    """A small document in the style of FastAPI, of which no part is shared with another."""
    apart: Json = json.loads(json.dumps(_document()))
    return apart


def _document() -> Json:
    answers = {
        "200": _json({"$ref": "#/components/schemas/BatchAnswer"}),
        "404": _json(ERROR),
    }
    form = {"application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/Body"}}}
    batch = {
        "type": "object",
        "required": ["id", "status"],
        "properties": {
            "id": {"type": "string"},
            "status": {"$ref": "#/components/schemas/Status"},
            "video_url": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "medias": {"type": "array", "items": {"$ref": "#/components/schemas/Media"}},
            "parent": {"$ref": "#/components/schemas/Batch"},
        },
    }
    webhook = {
        "type": "object",
        "required": ["customer_id", "batch_id"],
        "properties": {"customer_id": {"type": "string"}, "batch_id": {"type": "string"}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {
            "/batch": {
                "post": {
                    "parameters": [{"name": "dry", "in": "query", "schema": {"type": "boolean"}}],
                    "requestBody": {"content": form, "required": True},
                    "responses": answers,
                }
            },
            "/batch/{batch_id}": {"get": {"parameters": [ID], "responses": answers}},
            "/health": {"get": {"responses": {}}},
            "/elsewhere": {"get": {"responses": answers}},
        },
        "webhooks": {"done": {"post": {"requestBody": _json(webhook), "responses": {}}}},
        "components": {
            "schemas": {
                "Batch": batch,
                "BatchAnswer": {
                    "type": "object",
                    "required": ["data"],
                    "properties": {"data": {"allOf": [{"$ref": "#/components/schemas/Batch"}]}},
                },
                "Body": {
                    "type": "object",
                    "required": ["title"],
                    "properties": {
                        "title": {"type": "string"},
                        "loop": {"type": "integer", "minimum": 1, "maximum": 6, "default": 1},
                        "motion_type": {"type": "string", "enum": ["Auto", "Wan"]},
                    },
                },
                "Error": {
                    "type": "object",
                    "required": ["message"],
                    "properties": {"message": {"type": "string"}},
                },
                "Media": {"type": "object", "properties": {"item": {"type": "string"}}},
                "Status": {"type": "string", "enum": ["processing", "success", "fail"]},
            }
        },
    }


def compared(old: Any, new: Any, mapped: dict[str, str] | None = None) -> tuple[Finding, ...]:
    """Return the findings alone."""
    return compare_documents(old, new, mapped).findings


def summaries(findings: tuple[Finding, ...]) -> list[Summary]:
    """Return of each finding what it is and where."""
    return [(each.severity.value, each.kind, each.place, each.path) for each in findings]


def at(*path: str) -> Callable[[Json], Json]:
    """Lead to a part of a document."""
    return lambda whole: reduce(lambda node, key: node[key], path, whole)


_schemas = at("components", "schemas")
_create = at("paths", "/batch", "post")
_batch = at("components", "schemas", "Batch")
_body = at("components", "schemas", "Body")


def _retype(schema: Json, kind: Any) -> None:
    schema["type"] = kind


CHANGES: Final[dict[str, tuple[Callable[[Json], object], list[Summary]]]] = {
    "no health any more": (
        lambda d: d["paths"].pop("/health"),
        [("breaking", "operation removed", "health", "")],
    ),
    "a required parameter more": (
        lambda d: _create(d)["parameters"].append(
            {"name": "team", "in": "query", "required": True, "schema": {}}
        ),
        [("breaking", "field added", "create_batch", "request.query team")],
    ),
    "an optional parameter more": (
        lambda d: _create(d)["parameters"].append({"name": "team", "in": "query", "schema": {}}),
        [("additive", "field added", "create_batch", "request.query team")],
    ),
    "a parameter less": (
        lambda d: _create(d)["parameters"].clear(),
        [("breaking", "field removed", "create_batch", "request.query dry")],
    ),
    "a parameter that is required now": (
        lambda d: _create(d)["parameters"][0].update(required=True),
        [("breaking", "field required", "create_batch", "request.query dry")],
    ),
    "a parameter of another type": (
        lambda d: _create(d)["parameters"][0].update(schema={"type": "integer"}),
        [("breaking", "retyped", "create_batch", "request.query dry")],
    ),
    "a path parameter by another name": (
        lambda d: d["paths"].update(
            {"/batch/{id}": _renamed_parameter(d["paths"].pop("/batch/{batch_id}"))}
        ),
        [],
    ),
    "a required field more": (
        lambda d: (
            _body(d)["properties"].update(team={"type": "string"}),
            _body(d)["required"].append("team"),
        ),
        [("breaking", "field added", "Body", "$.team")],
    ),
    "an optional field more": (
        lambda d: _body(d)["properties"].update(team={"type": "string"}),
        [("additive", "field added", "Body", "$.team")],
    ),
    "a field less": (
        lambda d: _body(d)["properties"].pop("loop"),
        [("breaking", "field removed", "Body", "$.loop")],
    ),
    "a field that is required now": (
        lambda d: _body(d)["required"].append("loop"),
        [("breaking", "field required", "Body", "$.loop")],
    ),
    "a field that is optional now": (
        lambda d: _body(d)["required"].clear(),
        [("additive", "field optional", "Body", "$.title")],
    ),
    "a field of another type": (
        lambda d: _retype(_body(d)["properties"]["title"], "integer"),
        [("breaking", "retyped", "Body", "$.title")],
    ),
    "a field of one type more": (
        lambda d: _retype(_body(d)["properties"]["title"], ["string", "null"]),
        [("additive", "retyped", "Body", "$.title")],
    ),
    "a field that takes any number": (
        lambda d: _retype(_body(d)["properties"]["loop"], "number"),
        [("additive", "retyped", "Body", "$.loop")],
    ),
    "a field within closer bounds": (
        lambda d: _body(d)["properties"]["loop"].update(maximum=3),
        [("breaking", "maximum", "Body", "$.loop")],
    ),
    "a field within wider bounds": (
        lambda d: _body(d)["properties"]["loop"].pop("minimum"),
        [("additive", "minimum", "Body", "$.loop")],
    ),
    "a word more to send": (
        lambda d: _body(d)["properties"]["motion_type"]["enum"].append("Veo"),
        [("additive", "new value", "Body", "$.motion_type")],
    ),
    "a word less to send": (
        lambda d: _body(d)["properties"]["motion_type"]["enum"].remove("Wan"),
        [("breaking", "value removed", "Body", "$.motion_type")],
    ),
    "any word to send": (
        lambda d: _body(d)["properties"]["motion_type"].pop("enum"),
        [("additive", "values", "Body", "$.motion_type")],
    ),
    "a body that may be left out": (
        lambda d: _create(d)["requestBody"].pop("required"),
        [("additive", "field optional", "create_batch", "request.body")],
    ),
    "a content type more": (
        lambda d: _create(d)["requestBody"]["content"].update(
            {"multipart/form-data": {"schema": {"$ref": "#/components/schemas/Body"}}}
        ),
        [("additive", "content type", "create_batch", "request")],
    ),
    "a key more": (
        lambda d: _batch(d)["properties"].update(used_credits={"type": "integer"}),
        [("additive", "key added", "Batch", "$.used_credits")],
    ),
    "a key less": (
        lambda d: _batch(d)["properties"].pop("video_url"),
        [("breaking", "key removed", "Batch", "$.video_url")],
    ),
    "a key that may be missing now": (
        lambda d: _batch(d)["required"].remove("id"),
        [("breaking", "key optional", "Batch", "$.id")],
    ),
    "a key that may be null now": (
        lambda d: _retype(_schemas(d)["Media"]["properties"]["item"], ["string", "null"]),
        [("breaking", "retyped", "Media", "$.item")],
    ),
    "a key that is never null now": (
        lambda d: _batch(d)["properties"].update(video_url={"type": "string"}),
        [("additive", "retyped", "Batch", "$.video_url")],
    ),
    "a status more": (
        lambda d: _schemas(d)["Status"]["enum"].append("queued"),
        [("breaking", "new value", "Batch", "$.status")],
    ),
    "a response more": (
        lambda d: d["paths"]["/batch"]["post"].update(
            responses={**_create(d)["responses"], "429": _json(ERROR)}
        ),
        [("additive", "response added", "create_batch 429", "$")],
    ),
    "an error less": (
        lambda d: _create(d).update(responses={"200": _create(d)["responses"]["200"]}),
        [],
    ),
    "success by another status": (
        lambda d: _create(d).update(
            responses={"201" if s == "200" else s: r for s, r in _create(d)["responses"].items()}
        ),
        [
            ("breaking", "response removed", "create_batch 200", "$"),
            ("additive", "response added", "create_batch 201", "$"),
        ],
    ),
    "a key more in the webhook": (
        lambda d: _webhook(d)["properties"].update(video_url={"type": "string"}),
        [("additive", "key added", "webhook", "$.video_url")],
    ),
    "a webhook by another name": (
        lambda d: d["webhooks"].update(finished=d["webhooks"].pop("done")),
        [],
    ),
    "no webhook": (
        lambda d: d.pop("webhooks"),
        [],
    ),
    "something of another operation": (
        lambda d: d["paths"].pop("/elsewhere"),
        [],
    ),
    "a schema that nothing refers to": (
        lambda d: _schemas(d).update(Other={"$ref": "https://elsewhere.example/x.json"}),
        [],
    ),
    "null in the manner of OpenAPI 3.0": (
        lambda d: (
            d.update(openapi="3.0.3"),
            _batch(d)["properties"].update(video_url={"type": "string", "nullable": True}),
        ),
        [],
    ),
}


def _renamed_parameter(item: Json) -> Json:
    renamed: Json = json.loads(json.dumps(item).replace('"batch_id"', '"id"'))
    return renamed


def _webhook(whole: Json) -> Json:
    schema: Json = at("webhooks", "done", "post", "requestBody", "content", "application/json")(
        whole
    )["schema"]
    return schema


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_of_a_document_is_found_for_what_it_is(name: str) -> None:
    """One change gives exactly its findings, judged by the way that a value goes."""
    change, expected = CHANGES[name]
    changed = copy.deepcopy(document())
    change(changed)
    assert summaries(compared(document(), changed)) == expected


@pytest.mark.parametrize("make", [document, openapi_document])
def test_a_document_compared_with_itself_has_no_findings(make: Callable[[], Json]) -> None:
    """The same document on both sides is no drift, though its schemas nest without end."""
    assert compared(make(), make()) == ()


FLIPPED: Final = [
    ("an optional field more", "field removed", "breaking"),
    ("a key less", "key added", "additive"),
    ("a word less to send", "new value", "additive"),
    ("a field within closer bounds", "maximum", "additive"),
]


@pytest.mark.parametrize(("name", "kind", "severity"), FLIPPED)
def test_a_change_taken_back_is_judged_the_other_way(name: str, kind: str, severity: str) -> None:
    """What is one thing from old to new is the opposite from new to old."""
    changed = document()
    CHANGES[name][0](changed)
    found = compared(changed, document())
    assert {(each.kind, each.severity.value) for each in found} == {(kind, severity)}


def test_an_operation_is_found_by_its_path_or_by_the_map() -> None:
    """What is mapped is compared as what it was; nothing is guessed of what is not (P26)."""
    changed = document()
    changed["paths"] = {
        path.replace("/batch", "/story"): item for path, item in changed["paths"].items()
    }
    mapped = {"POST /story": "create_batch", "GET /story/{story}": "get_batch"}
    drift = compare_documents(document(), changed, mapped)
    labels = {
        match.operation.id: [side and side.label for side in (match.first, match.second)]
        for match in drift.matches
    }
    assert labels == {
        "create_batch": ["POST /batch", "POST /story"],
        "get_batch": ["GET /batch/{batch_id}", "GET /story/{batch_id}"],
        "update_batch": [None, None],
        "concat_batch": [None, None],
        "health": ["GET /health", "GET /health"],
    }
    assert drift.findings == ()
    assert compared(document(), changed) == ()


def test_what_is_mapped_stands_for_one_operation_only() -> None:
    """One path is one operation; the operation that usually has the path has none then."""
    mapped = {"GET /batch/{id}": "concat_batch"}
    matches = compare_documents(document(), document(), mapped).matches
    assert {match.operation.id for match in matches if match.first} == {
        "create_batch",
        "concat_batch",
        "health",
    }


@pytest.mark.parametrize(
    "mapped",
    [
        {"GET /nowhere": "get_batch"},
        {"GET /elsewhere": "get_batch", "GET /health": "get_batch"},
    ],
)
def test_a_map_that_does_not_fit_is_refused(mapped: dict[str, str]) -> None:
    """A path that no document has, and a second one for an operation, are named."""
    with pytest.raises(DocumentError, match=r"'GET /.*' is in no document, or another one is"):
        compare_documents(document(), document(), mapped)


@pytest.mark.parametrize("old", [[], {}, {"swagger": "2.0"}, {"openapi": "4.0.0", "paths": {}}])
def test_what_is_no_openapi_document_is_refused(old: Any) -> None:
    """A file of something else is refused."""
    with pytest.raises(DocumentError, match="the first document is not an OpenAPI 3 document"):
        compare_documents(old, document())


@pytest.mark.parametrize(
    "reference",
    ["#/components/schemas/Gone", "other.json#/Batch", "#/components/schemas/Loop"],
)
def test_a_reference_that_leads_nowhere_is_named(reference: str) -> None:
    """A $ref out of the document, in circles or to nothing ends the comparison with a sentence."""
    changed = document()
    changed["components"]["schemas"]["Loop"] = {"$ref": "#/components/schemas/Loop"}
    changed["components"]["schemas"]["BatchAnswer"] = {"$ref": reference}
    with pytest.raises(DocumentError, match=r"the second document: .* leads nowhere in it"):
        compare_documents(document(), changed)


_any_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "required", "items", "anyOf", "enum", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, inner in pairs:
        if isinstance(inner, dict | list):
            yield from _places(inner, (*path, key))
        else:
            yield (*path, key)


@given(st.sampled_from(list(_places(document()))), _any_json)
def test_an_odd_document_never_makes_it_fail(place: tuple[Any, ...], odd: Any) -> None:
    """Whatever stands wherever in a document, it is compared, or refused with a sentence."""
    changed = document()
    reduce(lambda node, key: node[key], place[:-1], changed)[place[-1]] = odd
    for sides in ((document(), changed), (changed, document())):
        with suppress(DocumentError):
            assert all(each.severity in Severity for each in compared(*sides))
    with suppress(DocumentError):
        assert compared(changed, copy.deepcopy(changed)) == ()


def test_every_kind_of_finding_is_documented() -> None:
    """What docs/evidence.md lists are the kinds that these tests and those of evidence find."""
    page = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.*?) \|", page.partition("## Severities")[2], re.MULTILINE)
    documented = {kind for row in rows for kind in re.findall(r"`(.*?)`", row)}
    found = {kind for _, expected in CHANGES.values() for _, kind, *_ in expected}
    found |= {kind for _, expected in CHANGES_OF_EVIDENCE.values() for _, kind, *_ in expected}
    found |= {kind for *_, expected in CHANGES_OF_ANSWERS.values() for _, kind, *_ in expected}
    assert len(found) > 25
    assert found <= documented
