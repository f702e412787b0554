"""Every documented error, and that a refused request leaves nothing behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import pytest

from vimmerse_contracts.checks import (
    check_allow,
    check_error,
    check_status,
    check_validation,
    check_webhook_count,
)
from vimmerse_contracts.operations import (
    BAD_REQUEST,
    CONCAT,
    CREATE,
    FORBIDDEN,
    HEALTH,
    INSUFFICIENT_CREDIT,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    OPERATIONS,
    READ,
    UNAUTHORIZED,
    UPDATE,
    Operation,
)
from vimmerse_contracts.runs.prices import Form, creation
from vimmerse_contracts.suite.api import IMAGE_URL, TINY, Api, File, png, upload
from vimmerse_contracts.suite.shared import FINISHED, Shared
from vimmerse_contracts.suite.target import Capability, Target
from vimmerse_contracts.vocabulary import (
    IMAGE_URL_CHARACTERS,
    LINE_CHARACTERS,
    TEXT_CHARACTERS,
    WEBHOOK_URL_CHARACTERS,
)

UNKNOWN_ID: Final = "00000000-0000-4000-8000-000000000000"
KEYED: Final = [operation for operation in OPERATIONS if operation.needs_key]
BY_ID: Final = [operation for operation in KEYED if "{batch_id}" in operation.path]
CHANGING: Final = (UPDATE, CONCAT)

WRONG_SETTINGS: Final[Sequence[tuple[str, str, str]]] = (
    ("motion_type", "Cinematograph", "literal_error"),
    ("motion_type", "auto", "literal_error"),
    ("quantity", "0", "greater_than_equal"),
    ("quantity", "5", "less_than_equal"),
    ("quantity", "two", "int_parsing"),
    ("duration", "0", "greater_than_equal"),
    ("duration", "11", "less_than_equal"),
    ("duration", "1.5", "int_parsing"),
    ("loop", "0", "greater_than_equal"),
    ("loop", "7", "less_than_equal"),
    ("loop", "1x", "int_parsing"),
    ("aspect_ratio", "2:1", "literal_error"),
    ("sound_effects", "Maybe", "literal_error"),
    ("visibility_status", "3", "literal_error"),
    ("webhook_url", "ftp://receiver.invalid/", "url_scheme"),
    ("webhook_url", "not a url", "url_parsing"),
)
"""Field, value and what is wrong with it, for creation and update alike (P25)."""

WRONG_ON_CREATE: Final = (
    *WRONG_SETTINGS,
    ("motion_range", "0", "greater_than_equal"),
    ("motion_range", "11", "less_than_equal"),
    ("motion_range", "much", "int_parsing"),
    ("is_transition", "perhaps", "bool_parsing"),
)
WRONG_ON_UPDATE: Final = (
    *WRONG_SETTINGS,
    ("rating", "0", "literal_error"),
    ("rating", "6", "literal_error"),
)
TOO_LONG: Final = (
    ("title", LINE_CHARACTERS, "string_too_long"),
    ("is_highlights", LINE_CHARACTERS, "string_too_long"),
    ("description", TEXT_CHARACTERS, "string_too_long"),
    ("prompt", TEXT_CHARACTERS, "string_too_long"),
    ("webhook_url", WEBHOOK_URL_CHARACTERS, "url_too_long"),
    ("image_urls", IMAGE_URL_CHARACTERS, "url_too_long"),
)
"""Field, its bound in characters, and what is wrong beyond it (A)."""

ALL_WRONG: Final = {
    "visibility_status": ("3", "literal_error"),
    "is_transition": ("perhaps", "bool_parsing"),
    "motion_range": ("0", "greater_than_equal"),
    "motion_type": ("Cinematograph", "literal_error"),
    "quantity": ("5", "less_than_equal"),
    "duration": ("11", "less_than_equal"),
    "loop": ("x", "int_parsing"),
    "aspect_ratio": ("2:1", "literal_error"),
    "sound_effects": ("Maybe", "literal_error"),
    "webhook_url": ("ftp://receiver.invalid/", "url_scheme"),
}

_each_keyed = pytest.mark.parametrize("operation", KEYED, ids=[each.id for each in KEYED])
_each_changing = pytest.mark.parametrize(
    "operation", [CREATE, *CHANGING], ids=[each.id for each in (CREATE, *CHANGING)]
)
_each_by_id = pytest.mark.parametrize("operation", BY_ID, ids=[each.id for each in BY_ID])


@_each_keyed
def test_no_key_is_unauthorized(vimmerse_target: Target, operation: Operation) -> None:
    """Without a key, every operation on batches is 401 (error.401, auth.header)."""
    with Api(vimmerse_target, None) as anonymous:
        check_error(anonymous.send(operation, UNKNOWN_ID, _valid(operation)), UNAUTHORIZED)


@_each_keyed
def test_a_wrong_key_is_unauthorized(vimmerse_target: Target, operation: Operation) -> None:
    """With a key that nobody has, every operation on batches is 401 (error.401)."""
    with Api(vimmerse_target, "nobody-has-this-key") as unknown:
        check_error(unknown.send(operation, UNKNOWN_ID, _valid(operation)), UNAUTHORIZED)


@pytest.mark.vimmerse_needs(Capability.READ_ONLY_ACCOUNT)
@_each_changing
def test_a_key_that_may_only_read_is_forbidden_to_change(
    contract_read_only_api: Api, operation: Operation
) -> None:
    """With a key that may only read, whatever costs or changes is 403 (error.403)."""
    check_error(contract_read_only_api.send(operation, UNKNOWN_ID, _valid(operation)), FORBIDDEN)


@_each_by_id
def test_an_unknown_batch_is_not_found(contract_api: Api, operation: Operation) -> None:
    """A batch that nobody has is 404 for every operation (error.404, read.unknown)."""
    check_error(contract_api.send(operation, UNKNOWN_ID, _valid(operation)), NOT_FOUND)


@pytest.mark.vimmerse_needs(Capability.OTHER_ACCOUNT)
@_each_by_id
@pytest.mark.vimmerse_costs(FINISHED)
def test_a_foreign_batch_is_not_found(
    contract_other_api: Api, contract_shared: Shared, operation: Operation
) -> None:
    """Somebody else's batch is 404 for every operation (error.404, read.foreign)."""
    batch_id = contract_shared.finished["id"]
    check_error(contract_other_api.send(operation, batch_id, _valid(operation)), NOT_FOUND)


