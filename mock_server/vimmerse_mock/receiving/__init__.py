"""Receiving webhooks in tests: an inbox, what is answered there, and ways to it."""
