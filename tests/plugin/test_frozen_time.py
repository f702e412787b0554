from __future__ import annotations

import pytest

FROZEN = """
    import datetime

    import pytest
    from freezegun import freeze_time

    from vimmerse_client import Client, WaitTimeout

    PNG = b"\\x89PNG\\r\\n\\x1a\\n"


    def comes(vimmerse):
        batch = vimmerse.client.create([PNG], webhook_url=vimmerse.webhooks.url)
        assert vimmerse.webhooks.expect(batch_id=batch.id, within=60).status == "success"


    @pytest.fixture
    def frozen():
        with freeze_time("2050-01-01"):
            yield


    def test_all_is_imported_while_time_is_frozen(frozen, vimmerse):
        comes(vimmerse)


    @freeze_time("2099-01-01")
    def test_it_comes_in_a_frozen_future(vimmerse):
        comes(vimmerse)


    @freeze_time("2001-01-01")
    def test_it_comes_in_a_frozen_past(vimmerse):
        comes(vimmerse)


    @freeze_time("2001-01-01")
    def test_it_does_not_come(vimmerse):
        vimmerse.client.create([PNG])
        with pytest.raises(AssertionError, match="no webhook"):
            vimmerse.webhooks.expect(within=0.1)
        with pytest.raises(AssertionError, match="expected 1 webhooks"):
            vimmerse.webhooks.wait_for(1, within=0.1)


    @freeze_time("2001-01-01")
    def test_waiting_ends(vimmerse):
        vimmerse.next_batch("stuck")
        batch = vimmerse.client.create([PNG])
        with Client(vimmerse.key, vimmerse.url) as client, pytest.raises(WaitTimeout):
            client.wait(batch.id, timeout=0.2, poll=0.05)


    @freeze_time("2001-01-01")
    def test_a_clock_is_moved_to_a_frozen_datetime(vimmerse):
        moment = datetime.datetime(2050, 1, 1, tzinfo=datetime.timezone.utc)
        vimmerse.clock.move_to(moment)
        assert vimmerse.clock.now() == moment


    def test_real_time_goes_on(vimmerse):
        vimmerse.clock.set("live", speed=50)
        batch = vimmerse.client.create([PNG], webhook_url=vimmerse.webhooks.url)
        assert vimmerse.webhooks.wait_for(1, within=60)[0].batch_id == batch.id
"""


@pytest.mark.parametrize("order", ["-p no:randomly", "-p no:randomly --order-backwards"])
def test_frozen_tests_end_and_spoil_no_later_ones(pytester: pytest.Pytester, order: str) -> None:
    """Expectations, time-outs and servers go by a clock that freezegun cannot freeze."""
    pytester.makeconftest(
        """
        def pytest_addoption(parser):
            parser.addoption("--order-backwards", action="store_true")

        def pytest_collection_modifyitems(config, items):
            if config.getoption("--order-backwards"):
                items.reverse()
        """
    )
    pytester.makepyfile(FROZEN)
    result = pytester.runpytest_subprocess("-q", *order.split(), timeout=300)
    result.assert_outcomes(passed=7)
