"""Why a request was refused, in one sentence with the rule that it follows.

Bodies are to the letter of the API, and say little; this is for a header beside them, and for the
journal. It names only what the caller sent, and the caller's own limits and credits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from http import HTTPStatus
from typing import Final

import flask
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from vimmerse_contracts import operations as contract
from vimmerse_contracts.fields import Problem, problems_in
from vimmerse_contracts.operations import OPERATIONS
from vimmerse_contracts.provenance import Rule
from vimmerse_contracts.vocabulary import API_KEY_HEADER, WHY_HEADER
from vimmerse_mock.errors import MockError, NoImagesError, UnauthorizedError
from vimmerse_mock.model.faults import Fault
from vimmerse_mock.web.record import record_of

LONGEST: Final = 400
"""A longer sentence is cut, so that every client takes the header."""
_SHOWN: Final = 60
_LISTED: Final = 3
_RULES: Final = {rule.id: rule for rule in contract.all_rules()}
_BAD_REQUEST: Final = contract.BAD_REQUEST.rule
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_KEY_NAMES: Final = re.compile(
    r"(x[-_]?)?(api|access|auth)[-_]?(key|token)|authorization", re.IGNORECASE
)


def why(error: Exception, request: flask.Request) -> str:
    """Return why a request was refused, in printable ASCII of at most `LONGEST` characters."""
    return _written(_sentence(error, request), _rule(error))


def say_why(response: flask.Response, sentence: str) -> None:
    """Put a sentence into the journal and, unless that is turned off, into the answer's header."""
    record = record_of(flask.request.environ)
    record.why = sentence
    if flask.current_app.config["WHY"] and (record.account is None or record.account.why):
        response.headers[WHY_HEADER] = sentence


def why_planned(fault: Fault) -> str:
    """Return why a request was answered by a fault."""
    return _ascii(f"a fault was planned for this call: {fault}", LONGEST)


def why_ignored(names: list[str], schema: Schema) -> str:
    """Return which fields of a form were ignored, as nobody knows them; empty if none were."""
    if not names:
        return ""
    listed = "; ".join(_unknown_fields(names, schema))
    return _written(f"ignored: {listed}", _RULES["create.unknown_fields"])


def refused_fields(names: list[str], schema: Schema) -> dict[str, list[Problem]]:
    """Return what is wrong with fields that nobody knows, by their names, in pydantic's words."""
    return {
        name: [
            Problem(
                "extra_forbidden",
                f"Extra inputs are not permitted: {sentence}",
                flask.request.form.get(name),
            )
        ]
        for name, sentence in zip(names, _unknown_fields(names, schema), strict=False)
    }


def unknown_fields(request: flask.Request, schema: Schema) -> list[str]:
    """Return the names of the fields of a form that its operation does not know."""
    return [name for name in {**request.form, **request.files} if name not in schema.fields]


def _written(sentence: str, rule: Rule) -> str:
    cited = f" [{rule.id}, {rule.standing} {rule.source}]"
    return _ascii(sentence, LONGEST - len(cited)) + cited


def _ascii(sentence: str, room: int) -> str:
    text = sentence.encode("ascii", "backslashreplace").decode()
    text = "".join(each if each.isprintable() else "?" for each in text)
    return text if len(text) <= room else f"{text[: room - 3]}..."


def _rule(error: Exception) -> Rule:
    match error:
        case MockError():
            return _RULES.get(error.rule, error.answer.rule)
        case ValidationError():
            return contract.VALIDATION.rule
        case HTTPException(code=int(status)):
            return next((e.rule for e in contract.ERRORS if e.status == status), _BAD_REQUEST)
        case _:
            return contract.SERVER_ERROR.rule


def _sentence(error: Exception, request: flask.Request) -> str:
    match error:
        case NoImagesError():
            return f"no image: {_no_images(request)}"
        case UnauthorizedError():
            return _no_account(request)
        case MockError():
            return str(error)
        case ValidationError():
            return _wrong_fields(error)
        case HTTPException():
            return _refused_by_flask(error, request)
        case _:
            return "a mistake of the mock: its log has the exception"


