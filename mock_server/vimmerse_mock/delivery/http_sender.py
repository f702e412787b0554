"""The sender over real sockets."""

from __future__ import annotations

import http.client
from contextlib import suppress
from dataclasses import dataclass, field

from vimmerse_contracts.unfrozen import monotonic
from vimmerse_contracts.vocabulary import WEBHOOK_TIMEOUT_SECONDS
from vimmerse_mock.delivery.allowlist import Allowlist
from vimmerse_mock.delivery.outbound import requested
from vimmerse_mock.delivery.sending import KEPT_BODY, Post, Reply, explain


@dataclass(frozen=True, slots=True)
class HttpSender:
    """Posts a webhook: `timeout` seconds in all (P26), redirects not followed, no proxy between."""

    timeout: float = WEBHOOK_TIMEOUT_SECONDS
    allowlist: Allowlist = field(default_factory=Allowlist)

    def send(self, post: Post) -> Reply:
        """POST, and read the beginning of the answer."""
        deadline = monotonic() + self.timeout
        try:
            with requested(
                "POST",
                post.url,
                post.headers,
                post.body,
                allowlist=self.allowlist,
                deadline=deadline,
            ) as response:
                return _reply(response)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if monotonic() >= deadline:
                return Reply(None, f"TimeoutError: no answer within {self.timeout:g} s")
            return Reply(None, explain(error))


def _reply(response: http.client.HTTPResponse) -> Reply:
    """Read the beginning of an answer; what breaks off later than its status still counts."""
    body = b""
    with suppress(OSError, http.client.HTTPException, ValueError):
        while len(body) < KEPT_BODY and (more := response.read1(KEPT_BODY - len(body))):
            body += more
    return Reply(response.status, "", tuple(response.getheaders()), body)
