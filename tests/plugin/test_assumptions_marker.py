from __future__ import annotations

import pytest

IMAGE = 'b"\\x89PNG\\r\\n\\x1a\\n"'
DOCUMENTED = f"""
def test_documented(vimmerse):
    batch = vimmerse.client.create([{IMAGE}])
    vimmerse.clock.advance(60)
    assert vimmerse.client.get(batch.id).video_url
"""
ASSUMING = f"""
def test_assuming(vimmerse):
    batch = vimmerse.client.create([{IMAGE}])
    vimmerse.clock.advance(2)
    assert 0 < vimmerse.client.get(batch.id).progress_percentage < 100
"""
STRICT = '\nimport pytest\npytestmark = pytest.mark.vimmerse(assumptions="fail")\n'


def test_assumptions_are_counted_by_default(pytester: pytest.Pytester) -> None:
    """The run's summary says how many tests relied on how many assumed behaviours."""
    pytester.makepyfile(DOCUMENTED + ASSUMING + ASSUMING.replace("assuming", "assuming_too"))
    result = pytester.runpytest_subprocess("-n", "1")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["2 tests relied on 1 assumed behaviour: read.progress"])


def test_a_strict_test_fails_by_an_assumption(pytester: pytest.Pytester) -> None:
    """It names the rule, the occasion and the reason; what relies on documents only passes."""
    pytester.makepyfile(STRICT + DOCUMENTED + ASSUMING)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "the test relied on behaviour that is only assumed:",
            "  read.progress (get_batch answered 200, processing * %): *; assumed, because *",
        ]
    )


def test_a_test_without_assumptions_leaves_no_trace(pytester: pytest.Pytester) -> None:
    """Neither a summary nor a word."""
    pytester.makepyfile(DOCUMENTED)
    result = pytester.runpytest_subprocess()
    result.stdout.no_fnmatch_line("*Vimmerse: the contract*")


def test_a_failing_strict_test_fails_for_its_own_reason(pytester: pytest.Pytester) -> None:
    """What the test itself found is not hidden by what it relied on."""
    pytester.makepyfile(STRICT + ASSUMING.replace("< 100", "< 1"))
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*only assumed*")


def test_an_account_that_the_test_closed_tells_nothing(pytester: pytest.Pytester) -> None:
    """That is no reason to fail it."""
    pytester.makepyfile(STRICT + ASSUMING + "    vimmerse.close()\n")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_wrong_word_is_refused(pytester: pytest.Pytester) -> None:
    """The marker says what it takes."""
    pytester.makepyfile(STRICT.replace("fail", "strict") + DOCUMENTED)
    result = pytester.runpytest_subprocess()
    result.stderr.fnmatch_lines(["*assumptions='count' or 'fail'; not assumptions='strict'"])
