"""Delivery of webhooks: senders, the courier that records attempts, and the live dispatcher.

With the clock, this is the only place that waits.
"""

from __future__ import annotations

from vimmerse_mock.delivery.allowlist import Allowlist
from vimmerse_mock.delivery.courier import Courier
from vimmerse_mock.delivery.dispatcher import Dispatcher
from vimmerse_mock.delivery.fetching import ImageFetcher
from vimmerse_mock.delivery.http_sender import HttpSender
from vimmerse_mock.delivery.sending import Post, Reply, Sender, new_secret

__all__ = [
    "Allowlist",
    "Courier",
    "Dispatcher",
    "HttpSender",
    "ImageFetcher",
    "Post",
    "Reply",
    "Sender",
    "new_secret",
]
