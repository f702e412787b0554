from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_mock.errors import SpanError
from vimmerse_mock.model.bounds import SPAN
from vimmerse_mock.model.clock import SECOND, format_span, parse_span


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("1.5m", 90),
        ("250ms", 0.25),
        ("2h", 7200),
        ("1d", 86_400),
        ("14m50s", 890),
        ("1d2h30m1.5s5ms", 95_401.505),
        ("3", 3),
        (2.5, 2.5),
    ],
)
def test_a_span_is_read_in_every_unit(written: str | float, seconds: float) -> None:
    """A number counts seconds unless it names another unit."""
    assert parse_span(written) == seconds * SECOND


@pytest.mark.parametrize(
    "written",
    [
        "",
        "soon",
        "-1s",
        "1w",
        "1 s",
        "1e3",
        "50s14m",
        "1m5",
        "\uff11s",
        -1,
        float("nan"),
        float("inf"),
        True,
    ],
)
def test_what_is_no_span_is_refused_with_what_is(written: str | float) -> None:
    """The refusal quotes what was written, and shows how a span is."""
    with pytest.raises(SpanError, match=r"is no span of time: expected .*'90s'"):
        parse_span(written)


@given(st.integers(0, round(SPAN.most)))
def test_a_span_that_is_written_reads_the_same(span: int) -> None:
    """Writing loses nothing."""
    assert abs(parse_span(format_span(span)) - span) <= span // 10**15
