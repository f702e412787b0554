from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError, fields

from vimmerse_contracts import fields as problems
from vimmerse_contracts.fields import (
    TIMESTAMP_PATTERN,
    Between,
    Choice,
    FormBoolean,
    FormInteger,
    HttpUrl,
    Problem,
    Text,
    Timestamp,
    Upload,
    format_timestamp,
    parse_timestamp,
    url_problem,
)


def problem_of(field: fields.Field[Any], value: object) -> Problem:
    """Read a value that a field must refuse, and return what it says."""
    with pytest.raises(ValidationError) as caught:
        field.deserialize(value)
    ((_, problem),) = problems.problems_in(caught.value.messages)
    return problem


@settings(deadline=None)
@given(st.integers(-(10**29), 10**29), st.sampled_from(["{}", " {} ", "{}.0", "{}.00", "\t{}\n"]))
def test_every_whole_number_is_read(number: int, written: str) -> None:
    """A whole number is read as itself, with white space around it or zeros behind its point."""
    assert FormInteger().deserialize(written.format(number)) == number


@settings(deadline=None)
@given(st.one_of(st.text(), st.text("0123456789 +-.e_x")))
def test_what_is_read_as_a_number_is_one_to_python_too(text: str) -> None:
    """Whatever is read as a whole number has the value that Python sees in it, the rest is told."""
    try:
        number = FormInteger().deserialize(text)
    except ValidationError:
        assert problem_of(FormInteger(), text) == problems.INT_PARSING
    else:
        assert number == Decimal(text)


@pytest.mark.parametrize("text", ["1.5", "1e3", "0x10", "five", "5 0", "--5", "5.", ".5", "\u0665"])
def test_what_is_no_whole_number_is_told(text: str) -> None:
    """Fractions, other notations and other digits are no whole numbers."""
    assert problem_of(FormInteger(), text) == problems.INT_PARSING


@settings(deadline=None)
@given(st.integers())
def test_a_number_out_of_its_range_is_told_with_the_limit(number: int) -> None:
    """A number passes where it lies within, and otherwise the limit that it breaks is named."""
    field = FormInteger(validate=Between(1, 6))
    if 1 <= number <= 6:
        assert field.deserialize(str(number)) == number
    elif abs(number) < 10**30:
        limit = "greater than or equal to 1" if number < 1 else "less than or equal to 6"
        assert problem_of(field, str(number)).msg == f"Input should be {limit}"


@pytest.mark.parametrize("word", ["true", "1", "yes", "on", "t", "y"])
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_yes_is_read_in_any_case(word: str, case: Any) -> None:
    """The words that FastAPI takes for true are true in any case."""
    assert FormBoolean().deserialize(case(word)) is True


@pytest.mark.parametrize("word", ["false", "0", "no", "off", "f", "n"])
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_no_is_read_in_any_case(word: str, case: Any) -> None:
    """The words that FastAPI takes for false are false in any case."""
    assert FormBoolean().deserialize(case(word)) is False


@pytest.mark.parametrize("value", ["perhaps", "2", " yes", ""])
def test_other_words_are_no_booleans(value: str) -> None:
    """Any other word is told."""
    assert problem_of(FormBoolean(), value) == problems.BOOL_PARSING


def test_a_file_is_neither_a_number_nor_a_truth_value() -> None:
    """Where either belongs, a file is of the wrong type, and what was sent is said."""
    assert problem_of(FormBoolean(), {"filename": "a.png"}) == problems.BOOL_TYPE
    found = problem_of(FormInteger(), {"filename": "a.png"})
    assert (found, found.input) == (problems.INT_TYPE, {"filename": "a.png"})


@pytest.mark.parametrize("field", [Text(), HttpUrl()])
def test_a_file_is_no_text(field: fields.Field[Any]) -> None:
    """Where text belongs, anything else is told."""
    assert problem_of(field, object()) == problems.STRING_TYPE


def test_a_choice_is_told_in_the_manner_of_pydantic() -> None:
    """A word that is none of the choices is told with all of them; letter case counts."""
    found = problem_of(Text(validate=Choice(["16:9", "4:3", "1:1"])), "2:1")
    assert found == Problem("literal_error", "Input should be '16:9', '4:3' or '1:1'")
    assert problem_of(Text(validate=Choice(["Yes", "No"])), "yes").type == "literal_error"


