"""The API key: sent in its header, and kept out of everything that people get to see."""

from __future__ import annotations

from typing import Any, Final

import requests
from requests.auth import AuthBase

from vimmerse_client.errors import ConfigurationError
from vimmerse_contracts.vocabulary import API_KEY_HEADER

_REDACTED: Final = "[API key]"


class NoKey(AuthBase):
    """Sends no credentials, not even those of a .netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Leave the request as it is."""
        return request


class Key(AuthBase):
    """Sends the API key. An object, so that no traceback shows the key among a frame's locals.

    Raises:
        ConfigurationError: there is no key, or no header can carry it.
    """

    def __init__(self, key: str) -> None:
        if not key:
            raise ConfigurationError("no API key: pass api_key, or set VIMMERSE_API_KEY")
        # requests' own complaint about such a header would quote it.
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ConfigurationError(
                "the API key has a space, a line break or another character that no header can "
                "carry; copy it again (it is not shown here)"
            )
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the key into the request."""
        request.headers[API_KEY_HEADER] = self._key
        return request

    def redact(self, value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
        """Take the key out of what a server says: some echo what they were sent."""
        if isinstance(value, str):
            return value.replace(self._key, _REDACTED)
        if isinstance(value, list):
            return [self.redact(item) for item in value]
        if isinstance(value, dict):
            return {self.redact(name): self.redact(item) for name, item in value.items()}
        return value
