"""What a failed test's report tells, and what it leaves alone."""

from __future__ import annotations

import pytest

from pytest_vimmerse import plugin

TITLE = "*Vimmerse: what happened, on the account's clock*"


def test_a_failed_test_tells_what_happened(pytester: pytest.Pytester) -> None:
    """Requests, credits, transitions and deliveries stand in one order under the failure."""
    pytester.makepyfile(
        """
        def test_it(vimmerse):
            image = b"\\x89PNG\\r\\n\\x1a\\n"
            batch = vimmerse.client.create([image], webhook_url=vimmerse.webhooks.url)
            vimmerse.clock.run_until(batch)
            assert vimmerse.client.get(batch.id).video_url is None
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            TITLE,
            "*+0.000s*ledger*+100000 credits (opening)*",
            "*+0.000s*request*batch 1*POST /batch (create_batch): 200, processing 0 %",
            "*+0.000s*ledger*batch 1*-5 credits (create), 99995 left",
            "*+0.000s*transition*batch 1*processes (submission 1)",
            "*+3.000s*transition*batch 1*media 1 of 1 finished",
            "*+4.000s*transition*batch 1*processing -> success",
            "*+4.000s*delivery*batch 1*webhook 'success' to http://127.0.0.1:*attempt 1: 200",
            "*+4.000s*request*GET /batch/<batch 1> (get_batch): 200, success 100 %",
        ]
    )


def test_a_long_story_is_cut_in_its_middle(pytester: pytest.Pytester) -> None:
    """A test of hundreds of requests tells its beginning and its end, in a bounded report."""
    pytester.makepyfile(
        """
        def test_it(vimmerse):
            batch = vimmerse.client.create([b"\\x89PNG\\r\\n\\x1a\\n"], title="Long")
            for _ in range(200):
                vimmerse.client.get(batch.id)
            assert False
        """
    )
    result = pytester.runpytest_subprocess()
    result.stdout.fnmatch_lines([TITLE, "*POST /batch*", "*events left out*", "*GET /batch/*"])
    requests = [line for line in result.outlines if "s  request " in line]
    assert len(requests) < plugin.STORY_LINES


def test_a_test_that_passes_or_needs_no_mock_tells_nothing(pytester: pytest.Pytester) -> None:
    """Only a failed test that used the fixture has a story."""
    pytester.makepyfile(
        """
        def test_passes(vimmerse):
            vimmerse.client.health()

        def test_fails_by_itself():
            assert False
        """
    )
    result = pytester.runpytest_subprocess("-rA")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line(TITLE)


def test_the_story_comes_home_from_a_worker(pytester: pytest.Pytester) -> None:
    """Under xdist the report has the story as well."""
    pytester.makepyfile("def test_it(vimmerse): assert vimmerse.credits == 1")
    result = pytester.runpytest_subprocess("-n", "1")
    result.stdout.fnmatch_lines([TITLE, "*+100000 credits (opening)*"])


def test_a_mock_that_is_gone_spoils_no_report(pytester: pytest.Pytester) -> None:
    """Where the mock died under the test, the failure is still the test's own."""
    pytester.makepyfile(
        """
        def test_it(vimmerse):
            vimmerse.control = None
            assert 1 + 1 == 3
        """
    )
    result = pytester.runpytest_subprocess()
    result.stdout.fnmatch_lines(["*assert (1 + 1) == 3*", "*the mock does not answer: *"])
