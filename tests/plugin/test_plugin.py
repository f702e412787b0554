from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_vimmerse import plugin
from pytest_vimmerse.handle import Vimmerse
from vimmerse_client import InsufficientCredit
from vimmerse_mock.model.scenarios import Scenario
from vimmerse_mock.server import MockServer

PNG = b"\x89PNG\r\n\x1a\n"


def test_an_account_is_fresh(vimmerse: Vimmerse) -> None:
    """It starts with all its credits and nothing else."""
    assert vimmerse.credits == 100_000
    assert [entry.reason for entry in vimmerse.ledger] == ["opening"]
    assert vimmerse.outbox == ()


def test_waiting_takes_no_time(vimmerse: Vimmerse) -> None:
    """The client's wait moves the account's clock in place of sleeping, minutes if need be."""
    before = vimmerse.clock.now()
    batch = vimmerse.client.create([PNG], motion_type="Veo", quantity=4, duration=10)
    assert vimmerse.client.wait(batch.id).status == "success"
    assert 40 < (vimmerse.clock.now() - before).total_seconds() < 120


def test_a_webhook_is_there_when_advance_returns(vimmerse: Vimmerse) -> None:
    """Deliveries happen before the clock's advance returns, over a real socket."""
    batch = vimmerse.client.create([PNG], webhook_url=vimmerse.webhooks.url)
    vimmerse.clock.advance(60)
    assert [webhook.body for webhook in vimmerse.webhooks.received] == [
        {"customer_id": vimmerse.customer_id, "batch_id": batch.id, "status": "success"}
    ]
    assert [message.state for message in vimmerse.outbox] == ["delivered"]


def test_media_can_be_made_to_fail(vimmerse: Vimmerse) -> None:
    """By a preset's name, or in detail."""
    vimmerse.use_scenario("fail")
    failed = vimmerse.client.wait(vimmerse.client.create([PNG]).id)
    assert (failed.status, failed.message) == ("fail", "All medias failed to process.")
    vimmerse.use_scenario(Scenario(fail_medias=(1,)))
    partial = vimmerse.client.wait(vimmerse.client.create([PNG, PNG]).id)
    assert (partial.status, len(partial.failed_medias)) == ("success", 1)


def test_a_refusal_is_seen_as_the_client_sees_it(vimmerse: Vimmerse) -> None:
    """An account runs out of credit like a real one."""
    for _ in range(100_000 // 1_280):
        vimmerse.client.create([PNG] * 4, motion_type="Veo", quantity=4, duration=10)
    with pytest.raises(InsufficientCredit):
        vimmerse.client.create([PNG] * 4, motion_type="Veo", quantity=4, duration=10)
    assert vimmerse.credits == 100_000 % 1_280


def test_two_accounts_are_apart(vimmerse: Vimmerse, vimmerse_server: MockServer) -> None:
    """Moving one account's clock, or spending its credit, changes nothing for another."""
    other = vimmerse_server.open_account()
    before = other.clock.now()
    vimmerse.client.create([PNG])
    vimmerse.clock.advance(10_000)
    assert (other.clock.now() - before).total_seconds() < 1_000
    assert other.credits == 100_000


def test_a_closed_account_is_gone(vimmerse: Vimmerse, vimmerse_server: MockServer) -> None:
    """What the fixture does at the end leaves nothing on the server."""
    store = vimmerse_server.mock.courier.store
    assert store.account_by_key(vimmerse.key) is not None
    vimmerse.close()
    assert store.account_by_key(vimmerse.key) is None


def test_the_key_does_not_show(vimmerse: Vimmerse) -> None:
    """A failing test's output has the fixture's repr in it, and not the key."""
    assert vimmerse.key not in repr(vimmerse)
    assert vimmerse.url in repr(vimmerse)


def test_the_plugin_costs_other_runs_nothing() -> None:
    """Loading it imports neither Flask nor requests nor anything else that is not pytest's."""
    heavy = ["flask", "requests", "marshmallow", "responses", "httptools", "vimmerse_mock"]
    code = (
        "import sys, pytest\n"
        "import pytest_vimmerse.plugin\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert loaded.stdout.strip() == "[]"


def test_the_fixtures_are_named_apart() -> None:
    """Every fixture, option and marker of the plugin has vimmerse in its name."""
    fixtures = [
        name for name in dir(plugin) if "fixture" in type(getattr(plugin, name)).__name__.lower()
    ]
    assert fixtures
    assert all(name.startswith("vimmerse") for name in fixtures)


def test_parallel_and_shuffled_runs_do_not_disturb_each_other(pytester: pytest.Pytester) -> None:
    """Twenty tests that each count their own batches and credits pass under xdist, in any order."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(1, 21))
        def test_mine_alone(vimmerse, number):
            for _ in range(number % 4):
                vimmerse.client.create([b"\\x89PNG\\r\\n\\x1a\\n"], duration=1)
            vimmerse.clock.advance(number)
            assert vimmerse.credits == 100_000 - number % 4
        """
    )
    result = pytester.runpytest_subprocess("-n", "2", "-p", "randomly")
    result.assert_outcomes(passed=20)


def test_a_target_that_does_not_answer_is_one_clear_sentence(pytester: pytest.Pytester) -> None:
    """A run against nothing ends at once with exit code 2 and what to do."""
    result = pytester.runpytest_subprocess(
        "--pyargs", "vimmerse_contracts.suite", "--vimmerse-target", "http://127.0.0.1:9"
    )
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*http://127.0.0.1:9 does not answer*start it, or correct*"])


def test_an_unknown_target_is_refused_with_those_there_are(pytester: pytest.Pytester) -> None:
    """A typo in --vimmerse-target says what it takes."""
    result = pytester.runpytest_subprocess(
        "--pyargs", "vimmerse_contracts.suite", "--vimmerse-target", "mok"
    )
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*mock, intercept, real or a URL, not 'mok'*"])


def test_plugin_tests_find_the_installed_entry_point() -> None:
    """The plugin is loaded by its entry point, without being told."""
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--fixtures", "-q", str(Path(__file__).parent)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "vimmerse_server [session scope]" in listed.stdout


@pytest.mark.parametrize("url", ["nonsense", "http://[::1", "http://127.0.0.1:9"])
def test_an_address_without_a_mock_is_one_line(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """A wrong `VIMMERSE_ADMIN_URL` is named under each test, without a traceback."""
    monkeypatch.setenv("VIMMERSE_ADMIN_URL", url)
    pytester.makepyfile("def test_it(vimmerse): ...")
    result = pytester.runpytest_subprocess("-q")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"no control plane at {url.replace('[', '[[]')} *ADMIN_URL)"])
    assert len(result.outlines) < 20