@_each_by_id
def test_a_bad_id_is_a_bad_request(contract_api: Api, operation: Operation) -> None:
    """An id that is no UUID is 400 for every operation (error.400, read.bad_id)."""
    check_error(contract_api.send(operation, "not-a-uuid", _valid(operation)), BAD_REQUEST)


@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.id for each in OPERATIONS])
def test_another_method_is_not_allowed(contract_api: Api, operation: Operation) -> None:
    """A method that the path does not take is 405, with Allow (error.405)."""
    answer = contract_api.send(operation, UNKNOWN_ID, method="DELETE")
    check_error(answer, METHOD_NOT_ALLOWED)
    check_allow(answer, operation.method)


@pytest.mark.parametrize("operation", [READ, HEALTH], ids=[READ.id, HEALTH.id])
def test_head_is_not_allowed(contract_api: Api, operation: Operation) -> None:
    """A path that takes GET does not take HEAD: 405, with Allow (error.405)."""
    answer = contract_api.send(operation, UNKNOWN_ID, method="HEAD")
    check_status(answer, METHOD_NOT_ALLOWED.status)
    check_allow(answer, operation.method)


def test_a_slash_at_the_end_is_redirected(contract_api: Api) -> None:
    """A path with a slash at its end is 307 to the path without it (path.slash)."""
    answer = contract_api.send(READ, f"{UNKNOWN_ID}/")
    check_status(answer, 307)
    assert urlsplit(answer.headers["Location"]).path.endswith(f"/batch/{UNKNOWN_ID}")


def test_a_form_of_too_many_fields_is_a_bad_request(contract_api: Api) -> None:
    """More than a thousand fields are 400, before the batch is looked for (form.reading)."""
    check_error(contract_api.update(UNKNOWN_ID, {"title": ["again"] * 1_001}), BAD_REQUEST)


