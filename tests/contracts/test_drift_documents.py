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


def summaries(findings: tuple[Finding, ...]) -> list[Summary]:
    """Say of each finding what it is and where."""
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
    "an operation less": (
        lambda d: d["paths"]["/batch/{batch_id}"].pop("get"),
        [("breaking", "operation removed", "get_batch", "")],
    ),
    "an operation more": (
        lambda d: d["paths"].update({"/health": {"get": {"responses": {}}}}),
        [("additive", "operation added", "health", "")],
    ),
    "a required parameter more": (
        lambda d: _create(d)["parameters"].append(
            {"name": "team", "in": "query", "required": True, "schema": {}}
        ),
        [("breaking", "parameter added", "create_batch", "query team")],
    ),
    "an optional parameter more": (
        lambda d: _create(d)["parameters"].append({"name": "team", "in": "query", "schema": {}}),
        [("additive", "parameter added", "create_batch", "query team")],
    ),
    "a parameter less": (
        lambda d: _create(d)["parameters"].clear(),
        [("breaking", "parameter removed", "create_batch", "query dry")],
    ),
    "a parameter that is required now": (
        lambda d: _create(d)["parameters"][0].update(required=True),
        [("breaking", "parameter required", "create_batch", "query dry")],
    ),
    "a parameter of another type": (
        lambda d: _create(d)["parameters"][0].update(schema={"type": "integer"}),
        [("breaking", "retyped", "create_batch", "query dry")],
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
        [("breaking", "field added", "create_batch", "request.team")],
    ),
    "an optional field more": (
        lambda d: _body(d)["properties"].update(team={"type": "string"}),
        [("additive", "field added", "create_batch", "request.team")],
    ),
    "a field less": (
        lambda d: _body(d)["properties"].pop("loop"),
        [("breaking", "field removed", "create_batch", "request.loop")],
    ),
    "a field that is required now": (
        lambda d: _body(d)["required"].append("loop"),
        [("breaking", "field required", "create_batch", "request.loop")],
    ),
    "a field that is optional now": (
        lambda d: _body(d)["required"].clear(),
        [("additive", "field optional", "create_batch", "request.title")],
    ),
    "a field of another type": (
        lambda d: _retype(_body(d)["properties"]["title"], "integer"),
        [("breaking", "retyped", "create_batch", "request.title")],
    ),
    "a field of one type more": (
        lambda d: _retype(_body(d)["properties"]["title"], ["string", "null"]),
        [("additive", "retyped", "create_batch", "request.title")],
    ),
    "a field that takes any number": (
        lambda d: _retype(_body(d)["properties"]["loop"], "number"),
        [("additive", "retyped", "create_batch", "request.loop")],
    ),
    "a field within closer bounds": (
        lambda d: _body(d)["properties"]["loop"].update(maximum=3),
        [("breaking", "maximum", "create_batch", "request.loop")],
    ),
    "a field within wider bounds": (
        lambda d: _body(d)["properties"]["loop"].pop("minimum"),
        [("additive", "minimum", "create_batch", "request.loop")],
    ),
    "another default": (
        lambda d: _body(d)["properties"]["loop"].update(default=2),
        [("cosmetic", "default", "create_batch", "request.loop")],
    ),
    "a word more to send": (
        lambda d: _body(d)["properties"]["motion_type"]["enum"].append("Veo"),
        [("additive", "new value", "create_batch", "request.motion_type")],
    ),
    "a word less to send": (
        lambda d: _body(d)["properties"]["motion_type"]["enum"].remove("Wan"),
        [("breaking", "value removed", "create_batch", "request.motion_type")],
    ),
    "any word to send": (
        lambda d: _body(d)["properties"]["motion_type"].pop("enum"),
        [("additive", "values", "create_batch", "request.motion_type")],
    ),
    "a body that may be left out": (
        lambda d: _create(d)["requestBody"].pop("required"),
        [("additive", "body", "create_batch", "request")],
    ),
    "a content type more": (
        lambda d: _create(d)["requestBody"]["content"].update(
            {"multipart/form-data": {"schema": {"$ref": "#/components/schemas/Body"}}}
        ),
        [("additive", "content type added", "create_batch", "request")],
    ),
    "a key more": (
        lambda d: _batch(d)["properties"].update(used_credits={"type": "integer"}),
        [
            ("additive", "key added", "create_batch 200", "$.data.used_credits"),
            ("additive", "key added", "get_batch 200", "$.data.used_credits"),
        ],
    ),
    "a key less": (
        lambda d: _batch(d)["properties"].pop("video_url"),
        [
            ("breaking", "key removed", "create_batch 200", "$.data.video_url"),
            ("breaking", "key removed", "get_batch 200", "$.data.video_url"),
        ],
    ),
    "a key that may be missing now": (
        lambda d: _batch(d)["required"].remove("id"),
        [
            ("breaking", "key optional", "create_batch 200", "$.data.id"),
            ("breaking", "key optional", "get_batch 200", "$.data.id"),
        ],
    ),
    "a key that may be null now": (
        lambda d: _retype(_schemas(d)["Media"]["properties"]["item"], ["string", "null"]),
        [
            ("breaking", "retyped", "create_batch 200", "$.data.medias[].item"),
            ("breaking", "retyped", "get_batch 200", "$.data.medias[].item"),
        ],
    ),
    "a key that is never null now": (
        lambda d: _batch(d)["properties"].update(video_url={"type": "string"}),
        [
            ("additive", "retyped", "create_batch 200", "$.data.video_url"),
            ("additive", "retyped", "get_batch 200", "$.data.video_url"),
        ],
    ),
    "a status more": (
        lambda d: _schemas(d)["Status"]["enum"].append("queued"),
        [
            ("breaking", "new value", "create_batch 200", "$.data.status"),
            ("breaking", "new value", "get_batch 200", "$.data.status"),
        ],
    ),
    "a response more": (
        lambda d: d["paths"]["/batch"]["post"].update(
            responses={**_create(d)["responses"], "429": _json(ERROR)}
        ),
        [("additive", "response added", "create_batch 429", "")],
    ),
    "an error less": (
        lambda d: _create(d).update(responses={"200": _create(d)["responses"]["200"]}),
        [("cosmetic", "response removed", "create_batch 404", "")],
    ),
    "success by another status": (
        lambda d: _create(d).update(
            responses={"201" if s == "200" else s: r for s, r in _create(d)["responses"].items()}
        ),
        [
            ("breaking", "response removed", "create_batch 200", ""),
            ("additive", "response added", "create_batch 201", ""),
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
        [("breaking", "webhook removed", "webhook", "")],
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
    assert summaries(compare_documents(document(), changed)) == expected


@pytest.mark.parametrize("make", [document, openapi_document])
def test_a_document_compared_with_itself_has_no_findings(make: Callable[[], Json]) -> None:
    """The same document on both sides is no drift, though its schemas nest without end."""
    assert compare_documents(make(), make()) == ()


FLIPPED: Final = [
    ("an optional field more", "field removed", "breaking"),
    ("a key less", "key added", "additive"),
    ("a word less to send", "new value", "additive"),
    ("a field within closer bounds", "maximum", "additive"),
    ("a response more", "response removed", "cosmetic"),
]


@pytest.mark.parametrize(("name", "kind", "severity"), FLIPPED)
def test_a_change_taken_back_is_judged_the_other_way(name: str, kind: str, severity: str) -> None:
    """What is one thing from old to new is the opposite from new to old."""
    changed = document()
    CHANGES[name][0](changed)
    found = compare_documents(changed, document())
    assert {(each.kind, each.severity.value) for each in found} == {(kind, severity)}


def test_renamed_paths_are_compared_as_what_they_were() -> None:
    """With --rename, `/story` and all below it is compared with `/batch` (P26)."""
    changed = document()
    changed["paths"] = {
        path.replace("/batch", "/story"): item for path, item in changed["paths"].items()
    }
    assert compare_documents(document(), changed, {"/story": "/batch"}) == ()
    removed = {each.kind for each in compare_documents(document(), changed)}
    assert removed == {"operation removed"}


def test_the_mocks_document_against_a_leaner_one_names_what_is_missing() -> None:
    """Compared with the small document, the mock's has more, and everything is named once."""
    found = compare_documents(document(), openapi_document())
    assert len(set(found)) == len(found)
    assert ("additive", "operation added", "update_batch", "") in summaries(found)


@pytest.mark.parametrize(
    ("old", "said"),
    [
        ([], "not a JSON object"),
        ({}, "it has no 'openapi'"),
        ({"swagger": "2.0"}, "it has no 'openapi'"),
        ({"openapi": "4.0.0", "paths": {}}, "'openapi' is '4.0.0'"),
        ({"openapi": "3.1.0"}, "none of the contract's operations"),
        ({"openapi": "3.1.0", "paths": {"/story": {"post": {}}}}, "--rename /story=/batch"),
    ],
)
def test_what_is_no_document_of_this_api_is_refused(old: Any, said: str) -> None:
    """A file of something else is refused with what it lacks."""
    with pytest.raises(DocumentError, match=said):
        compare_documents(old, document())


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("#/components/schemas/Gone", "leads nowhere"),
        ("other.json#/Batch", "leads out of the document"),
        ("#/components/schemas/Loop", "leads in circles"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(reference: str, said: str) -> None:
    """A $ref that cannot be followed ends the comparison with a sentence."""
    changed = document()
    changed["components"]["schemas"]["Loop"] = {"$ref": "#/components/schemas/Loop"}
    changed["components"]["schemas"]["BatchAnswer"] = {"$ref": reference}
    with pytest.raises(DocumentError, match=said):
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
            assert all(each.severity in Severity for each in compare_documents(*sides))
    with suppress(DocumentError):
        assert compare_documents(changed, copy.deepcopy(changed)) == ()


def test_every_kind_of_finding_is_documented() -> None:
    """What docs/evidence.md lists are the kinds that these tests and those of evidence find."""
    page = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.*?) \|", page.partition("## Severities")[2], re.MULTILINE)
    documented = {kind for row in rows for kind in re.findall(r"`(.*?)`", row)}
    found = {kind for _, expected in CHANGES.values() for _, kind, *_ in expected}
    found |= {kind for _, expected in CHANGES_OF_EVIDENCE.values() for _, kind, *_ in expected}
    found |= {kind for *_, expected in CHANGES_OF_ANSWERS.values() for _, kind, *_ in expected}
    assert len(found) > 30
    assert found <= documented
