"""Many creations at once, over many connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import requests

HEADERS = {"X-Api-Key": "YOUR_API_KEY"}
FORM = {"image_urls": "http://images.example/1.jpg"}
PRICE = 5
"""What a creation with FORM costs: one image, five seconds, at the price of `Auto`."""


def volley(urls: Sequence[str], connections: int, each: int, **fields: str) -> Counter[int]:
    """Create `connections * each` batches, all connections at once; count the answers by status.

    The connections are shared out evenly among the addresses.
    """
    together = Barrier(connections)

    def shoot(number: int) -> list[int]:
        with requests.Session() as session:
            session.headers.update(HEADERS)
            url = urls[number % len(urls)]
            session.get(f"{url}/health", timeout=60)
            together.wait(60)
            shots = (
                session.post(f"{url}/batch", data=FORM | fields, timeout=60) for _ in range(each)
            )
            return [answer.status_code for answer in shots]

    with ThreadPoolExecutor(connections) as pool:
        return Counter(status for shots in pool.map(shoot, range(connections)) for status in shots)