def test_a_file_input_left_empty_is_not_given(contract_api: Api) -> None:
    """What a browser sends for a file input without a file is no image (form.empty_file)."""
    check_error(contract_api.create({"title": "No image"}, [upload("", b"")]), BAD_REQUEST)


def test_a_wrong_field_says_what_was_sent(contract_api: Api) -> None:
    """An entry of a 422 has the input, and the bound that it breaks (errors.input)."""
    answer = contract_api.create({**TINY, "loop": "7"})
    check_validation(answer, [(("body", "loop"), "less_than_equal")])
    (entry,) = answer.json()["detail"]
    assert (entry.get("input"), entry.get("ctx")) == ("7", {"le": 6})


@pytest.mark.parametrize("form", [{}, {"title": "No image"}])
def test_a_creation_without_images_is_a_bad_request(contract_api: Api, form: Form) -> None:
    """Neither files nor URLs is 400 (create.no_images, error.400)."""
    check_error(contract_api.create(form), BAD_REQUEST)


@pytest.mark.vimmerse_needs(Capability.BROKE_ACCOUNT)
def test_a_creation_without_credit_is_refused(contract_broke_api: Api) -> None:
    """A balance that does not suffice is 402 (create.credit, error.402)."""
    check_error(contract_broke_api.create(_costly()), INSUFFICIENT_CREDIT)


@pytest.mark.vimmerse_needs(Capability.BROKE_ACCOUNT, Capability.WEBHOOKS)
def test_a_refused_creation_is_never_processed(
    vimmerse_target: Target, contract_broke_api: Api
) -> None:
    """Of a creation that was refused with 402, no webhook ever comes (create.refusal)."""
    url = vimmerse_target.webhook_url()
    refused = contract_broke_api.create({**_costly(), "webhook_url": url})
    check_error(refused, INSUFFICIENT_CREDIT)
    vimmerse_target.settle(url, 0)
    check_webhook_count(vimmerse_target.webhooks(url), 0)


@pytest.mark.vimmerse_needs(Capability.BALANCE)
@pytest.mark.parametrize("form", [{"title": "No image"}, {**TINY, "quantity": 5}])
def test_a_refused_creation_takes_no_credit(
    vimmerse_target: Target, contract_api: Api, form: Form
) -> None:
    """A creation refused with 400 or 422 takes no credit (create.refusal)."""
    before = vimmerse_target.balance()
    assert contract_api.create(form).status_code in {400, 422}
    assert vimmerse_target.balance() == before


@pytest.mark.parametrize(("field", "value", "problem"), WRONG_ON_CREATE)
def test_a_wrong_field_of_a_creation_is_named(
    contract_api: Api, field: str, value: str, problem: str
) -> None:
    """A wrong field or unlisted word is named in a 422 (error.422, create.unlisted_words)."""
    answer = contract_api.create({**TINY, field: value})
    check_validation(answer, [(("body", field), problem)])


@pytest.mark.parametrize(("field", "value", "problem"), WRONG_ON_UPDATE)
@pytest.mark.vimmerse_costs(FINISHED)
def test_a_wrong_field_of_an_update_is_named(
    contract_api: Api, contract_shared: Shared, field: str, value: str, problem: str
) -> None:
    """An update with one wrong field is 422 that names it and says what is wrong (error.422)."""
    answer = contract_api.update(contract_shared.finished["id"], {field: value})
    check_validation(answer, [(("body", field), problem)])


@pytest.mark.parametrize(("field", "most", "problem"), TOO_LONG)
def test_a_text_that_is_too_long_is_named(
    contract_api: Api, field: str, most: int, problem: str
) -> None:
    """A creation with a text over its bound is 422 that names it (text.length)."""
    value = f"https://receiver.invalid/{'a' * most}" if "url" in field else "a" * (most + 1)
    place: tuple[str | int, ...] = ("body", field, 0) if field == "image_urls" else ("body", field)
    check_validation(contract_api.create({**TINY, field: value}), [(place, problem)])


def test_all_wrong_fields_are_listed_at_once(contract_api: Api) -> None:
    """A creation with every field wrong is 422 that lists them all (error.422)."""
    form = {field: value for field, (value, _) in ALL_WRONG.items()}
    expected = [(("body", field), problem) for field, (_, problem) in ALL_WRONG.items()]
    check_validation(contract_api.create({**TINY, **form}), expected)