def _refused_by_flask(error: HTTPException, request: flask.Request) -> str:
    match error.code:
        case HTTPStatus.NOT_FOUND:
            return _no_operation(request)
        case HTTPStatus.METHOD_NOT_ALLOWED if isinstance(error, MethodNotAllowed):
            taken = ", ".join(sorted(set(error.valid_methods or ()) - {"HEAD"}))
            return f"{_quoted(request.path)} takes {taken}, not {request.method}"
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            most = flask.current_app.config["MAX_CONTENT_LENGTH"]
            return f"the body is larger than {most} bytes, or a file in it than is allowed"
        case HTTPStatus.BAD_REQUEST:
            return _unreadable(request, error)
        case _:
            return error.name


def _no_images(request: flask.Request) -> str:
    """Describe what came in place of images: another kind of body, or fields of other names."""
    if request.mimetype not in _FORMS:
        if not request.content_length:
            return "the body is empty; send a form with 'image_files' or 'image_urls'"
        kind = _quoted(request.mimetype) if request.mimetype else "of no Content-Type"
        return f"the body is {kind}, not a form; send {' or '.join(_FORMS)}"
    schema = contract.CREATE.request() if contract.CREATE.request else Schema()
    if wrong := list(_unknown_fields(unknown_fields(request, schema), schema)):
        return "; ".join(wrong)
    return "the form has neither 'image_files' nor 'image_urls'"


def _unknown_fields(names: list[str], schema: Schema) -> Iterator[str]:
    for name in names:
        plain = re.sub(r"\[\w*\]$", "", name).lower().replace("-", "_")
        nearest = get_close_matches(plain, [*schema.fields, *_ALIASES], 1, 0.6)
        known = _ALIASES.get(nearest[0], nearest[0]) if nearest else ""
        hint = f", did you mean '{known}'?" if known in schema.fields else ""
        yield f"{_quoted(name)} is no field{hint}"


_ALIASES: Final = {
    "images": "image_files",
    "image": "image_files",
    "files": "image_files",
    "file": "image_files",
    "urls": "image_urls",
    "url": "image_urls",
    "image_url": "image_urls",
    "webhook": "webhook_url",
    "callback_url": "webhook_url",
}
"""What people call fields that have other names."""


def _no_account(request: flask.Request) -> str:
    if request.headers.get(API_KEY_HEADER):
        return f"no account has the key in {API_KEY_HEADER}"
    for name, _ in request.headers:
        if _KEY_NAMES.fullmatch(name):
            return f"a key in the header {_quoted(name)} is not read; send it in {API_KEY_HEADER}"
    if any(_KEY_NAMES.fullmatch(name) for name in request.args):
        return f"a key in the query is not read; send it in the header {API_KEY_HEADER}"
    return f"the request has no header {API_KEY_HEADER}"


def _wrong_fields(error: ValidationError) -> str:
    problems = list(problems_in(error.messages))
    shown = [
        f"{_quoted('.'.join(map(str, loc[1:] or loc)))}: {problem.msg}"
        for loc, problem in problems[:_LISTED]
    ]
    rest = len(problems) - len(shown)
    return "; ".join(shown) + (f"; and {rest} more" if rest else "")


def _no_operation(request: flask.Request) -> str:
    """Name the operation whose path is the nearest to one that there is not."""
    paths = {re.sub(r"{\w+}", "-", each.path): each for each in OPERATIONS}
    asked = re.sub(r"[0-9a-fA-F-]{32,36}", "-", request.path.rstrip("/"))
    nearest = get_close_matches(asked, paths, 1, 0.6)
    if not nearest and (inner := [path for path in paths if asked.endswith(path)]):
        nearest = [max(inner, key=len)]
    hint = ""
    if nearest:
        operation = paths[nearest[0]]
        hint = f", did you mean {operation.method} {operation.path}?"
    return f"there is no {request.method} {_quoted(request.path)}{hint}"


def _unreadable(request: flask.Request, error: HTTPException) -> str:
    if request.mimetype == _FORMS[1] and "boundary" not in request.mimetype_params:
        return (
            "the Content-Type multipart/form-data has no boundary; let the HTTP library set the "
            "header"
        )
    is_special = error.description != type(error).description
    detail = f": {error.description}" if is_special and error.description else ""
    return f"the body cannot be read as the form that its Content-Type says{detail}"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
