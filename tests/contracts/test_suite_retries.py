from __future__ import annotations

import pytest
import requests

from vimmerse_contracts.network import retry_after
from vimmerse_contracts.suite.api import sent_until_ready


def answer(status: int, method: str = "GET", **headers: str) -> requests.Response:
    """Make an answer."""
    response = requests.Response()
    response.status_code = status
    response.request = requests.Request(method, "http://service.example/").prepare()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


def sent(*answers: requests.Response) -> tuple[int, list[float]]:
    """Send until the service is content; return the last status and the pauses."""
    pauses: list[float] = []
    left = list(answers)
    came = sent_until_ready(lambda: left.pop(0) if len(left) > 1 else left[0], pauses.append)
    return came.status_code, pauses


@pytest.mark.parametrize(
    ("answers", "status", "pauses"),
    [
        ([answer(200)], 200, []),
        ([answer(429, "POST", Retry_After="7"), answer(200)], 200, [7.0]),
        ([answer(429, "PUT"), answer(200)], 200, [30.0]),
        ([answer(503, Retry_After="2"), answer(200)], 200, [2.0]),
        ([answer(503), answer(200)], 503, []),
        ([answer(503, "POST", Retry_After="2"), answer(200)], 503, []),
        ([answer(402, "POST", Retry_After="2")], 402, []),
    ],
)
def test_only_what_was_refused_or_reads_is_sent_again(
    answers: list[requests.Response], status: int, pauses: list[float]
) -> None:
    """429 may be repeated; 503 only where it reads, so that nothing is paid for twice."""
    assert sent(*answers) == (status, pauses)


def test_patience_ends() -> None:
    """A service that always asks for more is given ten minutes."""
    status, pauses = sent(answer(429, Retry_After="100"))
    assert (status, sum(pauses)) == (429, 600)


def test_a_date_counts_from_the_answers_own() -> None:
    """No clock of ours is needed to read Retry-After as a date."""
    dated = answer(
        429, Date="Wed, 02 Apr 2025 16:21:42 GMT", Retry_After="Wed, 02 Apr 2025 16:22:42 GMT"
    )
    assert retry_after(dated.headers) == 60
    assert retry_after(answer(429, Retry_After="soon").headers) is None
