"""What Schemathesis, which imports this file, must be told of forms beyond the document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import schemathesis
from hypothesis import strategies
from marshmallow import fields

from vimmerse_contracts.fields import FormBoolean, Text
from vimmerse_contracts.operations import OPERATIONS
from vimmerse_contracts.suite.api import png

_IMAGES: Final = strategies.lists(strategies.integers(1, 8).map(png), min_size=1, max_size=3)
_SPELLINGS: Final = ("1", "0", "t", "f", "y", "n", "yes", "no", "on", "off", "true", "false")
_FORMS: Final = {each.id: each.request().fields for each in OPERATIONS if each.request}

# Items of `image_files` are sent with a file name only if a list of them is what is made.
schemathesis.openapi.media_type("image/png", _IMAGES)  # type: ignore[arg-type] # says bytes only


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Leave out forms that are called wrong for a value which is right once it is text.

    The document says what a value is. How a form is read is told by rules, and tested by the suite:
    everything in it is text, of a repeated text the last counts, an empty one is a field that was
    not given (create.empty_is_absent), and a boolean has several spellings.
    """
    form = _FORMS.get(case.operation.definition.raw.get("operationId"), {})
    body: Mapping[str, Any] = case.body if isinstance(case.body, Mapping) else {}
    return not any(_is_right_as_text(form[name], body[name]) for name in form.keys() & body.keys())


def _is_right_as_text(field: fields.Field[Any], value: object) -> bool:
    if isinstance(field, Text) and not field.validators:
        return not isinstance(value, str)
    if isinstance(field, FormBoolean) and not isinstance(value, bool):
        return str(value).lower() in {"", *_SPELLINGS}
    return value == "" or (isinstance(value, list) and "" in value)
