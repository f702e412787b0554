from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from vimmerse_client import (
    Batch,
    Client,
    ConfigurationError,
    NotFound,
    RetryPolicy,
    ServerError,
    TransportError,
    WaitTimeout,
)

if TYPE_CHECKING:
    from client.conftest import FakeApi, FakeTime


@pytest.mark.parametrize("status", ["success", "fail"])
def test_wait_returns_the_batch_that_is_done(
    api: FakeApi, client: Client, clock: FakeTime, status: str
) -> None:
    """Waiting ends with the first final reading, whatever its status."""
    api.batch(status="new")
    api.batch(status="processing", progress_percentage=50)
    api.batch(status=status, progress_percentage=100)
    assert client.wait("id").status == status
    assert clock.slept == [2.0, 3.0]


def test_pauses_grow_up_to_the_longest(api: FakeApi, client: Client, clock: FakeTime) -> None:
    """Each pause is `backoff` times the one before, until `longest_poll`."""
    for _ in range(5):
        api.batch()
    api.batch(status="success")
    client.wait("id", poll=1.0, backoff=2.0, longest_poll=5.0)
    assert clock.slept == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_callback_gets_every_reading(api: FakeApi, client: Client) -> None:
    """The callback gets every reading in order, the final one too."""
    for percentage in (0, 40, 40):
        api.batch(progress_percentage=percentage)
    api.batch(status="success", progress_percentage=100)
    readings: list[Batch] = []
    final = client.wait("id", on_progress=readings.append)
    assert [batch.progress_percentage for batch in readings] == [0, 40, 40, 100]
    assert readings[-1] == final


def test_deadline_ends_the_waiting(api: FakeApi, client: Client, clock: FakeTime) -> None:
    """The last pause ends at the deadline; after a last reading WaitTimeout carries it."""
    api.batch(progress_percentage=40)
    with pytest.raises(WaitTimeout, match=r"within 10 s \(it is 'processing' at 40 %\)") as caught:
        client.wait("id", timeout=10.0, poll=4.0, backoff=1.0)
    assert clock.slept == [4.0, 4.0, 2.0]
    assert len(api.seen) == 4
    assert caught.value.batch is not None
    assert caught.value.batch.progress_percentage == 40


def test_there_is_always_one_reading(api: FakeApi, client: Client, clock: FakeTime) -> None:
    """Without any time a batch that is done is still returned."""
    api.batch(status="success")
    assert client.wait("id", timeout=0).succeeded
    assert clock.slept == []


def test_reading_is_retried_within_the_deadline(
    api: FakeApi, client: Client, clock: FakeTime
) -> None:
    """A short trouble of the service does not end the waiting."""
    api.batch()
    api.json({"message": "BUSY"}, 503, headers={"Retry-After": "9"})
    api.batch(status="success")
    assert client.wait("id", timeout=60.0).succeeded
    assert clock.slept == [2.0, 9.0]


def test_retry_after_beyond_the_deadline_is_a_timeout(
    api: FakeApi, client: Client, clock: FakeTime
) -> None:
    """Where the server says to come back after the deadline, there is nothing left to wait for."""
    api.batch(progress_percentage=20)
    api.json({"message": "SLOW"}, 429, headers={"Retry-After": "90"})
    with pytest.raises(WaitTimeout, match="at 20 %") as caught:
        client.wait("id", timeout=60.0)
    assert "429 SLOW" in str(caught.value.__cause__)
    assert clock.slept == [2.0]


def test_errors_are_not_waited_out(api: FakeApi, client: Client) -> None:
    """A refusal, and a service that stays down, end the waiting with their own error."""
    api.json({"message": "NOT_FOUND"}, 404)
    api.json({"message": "DOWN"}, 500)
    with pytest.raises(NotFound):
        client.wait("id")
    with pytest.raises(ServerError):
        client.wait("id")


def test_silence_does_not_outlast_the_deadline() -> None:
    """A server that never answers keeps nobody for the whole read timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            Client("key", url, retry=RetryPolicy(attempts=1)) as client,
            pytest.raises(WaitTimeout, match="no reading of it succeeded") as caught,
        ):
            client.wait("id", timeout=0.01)
    assert caught.value.batch is None
    assert isinstance(caught.value.__cause__, TransportError)


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": -1.0},
        {"poll": -1.0},
        {"longest_poll": -1.0},
        {"backoff": 0.5},
        {"timeout": float("nan")},
        {"poll": float("nan")},
        {"timeout": float("inf")},
        {"timeout": "5"},
        {"backoff": float("nan")},
    ],
)
def test_impossible_waits_are_refused(api: FakeApi, client: Client, wrong: dict[str, Any]) -> None:
    """Negative seconds and shrinking pauses are an error before anything is sent."""
    with pytest.raises(ConfigurationError, match="wait: expected no negative seconds"):
        client.wait("id", **wrong)
    assert api.seen == []


def test_progress_bar_is_shown_on_stderr(
    api: FakeApi, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bar ends at what the last reading said, and leaves stdout alone."""
    api.batch()
    api.batch(status="success", progress_percentage=100)
    client.wait("id", progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "success" in err
    assert "100%" in err


def test_nothing_is_shown_unasked(
    api: FakeApi, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without `progress` a library stays quiet."""
    api.batch(status="success")
    client.wait("id")
    assert capsys.readouterr() == ("", "")
