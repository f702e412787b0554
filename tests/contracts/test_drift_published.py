"""The mock's OpenAPI document against one with the habits of the company's own (P26)."""

from __future__ import annotations

import json
from typing import Any, Final

from vimmerse_contracts.openapi import openapi_document
from vimmerse_contracts.runs.drift import compare_documents

Json = dict[str, Any]

MAPPED: Final = {
    "POST /film/from-pictures": "create_batch",
    "GET /film/{film_id}": "get_batch",
    "PUT /film/{film_id}": "update_batch",
    "POST /film/{film_id}/join": "concat_batch",
}
GONE: Final = (
    *("message", "note", "feedback", "generate_type"),
    *("filenames", "files", "upload_urls", "finished_medias"),
)
CAME: Final = ("finished_at", "aspect_ratio")
POSE: Final = {"motion_type": "Auto", "quantity": 1, "prompt": ""}
SUBMITTED: Final = {
    "scale_factor": "1",
    "pipeline_preset": "Fast",
    "file_size": "",
    "native_audio": False,
}


def _batch() -> Json:
    """Return the Batch: every key with a default, keys inside it only in the default."""
    words = (
        *("id", "email", "manager_id", "customer_id", "title", "description", "idea", "status"),
        *("visibility_status", "version", "created_at", "updated_at", *CAME),
    )
    lists = ("medias", "failed_medias", "scenes")
    properties = {
        **{name: {"type": "string", "default": ""} for name in words},
        **{name: {"type": "array", "items": {}, "default": []} for name in lists},
        "storyboard": {"type": "object", "additionalProperties": True, "default": {}},
        "pose_preset": {"type": "array", "items": {}, "default": [POSE]},
        "submit_params": {"type": "object", "additionalProperties": True, "default": SUBMITTED},
        "is_transition": {"type": "boolean", "default": False},
        "progress_percentage": {"type": "integer", "default": 0},
        "video_url": {"type": "string"},
    }
    return {"type": "object", "properties": properties}


def _operation(**request: Any) -> Json:
    """Return an operation that names neither its path parameters nor the envelope."""

    def answer(content: Json) -> Json:
        return {"description": "", "content": {"application/json": content}}

    def reference(component: str) -> Json:
        return {"schema": {"$ref": f"#/components/schemas/{component}"}}

    responses = {
        "200": answer({**reference("Batch"), "example": {"data": {"id": "a"}}}),
        "400": answer({"example": {"message": "BAD_REQUEST"}}),
        "404": answer({"schema": {}, "example": {"message": "NOT_FOUND"}}),
        "422": answer(reference("HTTPValidationError")),
    }
    return {"responses": responses, **request}


def published() -> Json:
    """Return a made-up document with the habits of the company's own."""
    ours = openapi_document()["components"]["schemas"]
    without_files = "application/x-www-form-urlencoded"
    create = {**ours["CreateBatch"]["properties"], "language": {"type": "string"}}
    del create["loop"]
    forms = {
        kind: {"schema": {"type": "object", "properties": create}}
        for kind in (without_files, "multipart/form-data")
    }
    update = {without_files: {"schema": ours["UpdateBatch"]}}
    where = {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}
    wrong = {"loc": where, "msg": {"type": "string"}, "type": {"type": "string"}}
    detail = {"type": "array", "items": {"$ref": "#/components/schemas/ValidationError"}}
    document = {
        "openapi": "3.1.0",
        "paths": {
            "/film/from-pictures": {
                "post": _operation(requestBody={"required": True, "content": forms})
            },
            "/film/{film_id}": {
                "get": _operation(),
                "put": _operation(requestBody={"content": update}),
            },
            "/film/{film_id}/join": {"post": _operation()},
            "/film": {"post": _operation(requestBody={"content": update})},
            "/health": {"get": {"responses": {"200": {"content": {"application/json": {}}}}}},
        },
        "components": {
            "schemas": {
                "Batch": _batch(),
                "HTTPValidationError": {"type": "object", "properties": {"detail": detail}},
                "ValidationError": {
                    "type": "object",
                    "required": list(wrong),
                    "properties": wrong,
                },
            }
        },
    }
    apart: Json = json.loads(json.dumps(document))
    del apart["paths"]["/film/from-pictures"]["post"]["responses"]["404"]
    return apart


def _found(published: Json) -> set[tuple[str, str, str, str]]:
    drift = compare_documents(openapi_document(), published, MAPPED)
    assert all(match.first and match.second for match in drift.matches)
    found = [(str(each.severity), each.kind, each.place, each.path) for each in drift.findings]
    assert len(found) == len(set(found))
    return set(found)


TRUE: Final = {
    ("breaking", "retyped", "Batch", "$.is_transition"),
    *(("breaking", "key removed", "Batch", f"$.{name}") for name in GONE),
    *(("additive", "key added", "Batch", f"$.{name}") for name in CAME),
    ("breaking", "key removed", "PosePreset", "$.MotionType"),
    ("breaking", "key removed", "PosePreset", "$.Params"),
    *(("additive", "key added", "PosePreset", f"$.{name}") for name in POSE),
    ("breaking", "key removed", "SubmitParams", "$.sound_effects"),
    ("additive", "key added", "SubmitParams", "$.native_audio"),
    ("breaking", "field removed", "create_batch", "request.body.loop"),
    ("additive", "field added", "create_batch", "request.body.language"),
}


def test_what_the_published_document_says_otherwise_is_all_that_is_found() -> None:
    """The type of is_transition, the keys that went and those that came, each once (P26)."""
    assert _found(published()) == TRUE


def test_an_example_may_leave_keys_out_but_not_say_another_type() -> None:
    """Of an answer without a schema the example counts, for what it shows."""
    document = published()
    health = document["paths"]["/health"]["get"]["responses"]["200"]["content"]
    health["application/json"] = {"example": {"load": 1}}
    assert _found(document) - TRUE == {("additive", "key added", "Health", "$.load")}
    health["application/json"] = {"examples": {"up": {"value": {"status": True}}}}
    assert _found(document) - TRUE == {("breaking", "retyped", "Health", "$.status")}


def test_an_envelope_on_the_other_side_is_seen_through_as_well() -> None:
    """Compared the other way round, what went has come, and the envelope is no difference."""
    drift = compare_documents(published(), openapi_document(), MAPPED)
    places = {(each.place, each.path) for each in drift.findings}
    assert {(place, path) for _, _, place, path in TRUE} <= places
    assert not any(path.endswith(".data") for _, path in places)


def test_an_operation_without_a_match_is_not_guessed() -> None:
    """Without the map nothing of the operations that need a key is said."""
    drift = compare_documents(openapi_document(), published())
    assert [match.operation.id for match in drift.matches if not match.second] == [
        "create_batch",
        "get_batch",
        "update_batch",
        "concat_batch",
    ]
    assert drift.findings == ()