def test_each_wrong_url_is_named_by_its_place(contract_api: Api) -> None:
    """A URL that is not http(s) is 422, with its place in the list (create.image_content)."""
    urls = ["ftp://media.invalid/1.jpg", IMAGE_URL, "nonsense"]
    expected: list[tuple[tuple[str | int, ...], str]] = [
        (("body", "image_urls", 0), "url_scheme"),
        (("body", "image_urls", 2), "url_parsing"),
    ]
    check_validation(contract_api.create({**TINY, "image_urls": urls}), expected)


def test_each_wrong_upload_is_named_by_its_place(contract_api: Api) -> None:
    """An upload that is no image, or empty, is 422, with its place (create.image_content)."""
    files: list[File] = [
        upload("text.png", b"no image at all"),
        upload("good.png", png()),
        upload("empty.png", b""),
    ]
    expected: list[tuple[tuple[str | int, ...], str]] = [
        (("body", "image_files", 0), "value_error"),
        (("body", "image_files", 2), "value_error"),
    ]
    check_validation(contract_api.create({"duration": 1}, files), expected)


def test_text_for_a_file_is_wrong(contract_api: Api) -> None:
    """Text where an upload belongs is 422, with its place (create.image_content, error.422)."""
    answer = contract_api.create({"image_files": ["text"], "duration": 1})
    check_validation(answer, [(("body", "image_files", 0), "value_error")])


def test_a_file_for_text_is_wrong(contract_api: Api) -> None:
    """An upload where text belongs is 422 (error.422)."""
    files: list[File] = [("title", ("title.png", png(), "image/png")), upload("one.png", png())]
    answer = contract_api.create({"duration": 1}, files)
    check_validation(answer, [(("body", "title"), "string_type")])


@pytest.mark.parametrize("operation", [CREATE, UPDATE], ids=[CREATE.id, UPDATE.id])
def test_the_key_is_checked_before_the_form(vimmerse_target: Target, operation: Operation) -> None:
    """A wrong form without a key is 401, not 422 (errors.order)."""
    with Api(vimmerse_target, None) as anonymous:
        check_error(anonymous.send(operation, UNKNOWN_ID, {"loop": 7}), UNAUTHORIZED)


def test_the_form_is_checked_before_the_images(contract_api: Api) -> None:
    """A wrong form without images is 422, not 400 (errors.order)."""
    expected = [(("body", "loop"), "less_than_equal")]
    check_validation(contract_api.create({"loop": 7}), expected)


@pytest.mark.parametrize("batch_id", ["not-a-uuid", UNKNOWN_ID])
def test_the_form_is_checked_before_the_batch(contract_api: Api, batch_id: str) -> None:
    """A wrong form for a batch that is not there is 422, not 400 or 404 (errors.order)."""
    expected = [(("body", "loop"), "less_than_equal")]
    check_validation(contract_api.update(batch_id, {"loop": 7}), expected)


@pytest.mark.vimmerse_needs(Capability.BROKE_ACCOUNT)
@pytest.mark.parametrize("operation", CHANGING, ids=[each.id for each in CHANGING])
def test_the_batch_is_looked_for_before_the_credit(
    contract_broke_api: Api, operation: Operation
) -> None:
    """Without credit, a batch that is not there is 404, not 402 (errors.order)."""
    form = {"duration": 10, "quantity": 4} if operation is UPDATE else None
    check_error(contract_broke_api.send(operation, UNKNOWN_ID, form), NOT_FOUND)


@pytest.mark.vimmerse_costs(creation(TINY))
def test_a_refusal_is_no_end(contract_api: Api) -> None:
    """After a refused creation, a good one is accepted (create.refusal)."""
    assert contract_api.create({**TINY, "loop": 7}).status_code == 422
    contract_api.created(TINY)


def _valid(operation: Operation) -> Form | None:
    if operation is CREATE:
        return TINY
    return {"title": "New title", "loop": 2} if operation is UPDATE else None


def _costly() -> Form:
    return {**TINY, "duration": 10, "quantity": 4}