@settings(deadline=None)
@given(st.one_of(st.text(), st.text("htp:/a.1[]@ \t", max_size=12).map("http://{}".format)))
def test_what_passes_as_a_url_has_a_scheme_and_a_host(text: str) -> None:
    """Whatever has no problem is an absolute http(s) URL to the standard library, too."""
    if url_problem(text) is None:
        parts = urlsplit(text)
        assert parts.scheme in {"http", "https"}
        assert parts.hostname
        assert not re.search(r"\s", text)


@settings(deadline=None)
@given(
    st.sampled_from(["http", "https", "HTTP"]),
    st.from_regex(r"[a-z][a-z0-9]{0,10}(\.[a-z]{2,5})?", fullmatch=True),
    st.one_of(st.none(), st.integers(1, 65535)),
    st.from_regex(r"(/[a-z0-9._~-]{0,5}){0,3}(\?[a-z]=[a-z0-9%]{0,5})?", fullmatch=True),
)
def test_every_absolute_url_passes(scheme: str, host: str, port: int | None, rest: str) -> None:
    """A URL of scheme, host, port, path and query has no problem, and is kept as it is."""
    url = f"{scheme}://{host}{'' if port is None else f':{port}'}{rest}"
    assert HttpUrl().deserialize(url) == url


@pytest.mark.parametrize("url", ["ftp://host/1.jpg", "file:///etc/passwd", "data:image/png;x"])
def test_another_scheme_is_told(url: str) -> None:
    """A URL with another scheme than http and https is told as that."""
    assert url_problem(url) == problems.URL_SCHEME


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "//host/1.jpg",
        "http://",
        "http:///1.jpg",
        "http://host:0/",
        "http://host:x/",
        "http://host:65536/",
        "http://a b/",
        "http://[::1/",
        "http://host/\n",
        "http://host/\x9b",
        " http://host/",
        "http://[zz]:80/",
        "http://256.1.1.1/",
        "http://127.0.0.1:99999/",
        "http://me:secret@/",
        "http://me@:80/",
        "http://a..b/",
        "http://.example/",
        f"http://{'a' * 64}.example/",
        "http://\ud800.example/",
        "http://a%20b.example/",
        "http://a\\b/",
    ],
)
def test_what_is_no_url_is_told(url: str) -> None:
    """A text without scheme, with a bad port or white space, or a host that none could have."""
    assert url_problem(url) == problems.URL_PARSING


def test_an_upload_is_handed_on() -> None:
    """What the server made of an upload is kept, its problem is told, and text is no upload."""
    upload = object()
    assert Upload().deserialize(upload) is upload
    assert problem_of(Upload(), problems.EMPTY_FILE) == problems.EMPTY_FILE
    assert problem_of(Upload(), "text") == problems.UPLOAD_EXPECTED


@settings(deadline=None)
@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_survives_being_written(instant: datetime) -> None:
    """Every instant is written as Python writes it, and read back."""
    text = format_timestamp(instant)
    assert text == str(instant)
    assert re.fullmatch(TIMESTAMP_PATTERN, text)
    assert parse_timestamp(text) == instant


def test_a_whole_second_has_no_microseconds() -> None:
    """As `str(datetime)` has it; with six zeros it is read as well."""
    instant = datetime(2025, 4, 2, 16, 21, 42, tzinfo=UTC)
    assert format_timestamp(instant) == "2025-04-02 16:21:42+00:00"
    assert parse_timestamp("2025-04-02 16:21:42+00:00") == instant
    assert parse_timestamp("2025-04-02 16:21:42.000000+00:00") == instant


def test_an_instant_is_written_in_utc() -> None:
    """An instant of another zone is written in UTC."""
    instant = datetime(2025, 4, 2, 18, 21, 42, 465259, tzinfo=timezone(timedelta(hours=2)))
    assert format_timestamp(instant) == "2025-04-02 16:21:42.465259+00:00"


@pytest.mark.parametrize(
    "text",
    [
        "2025-04-02T16:21:42.465259+00:00",
        "2025-04-02 16:21:42.4652+00:00",
        "2025-04-02 16:21:42.465259+00:00\n",
        "2025-02-30 16:21:42.465259+00:00",
        "2025-04-02",
        "",
        "now",
        "2025-04-02 16:21:42.465259Z",
        "2025-04-02 16:21:42.465259+02:00",
    ],
)
def test_another_format_is_no_timestamp(text: str) -> None:
    """An instant written otherwise is told with an example of the right format."""
    with pytest.raises(ValidationError, match=re.escape("2025-04-02 16:21:42.465259")):
        Timestamp().deserialize(text)
