"""A fault that never fired fails the test that planned it."""

from __future__ import annotations

import pytest


def test_a_fault_that_never_fired_fails_the_test(pytester: pytest.Pytester) -> None:
    """A test that passes but never met its fault ends in an error that names the fault."""
    pytester.makepyfile(
        """
        def test_it(vimmerse):
            vimmerse.faults.reset(operation="get_batch", nth=2)
            vimmerse.client.health()
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["a planned fault never fired*: reset at call 2 of get_batch; the test made 0 *ignore*"]
    )


def test_what_fired_was_taken_back_or_is_not_asked_passes(pytester: pytest.Pytester) -> None:
    """A fault that fired, one taken back, and one whose test opted out, fail nothing."""
    pytester.makepyfile(
        """
        import pytest
        from vimmerse_client import NotFound, ServerError

        NOBODY = "00000000-0000-4000-8000-000000000000"

        def test_fired(vimmerse):
            vimmerse.faults.status(500, operation="get_batch")
            with pytest.raises(NotFound):
                vimmerse.client.get(NOBODY)

        def test_taken_back(vimmerse):
            vimmerse.faults.html()
            vimmerse.faults.clear()

        @pytest.mark.vimmerse(unfired_faults="ignore")
        def test_opted_out(vimmerse):
            vimmerse.faults.html()
        """
    )
    pytester.runpytest_subprocess("--strict-markers").assert_outcomes(passed=3)


def test_a_test_that_failed_is_not_blamed_twice(pytester: pytest.Pytester) -> None:
    """Where the test failed anyway, the fault it did not come to is no further error."""
    pytester.makepyfile(
        """
        def test_it(vimmerse):
            vimmerse.faults.html()
            assert False
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(failed=1)


@pytest.mark.parametrize(
    ("marker", "refusal"),
    [
        ('vimmerse(unfired_faults="ignored")', "unfired_faults='fail' or 'ignore', *'ignored'"),
        ('vimmerse(unfired="ignore")', "takes unfired_faults=*, assumptions=*not unfired='ignore'"),
        ('vimmerse("ignore")', "takes unfired_faults=*, assumptions=*not ignore=None"),
        ('vimmerse_needs("money")', "takes webhooks, *; not 'money'"),
    ],
)
def test_a_marker_that_says_nothing_known_is_refused(
    pytester: pytest.Pytester, marker: str, refusal: str
) -> None:
    """In one line, before any test is run, with the test's name and what there is."""
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.{marker}
        def test_it(vimmerse):
            vimmerse.faults.html()
        """)
    result = pytester.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *::test_it: the marker *{refusal}"])
